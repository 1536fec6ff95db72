"""Languages x models as a heat map with the scores written in its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from skald_report.figures.cells import GREY, Colour, empty, filled
from skald_report.figures.rows import SCALES, places, ranked
from skald_report.figures.style import (
    INK,
    MUTED,
    WIDTH_INCHES,
    Drawing,
    Look,
    drawing,
    short_names,
    signed,
    text_inches,
    theme,
)
from skald_report.tables.order import by_branch
from skald_report.tables.table import MACRO, Table

#: More contestants than these leave only the best in the drawing.
MOST_ROWS = 40
_ROW, _LEAST_COLUMN, _NAME_LIMIT, _SIZE = 0.21, 0.3, 17, 7.0
#: Between two branches, and before the mean, in columns; before the controls, in rows.
_GAP, _PAUSE = 0.18, 0.45
#: Colours spread over at least this range, so that noise does not look like a difference.
_LEAST_RANGE = {"tasks": 0.2, "text": 0.2}
_KEYS = {
    "tasks": "score above chance (0 chance, 1 perfect), darker is better",
    "text": "bits per byte, darker is better",
}
_BRANCH_NAMES = {"-": "other"}


def heat_map(overall: Table, measure: str, look: Mapping[str, Look]) -> Drawing:
    """Draw every language's score of every model, and the mean.

    Args:
        overall: Means with intervals; see the table of that name.
        measure: `tasks` (corrected for chance) or `text` (bits per byte, lower is better).
        look: Colour, shape and role of every model that may be drawn.

    Returns:
        The figure: darker is better; a cell without a score is hatched. It is wider than a telephone's
        screen where there are many languages.
    """
    frame = overall.frame[overall.frame["measure"] == measure]
    frame = frame[frame["model"].isin(look)]
    mean = frame[frame["scope_kind"] == "mean"]
    each = frame[frame["scope_kind"] == "language"]
    # A model that lacks a language has no mean, and is shown nevertheless.
    order = list(dict.fromkeys([*ranked(mean, look), *_by_language(each, look)]))
    shown, left_out = order[:MOST_ROWS], len(order[MOST_ROWS:])
    controls = places(frame, look).controls
    groups = by_branch(each["scope"])
    if len(mean):
        groups.append((MACRO, [MACRO]))
    columns, heads = _columns(groups)
    at = {model: float(n) for n, model in enumerate(shown)}
    at |= {model: len(shown) + (n + _PAUSE) for n, model in enumerate(controls)}
    cells = pd.concat([each, mean.assign(scope=MACRO)])
    value = {
        (str(m), str(s)): float(v)
        for m, s, v in zip(cells["model"], cells["scope"], cells["score"], strict=True)
        if np.isfinite(v)
    }
    labels = short_names(at, _NAME_LIMIT)
    known = [v for (model, _), v in value.items() if model in set(shown)]
    words = _KEYS[measure]
    notes = [words] + ([f"{left_out} more contestants are in the table alone"] if left_out else [])
    n_columns = max(columns.values()) + 1
    n_rows = max(at.values()) + 1
    left = 0.22 + max(text_inches(label, 8) for label in labels.values())
    width = max(WIDTH_INCHES, left + _LEAST_COLUMN * n_columns + 0.02)
    column = min((width - left - 0.02) / n_columns, 0.62)
    head, foot = 0.38, 0.08 + 0.15 * len(notes)
    height = head + _ROW * n_rows + foot
    with theme():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((
            left / width, foot / height, column * n_columns / width, _ROW * n_rows / height
        ))  # fmt: skip
        axes.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))
        axes.set_axis_off()
        _cells(axes, columns, at, value, look, colours(known, measure))
        _labels(axes, labels, at, look, column)
        for tag, x in columns.items():
            axes.text(x, -0.62, tag, ha="center", va="bottom", size=7.5,
                      weight="bold" if tag == MACRO else "normal")  # fmt: skip
        for branch, middle in heads.items():
            axes.text(middle, -1.35, _BRANCH_NAMES.get(branch, branch), ha="center", va="bottom",
                      size=7, color=MUTED)  # fmt: skip
        figure.text(0.0, 1 - 0.06 / height, SCALES[measure][0], size=9.5, weight="bold", va="top")
        for number, note in enumerate(reversed(notes)):
            figure.text(0.0, (0.03 + 0.15 * number) / height, note, size=7.5, color=MUTED)
        return drawing(figure, f"heat-{measure}", _alt(measure, shown, groups, value), "overall")


def _by_language(each: pd.DataFrame, look: Mapping[str, Look]) -> list[str]:
    means = each.groupby(["measure", "model"], sort=False)["score"].mean()
    return ranked(means.reset_index(), look)


def _columns(groups: Sequence[tuple[str, list[str]]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the place of every column, and the middle of every branch."""
    columns: dict[str, float] = {}
    heads: dict[str, float] = {}
    x = 0.0
    for branch, tags in groups:
        for number, tag in enumerate(tags):
            columns[tag] = x + number
        if branch != MACRO:
            heads[branch] = x + (len(tags) - 1) / 2
        x += len(tags) + _GAP
    return columns, heads


class Scale:
    """From a score to a cell's colour and the tone of its letters."""

    def __init__(self, worst: float, best: float, cmap: Colormap) -> None:
        """Scores from the worst (lightest) to the best (darkest)."""
        self._ends, self._cmap = (worst, best), cmap

    def cell(self, score: float) -> Colour:
        """Return a score's colour; beyond the ends that of the end."""
        worst, best = self._ends
        share = min(1.0, max(0.0, (score - worst) / (best - worst)))
        red, green, blue, _ = self._cmap(share)
        return red, green, blue


def colours(scores: Sequence[float], measure: str) -> Scale:
    """Return the scale of some scores: the best is darkest.

    Args:
        scores: Those of the contestants; controls beyond them take the end's colour.
        measure: `tasks` or `text`.
    """
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    middle, half = (low + high) / 2, max(high - low, _LEAST_RANGE[measure]) / 2
    ends = (middle + half, middle - half) if measure == "text" else (middle - half, middle + half)
    return Scale(*ends, sns.color_palette("crest", as_cmap=True))


def _cells(axes: Axes, columns: Mapping[str, float], at: Mapping[str, float],
           value: Mapping[tuple[str, str], float], look: Mapping[str, Look],
           scale: Scale) -> None:  # fmt: skip
    for model, y in at.items():
        for tag, x in columns.items():
            score = value.get((model, tag))
            if score is None:
                empty(axes, x, y, _SIZE)
            else:
                colour = GREY if look[model].role == "control" else scale.cell(score)
                filled(axes, x, y, colour, (signed(score, ".2f"),), _SIZE)


def _labels(axes: Axes, labels: Mapping[str, str], at: Mapping[str, float],
            look: Mapping[str, Look], column: float) -> None:  # fmt: skip
    for model, y in at.items():
        own = look[model]
        axes.scatter([-0.5 - 0.09 / column], [y], marker=own.shape, color=own.colour, s=18, lw=0,
                     clip_on=False)  # fmt: skip
        axes.text(-0.5 - 0.18 / column, y, labels[model], ha="right", va="center", size=8,
                  color=MUTED if own.role == "control" else INK)  # fmt: skip


def _alt(measure: str, shown: Sequence[str], groups: Sequence[tuple[str, list[str]]],
         value: Mapping[tuple[str, str], float]) -> str:  # fmt: skip
    what = "Chance-corrected scores" if measure == "tasks" else "Bits per byte"
    tags = [tag for branch, own in groups for tag in own if branch != MACRO]
    names = short_names(shown, 30)
    parts = [f"{what} of {len(shown)} contestants in {len(tags)} languages"]
    for tag in [*tags, MACRO]:
        here = [(value[model, tag], model) for model in shown if (model, tag) in value]
        if here:
            pick = min if measure == "text" else max
            best, model = pick(here, key=lambda pair: pair[0])
            spread = max(v for v, _ in here) - min(v for v, _ in here)
            parts.append(f"{tag}: best {names[model]} {signed(best, '.2f')}, range {spread:.2f}")
    missing = sum((model, tag) not in value for model in shown for tag in tags)
    if missing:
        parts.append(f"{missing} cells have no score")
    return ". ".join(parts) + "."
