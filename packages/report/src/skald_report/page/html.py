"""The page as one HTML file that needs nothing else: no network and no second file.

One small script sorts and filters tables; without it everything but the explorers is there. A policy
in the page lets the browser run this script alone and load nothing. Figures are drawn inline; their
neutral tones and the accent become the page's, so that they follow its light or dark scheme.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from skald_report.figures.style import ACCENT, INK, MUTED, PAPER, RULE, Drawing
from skald_report.page.blocks import Glossary, Grid, Page
from skald_report.page.exploring import as_script
from skald_report.page.prose import Prose, anchor_of, readable

_TONES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    ACCENT: "var(--accent)",
}
_NUMBER = re.compile(r"[−+-]?[<>≈]? ?[\d.]")
#: Letters from which a column of words is prose, which may take several lines.
_PROSE = 28


def render(page: Page) -> str:
    """Return the HTML text."""
    blocks = [block for section in page.sections for block in section.blocks]
    terms = tuple(t for block in blocks if isinstance(block, Glossary) for t in block.terms)
    environment = _environment()
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment.get_template("page.html.j2").render(
            page=page, prose=Prose(terms), anchor=_Anchors(), script=Markup(script), digest=digest
        )
        + "\n"
    )


class _Anchors:
    """Gives every part of a page a name of its own, also where two have one title."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, wanted: str) -> str:
        name = plain = re.sub(r"[^A-Za-z0-9_-]+", "_", wanted)
        number = 1
        while name in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name)
        return name


@lru_cache(maxsize=1)
def _script() -> str:
    templates = files("skald_report.page") / "templates"
    return (templates / "page.js").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("skald_report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    environment.filters["looks"] = column_looks
    environment.filters["term_anchor"] = anchor_of
    environment.filters["data"] = lambda explorer: Markup(as_script(explorer))
    return environment


def _finalize(value: Any) -> Any:
    return readable(value) if type(value) is str else value


def inline(drawing: Drawing) -> Markup:
    """Return a drawing for use inside the page.

    Several drawings on one page must not share an id, and none may restyle the page: ids that
    nothing refers to go, the others get the drawing's name, and the style sheet goes.
    """
    svg = drawing.svg[drawing.svg.index("<svg") :]
    svg = re.sub(r"<(metadata|title)>.*?</\1>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(
        r' id="([^"]*)"',
        lambda m: f' id="{drawing.name}-{m[1]}"' if m[1] in used else "",
        svg,
    )
    svg = re.sub(r'(href="#|url\(#)', rf"\1{drawing.name}-", svg)
    for tone, variable in _TONES.items():
        svg = svg.replace(tone, variable)
    label = f'<svg role="img" aria-label="{escape(readable(" ".join(drawing.alt.split())))}"'
    return Markup(svg.replace("<svg", label, 1))  # our own drawing, its texts already escaped


def column_looks(grid: Grid) -> list[str]:
    """Return how each column of a table is set: number, word, or prose."""
    return [
        _look([row[column].text for row in grid.rows if column < len(row)])
        for column in range(len(grid.header))
    ]


def _look(texts: list[str]) -> str:
    said = [text for text in texts if text not in ("", "–")]
    if not said or sum(bool(_NUMBER.match(text)) for text in said) * 2 > len(said):
        return "prose" if max(map(len, said), default=0) > _PROSE else "number"
    return "prose" if max(map(len, said)) > _PROSE else "word"
