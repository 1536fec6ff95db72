"""Made-up means and differences for drawings, and what a test reads from an SVG."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from skald_report.figures.style import Drawing, text_inches
from skald_report.tables.table import Table

CONTROLS = ("random-init-a", "byte-ngram")
TAGS = ("da", "de", "en", "fo", "is", "nb", "nl", "sv")
_SVG = "{http://www.w3.org/2000/svg}"


def models(baselines: Sequence[str], external: Sequence[str] = ()) -> pd.DataFrame:
    """Return the models of a page with their roles, two controls among them."""
    role = dict.fromkeys(baselines, "baseline") | dict.fromkeys(external, "external")
    role |= dict.fromkeys(CONTROLS, "control")
    return pd.DataFrame({"model": list(role), "role": list(role.values())})


def overall(
    cast: pd.DataFrame, tags: Sequence[str] = TAGS, missing: Collection[tuple[str, str]] = (), seed: int = 1,
    half: float = 0.02,
) -> Table:  # fmt: skip
    """Return means of both measures; a model that lacks a language has no mean."""
    rng = np.random.default_rng(seed)
    rows = []
    for measure, name in itertools.product(("tasks", "text"), cast["model"]):
        level = {"random-init-a": (0.0, 8.0), "byte-ngram": (0.1, 2.2)}.get(
            name, (rng.uniform(0.2, 0.5), rng.uniform(1.4, 1.8))
        )[measure == "text"]
        own = {tag: level + rng.normal(0, 0.03) for tag in tags if (name, tag) not in missing}
        scopes = [("language", tag, score) for tag, score in own.items()]
        if len(own) == len(tags) > 1:
            scopes.append(("mean", "mean", float(np.mean(list(own.values())))))
        for kind, scope, score in scopes:
            wide = 2 * half if measure == "tasks" and kind == "mean" else np.nan
            rows.append({
                "measure": measure, "scope": scope, "model": name, "scope_kind": kind,
                "language": "", "score": score, "low": score - half, "high": score + half,
                "low_tasks": score - wide, "high_tasks": score + wide,
                "n_languages": len(tags) if kind == "mean" else 1,
            })  # fmt: skip
    return Table("overall", ("measure", "scope", "model"), {}, pd.DataFrame(rows))


def pairwise(means: Table, cast: pd.DataFrame) -> Table:
    """Return the differences of the means, each pair once as the real table has it; the closest ties."""
    role = dict(zip(cast["model"], cast["role"], strict=True))
    frame = means.frame[means.frame["scope_kind"] == "mean"]
    rows = []
    for measure, own in frame.groupby("measure", sort=False):
        score = dict(zip(own["model"], own["score"], strict=True))
        contest = [name for name in score if role[name] != "control"]
        others = [name for name in score if role[name] == "control"]
        closest = min((abs(score[a] - score[b]) for a, b in itertools.combinations(contest, 2)),
                      default=0.0)  # fmt: skip
        for one, other in (
            *itertools.combinations(contest, 2),
            *itertools.product(contest, others),
        ):
            gap = score[one] - score[other]
            better = (gap > 0) != (measure == "text")
            verdict = "tie" if abs(gap) <= closest else "better" if better else "worse"
            rows.append({"measure": measure, "model": one, "reference": other, "difference": gap,
                         "mde": 0.0281, "verdict": verdict})  # fmt: skip
    return Table("pairwise", ("measure", "model", "reference"), {}, pd.DataFrame(rows))


class Word(NamedTuple):
    """A text of a drawing: its words, its middle, its box and its colour."""

    text: str
    x: float
    y: float
    box: tuple[float, float, float, float]
    fill: str
    turned: bool


class Box(NamedTuple):
    """A filled rectangle or a line of a drawing."""

    x: tuple[float, float]
    y: tuple[float, float]
    fill: str
    stroke: str
    width: float


def words(drawing: Drawing) -> list[Word]:
    """Return the texts of a drawing with their boxes, in points."""
    found = []
    for node in ET.fromstring(drawing.svg[drawing.svg.index("<svg") :]).iter(f"{_SVG}text"):
        style = _style(node)
        size = float(style["font-size"].removesuffix("px"))
        x, y = _place(node)
        text = "".join(node.itertext())
        width = 72 * text_inches(text, size)
        start = x - {"middle": width / 2, "end": width}.get(style.get("text-anchor", ""), 0.0)
        box = (start, y - 0.75 * size, start + width, y + 0.05 * size)
        found.append(Word(text, start + width / 2, y - 0.35 * size, box, style["fill"],
                          "rotate" in node.get("transform", "")))  # fmt: skip
    return found


def boxes(drawing: Drawing) -> list[Box]:
    """Return the paths of a drawing that are drawn where they stand, as boxes."""
    root = ET.fromstring(drawing.svg[drawing.svg.index("<svg") :])
    marks = {id(path) for defs in root.iter(f"{_SVG}defs") for path in defs.iter()}
    found = []
    for node in root.iter(f"{_SVG}path"):
        if id(node) in marks or "style" not in node.attrib:
            continue
        style = _style(node)
        numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", node.attrib["d"])]
        xs, ys = numbers[0::2], numbers[1::2]
        found.append(Box((min(xs), max(xs)), (min(ys), max(ys)), style.get("fill", ""),
                         style.get("stroke", ""), float(style.get("stroke-width", 1))))  # fmt: skip
    return found


def stamped(drawing: Drawing) -> list[Box]:
    """Return the shapes that are defined apart and set down where they are used: markers, bands."""
    root = ET.fromstring(drawing.svg[drawing.svg.index("<svg") :])
    outline = {node.get("id"): node.get("d", "") for node in root.iter(f"{_SVG}path")}
    found = []
    for node in root.iter(f"{_SVG}use"):
        reference = node.attrib["{http://www.w3.org/1999/xlink}href"].removeprefix("#")
        numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", outline[reference])]
        x, y = _place(node)
        xs, ys = [x + n for n in numbers[0::2]], [y + n for n in numbers[1::2]]
        fill = _style(node).get("fill", "")
        found.append(Box((min(xs), max(xs)), (min(ys), max(ys)), fill, "", 0.0))
    return found


def marks(drawing: Drawing) -> list[tuple[float, float]]:
    """Return the places of all markers."""
    root = ET.fromstring(drawing.svg[drawing.svg.index("<svg") :])
    return [_place(node) for node in root.iter(f"{_SVG}use")]


def at_row(drawing: Drawing, label: str) -> list[Word]:
    """Return the texts that stand in the row of a label, from left to right."""
    every = words(drawing)
    row = next(word for word in every if word.text == label)
    return sorted((w for w in every if abs(w.y - row.y) < 2), key=lambda w: w.x)


def clashes(drawing: Drawing) -> list[str]:
    """Return the texts that overlap another one or the edge of the drawing."""
    root = ET.fromstring(drawing.svg[drawing.svg.index("<svg") :])
    _, _, width, height = (float(n) for n in root.attrib["viewBox"].split())
    level = [word for word in words(drawing) if not word.turned]
    found = [
        f"{w.text!r} leaves the drawing" for w in level
        if w.box[0] < -1 or w.box[2] > width + 1 or w.box[1] < -1 or w.box[3] > height + 1
    ]  # fmt: skip
    for a, b in itertools.combinations(level, 2):
        if min(a.box[2], b.box[2]) - max(a.box[0], b.box[0]) > 0.5 and (
            min(a.box[3], b.box[3]) - max(a.box[1], b.box[1]) > 0.5
        ):
            found.append(f"{a.text!r} lies on {b.text!r}")
    return found


def _place(node: ET.Element) -> tuple[float, float]:
    if "x" in node.attrib:
        return float(node.attrib["x"]), float(node.attrib["y"])
    moved = re.search(r"translate\(([-\d.]+)[ ,]+([-\d.]+)\)", node.get("transform", ""))
    assert moved, node.attrib
    return float(moved[1]), float(moved[2])


def _style(node: ET.Element) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in node.get("style", "").split(";") if ":" in part)
    return {key.strip(): value.strip() for key, value in pairs}
