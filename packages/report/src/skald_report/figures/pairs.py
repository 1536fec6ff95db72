"""Who is better than whom: every pair of contestants, and each of them against the controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from skald_specs.controls import COUNTING, RANDOM_INIT

from skald_report.figures.cells import GREY, Colour, empty, filled
from skald_report.figures.rows import SCALES
from skald_report.figures.style import (
    MUTED,
    WIDTH_INCHES,
    Drawing,
    drawing,
    short_names,
    signed,
    text_inches,
    theme,
)
from skald_report.tables.pairs import SEEDS
from skald_report.tables.table import Table

#: More contestants than these leave only the best in the drawing.
MOST_MODELS = 24
MOST_CONTROLS = 4
#: Up to so many columns leave room for the detectable effect in each cell.
_ROOMY = 6
_NAME_LIMIT, _NUMBER = 20, 0.2
#: From just beyond noise to the largest difference. Orange and blue differ for every kind of colour
#: blindness and in brightness from the grey of a tie.
_BETTER = (to_rgb("#cfe3f3"), to_rgb("#1f5f9e"))
_WORSE = (to_rgb("#fbdcb8"), to_rgb("#b1500a"))


class Pair(NamedTuple):
    """One model minus another, the smallest difference likely to be found, and the verdict."""

    difference: float
    mde: float
    verdict: str


def is_control(name: str) -> bool:
    """Return whether a model of the pairs is a control."""
    return name.startswith(RANDOM_INIT) or name in COUNTING


def ranking(rows: pd.DataFrame) -> list[str]:
    """Return the contestants of one measure by their mean difference to the others, the best first.

    Args:
        rows: Rows of `pairwise` of one measure.
    """
    names = [n for n in dict.fromkeys([*rows["model"], *rows["reference"]]) if not is_control(n)]
    own = rows[~rows["model"].map(is_control) & ~rows["reference"].map(is_control)]
    if own.empty:
        return names
    both = pd.concat([
        own[["model", "difference"]],
        pd.DataFrame({"model": own["reference"], "difference": -own["difference"]}),
    ])  # fmt: skip
    mean = both.groupby("model", sort=False)["difference"].mean()
    lower = (rows["measure"] == "text").any()
    worst = float("inf")
    return sorted(
        names, key=lambda n: float(mean[n]) * (1 if lower else -1) if n in mean else worst
    )


def pairwise_matrix(pairwise: Table, measure: str) -> Drawing:
    """Draw the difference of every pair: row minus column.

    Args:
        pairwise: Differences of means with their verdicts; see the table of that name.
        measure: `tasks` (corrected for chance) or `text` (bits per byte, lower is better).

    Returns:
        The figure: blue where the row is better, orange where it is worse, grey with `=` for a tie.
        Columns carry the numbers of the rows.
    """
    rows = pairwise.frame[pairwise.frame["measure"] == measure]
    order = ranking(rows)
    shown, left_out = order[:MOST_MODELS], len(order[MOST_MODELS:])
    controls = [n for n in dict.fromkeys(rows["reference"]) if is_control(n)][:MOST_CONTROLS]
    found = _both_ways(rows, {*shown, *controls})
    columns = [*shown, *controls]
    names = short_names(columns, _NAME_LIMIT)
    roomy = len(columns) <= _ROOMY
    largest = max(
        (abs(r.difference) for pair, r in found.items() if not {*pair} & {*controls}), default=1.0
    )
    heads = {n: str(i + 1) for i, n in enumerate(shown)}
    heads |= {n: chr(ord("a") + i) for i, n in enumerate(controls)}
    seeds = any(cell.verdict == SEEDS for cell in found.values())
    size, row = (7.5, 0.36) if roomy else (7.0, 0.23)
    left = 0.1 + _NUMBER + max(text_inches(names[n], 8) for n in shown)
    width = max(WIDTH_INCHES, left + (0.36 * len(columns)) + 0.1)
    column = min((width - left - 0.05) / (len(columns) + 0.3), 0.75)
    notes = _notes(measure, roomy, left_out, {heads[c]: names[c] for c in controls}, seeds, width)
    head, foot = 0.24, 0.1 + 0.15 * len(notes)
    height = head + row * len(shown) + foot
    place = {n: float(i) + 0.3 * (n in controls) for i, n in enumerate(columns)}
    last = len(columns) - 1 + 0.3 * bool(controls)
    with theme():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((
            left / width, foot / height, column * (last + 1) / width, row * len(shown) / height
        ))  # fmt: skip
        axes.set(xlim=(-0.5, last + 0.5), ylim=(len(shown) - 0.5, -0.5))
        axes.set_axis_off()
        for name in columns:
            axes.text(place[name], -0.5 - 0.05 / row, heads[name], ha="center", va="bottom",
                      size=8, color=MUTED)  # fmt: skip
        for y, model in enumerate(shown):
            axes.text(-0.5 - 0.06 / column, y, heads[model], ha="right", va="center", size=8,
                      color=MUTED)  # fmt: skip
            axes.text(-0.5 - (0.06 + _NUMBER) / column, y, names[model], ha="right", va="center",
                      size=8)  # fmt: skip
            for other in columns:
                cell = found.get((model, other))
                if cell is not None:
                    filled(axes, place[other], y, colour(cell, largest), _lines(cell, roomy), size)
                elif model != other:
                    empty(axes, place[other], y, size)
        figure.text(0.0, 1 - 0.03 / height, SCALES[measure][0], size=9.5, weight="bold", va="top")
        for number, note in enumerate(reversed(notes)):
            figure.text(0.0, (0.03 + 0.15 * number) / height, note, size=7.5, color=MUTED)
        return drawing(
            figure, f"pairs-{measure}", _alt(measure, shown, found, left_out), "pairwise"
        )


def _both_ways(rows: pd.DataFrame, kept: set[str]) -> dict[tuple[str, str], Pair]:
    """Return every pair in both directions; the other direction has the sign and verdict turned."""
    turned = {"better": "worse", "worse": "better"}
    found: dict[tuple[str, str], Pair] = {}
    own = rows[rows["model"].isin(kept) & rows["reference"].isin(kept)]
    for row in own.to_dict("records"):
        if np.isfinite(row["difference"]):
            there = Pair(row["difference"], row["mde"], row["verdict"])
            found[row["model"], row["reference"]] = there
            found[row["reference"], row["model"]] = Pair(
                -there.difference, there.mde, turned.get(there.verdict, there.verdict)
            )
    return found


def colour(cell: Pair, largest: float) -> Colour:
    """Return a cell's colour by its verdict and the size of the difference.

    Args:
        cell: Difference and verdict.
        largest: The size that takes the darkest colour.
    """
    if cell.verdict in ("tie", SEEDS):
        return GREY
    pale, full = _BETTER if cell.verdict == "better" else _WORSE
    share = min(1.0, abs(cell.difference) / largest) if largest > 0 else 1.0
    red, green, blue = (a + share * (b - a) for a, b in zip(pale, full, strict=True))
    return red, green, blue


def _lines(cell: Pair, roomy: bool) -> tuple[str, ...]:
    if cell.verdict == SEEDS:
        return (SEEDS,)
    tie = cell.verdict == "tie"
    if not roomy:
        return ("=",) if tie else (signed(cell.difference, "+.2f"),)
    first = ("= " if tie else "") + signed(cell.difference, "+.3f")
    return (first, f"({cell.mde:.3f})") if np.isfinite(cell.mde) else (first,)


def _notes(measure: str, roomy: bool, left_out: int, controls: Mapping[str, str], seeds: bool,
           width: float) -> list[str]:  # fmt: skip
    unit = "score above chance" if measure == "tasks" else "bits per byte"
    notes = [f"row minus column, {unit}: blue better, orange worse, = tie"]
    if seeds:
        notes.append("seeds: one baseline trained more than once, not compared")
    if roomy:
        notes.append("in brackets: the smallest difference likely to be found")
    line = ""
    for mark, name in controls.items():
        longer = f"{line}, {mark} {name}" if line else f"controls: {mark} {name}"
        if text_inches(longer, 7.5) > width - 0.1:
            notes.append(f"{line},")
            longer = f"{mark} {name}"
        line = longer
    if line:
        notes.append(line)
    if left_out:
        notes.append(f"{left_out} more contestants are in the table alone")
    return notes


def _alt(measure: str, shown: list[str], found: Mapping[tuple[str, str], Pair],
         left_out: int) -> str:  # fmt: skip
    names = short_names(shown, 30)
    what = "chance-corrected scores" if measure == "tasks" else "bits per byte"
    parts = []
    for model in shown:
        own = [c.verdict for (m, other), c in found.items() if m == model and other in shown]
        counts = {v: own.count(v) for v in ("better", "worse", "tie")}
        parts.append(f"{names[model]} is better than {counts['better']}, worse than "
                     f"{counts['worse']} and tied with {counts['tie']}")  # fmt: skip
    more = f" {left_out} more contestants are left out." if left_out else ""
    return f"Pairs of contestants by {what}: " + "; ".join(parts) + f".{more}"
