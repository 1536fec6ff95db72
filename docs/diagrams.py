"""`python docs/diagrams.py` draws the two diagrams of docs/architecture.md from what they show.

The stations come from dvc.yaml, the packages from the imports in the source. What nobody drew cannot
be forgotten: tests/architecture/test_diagrams.py draws both again and compares.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import grimp
import yaml

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
#: From cli down; a package imports those to its right alone.
PACKAGES = ("cli", "trainer", "harness", "planner", "report", "corpus", "mup", "process", "specs")
#: Engines with one door each, see .importlinter.
ENGINES = ("datatrove", "lm_eval", "matplotlib", "nanotron", "seaborn")
#: Which package the command of a stage belongs to, by its first word.
STATIONS = {"corpus": "corpus", "sweep": "trainer", "plan": "planner", "train": "trainer",
            "export": "mup", "evaluate": "harness", "report": "report"}  # fmt: skip
#: Fill and edge of each package's boxes; the text is dark, so both schemes of a page do.
COLOURS = {"specs": ("#dde3ea", "#5f6b7a"), "process": ("#e6ded4", "#7a6a58"),
           "mup": ("#cfe6f7", "#0072b2"),
           "corpus": ("#d3ede2", "#00795a"), "planner": ("#f7e4c3", "#9a6400"),
           "trainer": ("#f9d9c6", "#b04a00"), "harness": ("#efd7e6", "#a03a78"),
           "report": ("#f6efb4", "#7d7000"), "cli": ("#e4dcf4", "#6a4fa0")}  # fmt: skip
#: Legible on white and on near-black.
LINE = "#808a96"
WIDTH, GAP = 700, 16

Edges = frozenset[tuple[str, str]]


class Box(NamedTuple):
    """One box: its colour is that of a package; `lines` stand below its title."""

    title: str
    package: str
    lines: tuple[str, ...]


class Place(NamedTuple):
    """A box' left, top, width and height; a lane has no width."""

    x: float
    y: float
    width: float
    height: float


def stations() -> tuple[dict[str, Box], Edges]:
    """Return the stages of dvc.yaml, and which of them reads what another one writes."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = re.compile(r"\$\{(?:item\.)?(\w+)\}")
    boxes = {}
    for name, stage in stages.items():
        command, out = (
            named.sub(lambda m: m[1].upper(), t) for t in (stage["cmd"], stage["outs"][0])
        )
        boxes[name] = Box(name, STATIONS[command.split()[1]], (command, f"writes {out}"))
    # A matrix writes one output for each of its values; who reads the folder reads them all.
    wrote = {name: named.sub("*", stage["outs"][0]) for name, stage in stages.items()}
    reads = {name: [named.sub("*", dep) for dep in stage["deps"]] for name, stage in stages.items()}
    edges = {
        (writer, reader)
        for writer, out in wrote.items()
        for reader, deps in reads.items()
        if writer != reader
        and any(f"{dep}/".startswith(f"{out}/") or f"{out}/".startswith(f"{dep}/") for dep in deps)
    }
    return boxes, frozenset(edges)


def packages() -> tuple[dict[str, Box], Edges]:
    """Return the packages with the engines that they import, and who imports whom."""
    names = [f"skald_{short}" for short in PACKAGES]
    graph = grimp.build_graph(*names, include_external_packages=True, cache_dir=None)
    imports: dict[str, set[str]] = {short: set() for short in PACKAGES}
    for module in graph.modules:
        short = module.partition(".")[0].removeprefix("skald_")
        if short in imports:
            found = graph.find_modules_directly_imported_by(module)
            imports[short] |= {one.partition(".")[0].removeprefix("skald_") for one in found}
    boxes = {}
    for short in PACKAGES:
        project = (ROOT / "packages" / short / "pyproject.toml").read_text(encoding="utf-8")
        about = re.search(r'^description = "(.*)"$', project, re.M)
        engines = [engine for engine in ENGINES if engine in imports[short]]
        assert about is not None
        lines = (about[1], *([f"imports {', '.join(engines)}"] if engines else []))
        boxes[short] = Box(short, short, lines)
    edges = {(a, b) for a, found in imports.items() for b in found if b in PACKAGES and a != b}
    return boxes, frozenset(edges)


def reduced(edges: Edges) -> Edges:
    """Leave out what follows from other edges."""

    def leads(start: str, end: str) -> bool:
        return any(b == end or leads(b, end) for a, b in edges if a == start)

    return frozenset(
        (a, b) for a, b in edges if not any(c != b and leads(c, b) for x, c in edges if x == a)
    )


def levels(names: Iterable[str], edges: Edges) -> list[list[str]]:
    """Return the names by the longest way to them from the top."""

    def depth(name: str) -> int:
        return max((depth(a) + 1 for a, b in edges if b == name), default=0)

    deep = {name: depth(name) for name in names}
    return [[n for n in deep if deep[n] == level] for level in range(max(deep.values()) + 1)]


def wrapped(text: str, letters: int) -> list[str]:
    """Cut a text into lines of at most so many letters where words allow."""
    lines = [""]
    for word in text.split():
        fits = len(lines[-1]) + len(word) < letters
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if fits else [*lines, word]
    return lines


def drawn(title: str, boxes: Mapping[str, Box], edges: Edges) -> str:
    """Return the SVG: boxes in rows, an arrow for each edge that does not follow from others."""
    rows, few = levels(boxes, edges), reduced(edges)
    level = {name: number for number, row in enumerate(rows) for name in row}
    place: dict[str, Place] = {}
    lanes: dict[tuple[int, str], Place] = {}
    parts, y = [], 8.0
    for number, row in enumerate(rows):
        width = min((WIDTH - 16 - GAP * (len(row) - 1)) / len(row), 420)
        texts = {
            n: [t for line in boxes[n].lines for t in wrapped(line, int(width / 6.1))] for n in row
        }
        height = 30 + 15 * max(len(t) for t in texts.values())
        x = (WIDTH - width * len(row) - GAP * (len(row) - 1)) / 2
        for name in row:
            place[name] = Place(x, y, width, height)
            parts.append(box(boxes[name], texts[name], place[name]))
            x += width + GAP
        # Arrows to one box below pass beside the row in one lane.
        for target in sorted({b for a, b in few if level[a] < number < level[b]}):
            lanes[number, target] = Place(x, y, 0, height)
            x += GAP
        y += height + 34
    arrows = [
        arrow([place[a], *(lanes[n, b] for n in range(level[a] + 1, level[b])), place[b]])
        for a, b in sorted(few)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 26:g}" width="{WIDTH}" '
        f'height="{y - 26:g}" font-family="Helvetica, Arial, sans-serif" font-size="12" role="img" '
        f'aria-label="{html.escape(title)}">'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{LINE}"/></marker></defs>'
    )
    return "\n".join([head, tip, *arrows, *parts, "</svg>", ""])


def box(about: Box, texts: Sequence[str], at: Place) -> str:
    """Return one box with its title and lines, all in the middle."""
    fill, edge = COLOURS[about.package]
    middle = at.x + at.width / 2
    shape = (
        f'<rect x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" height="{at.height:g}" rx="6" '
        f'fill="{fill}" stroke="{edge}"/>'
    )
    title = f'<text x="{middle:g}" y="{at.y + 19:g}" font-size="14" font-weight="bold">{about.title}</text>'
    words = [
        f'<text x="{middle:g}" y="{at.y + 36 + 15 * n:g}">{html.escape(text)}</text>'
        for n, text in enumerate(texts)
    ]
    return f'<g text-anchor="middle" fill="#16202b">{shape}{title}{"".join(words)}</g>'


def arrow(way: Sequence[Place]) -> str:
    """Return an arrow from the bottom of the first box through lanes to the top of the last one."""

    def near(at: Place, towards: float) -> float:
        """Leave or meet a box near the side where the other one lies."""
        return min(max(towards, at.x + at.width * 0.2), at.x + at.width * 0.8)

    x = near(way[0], way[1].x + way[1].width / 2)
    path = f"M{x:g} {way[0].y + way[0].height:g}"
    for before, after in itertools.pairwise(way):
        y1, y2, to = before.y + before.height, after.y, near(after, x)
        path += (
            f"C{x:g} {(y1 + y2) / 2:g} {to:g} {(y1 + y2) / 2:g} {to:g} {y2 - (after is way[-1]):g}"
        )
        path += "" if after is way[-1] else f"V{after.y + after.height:g}"
        x = to
    return (
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.6" marker-end="url(#tip)"/>'
    )


def pictures() -> dict[str, str]:
    """Return both diagrams by the names of their files."""
    return {
        "stations.svg": drawn("The stations of a cycle, and who reads whose output", *stations()),
        "packages.svg": drawn("The packages, and who imports whom", *packages()),
    }


if __name__ == "__main__":
    for name, text in pictures().items():
        (PICTURES / name).write_text(text, encoding="utf-8")
        print(f"docs/pictures/{name}")
