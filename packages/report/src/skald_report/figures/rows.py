"""Rows of models with their intervals on one or two scales: what the overview and the forest plots share.

Contestants stand above controls, the best first. Values are written beside the dots, so that nobody has
to read them off an axis.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skald_report.figures.style import (
    INK,
    MUTED,
    RULE,
    UNKNOWN,
    WIDTH_INCHES,
    Drawing,
    Look,
    drawing,
    short,
    short_names,
    signed,
    text_inches,
    theme,
)

#: More contestants than these leave only the best and the baselines in a drawing.
MOST_MODELS = 15
MOST_BASELINES = 6
MOST_CONTROLS = 4
#: Measures, their title and which way is better.
SCALES = {
    "tasks": ("Tasks", "better →", "score above chance"),
    "text": ("Text", "← better", "bits per byte"),
}
#: A control further out than so many times the contestants' own width is an arrow at the edge.
_STRETCH = 1.5
_LEAST_SPAN = {"tasks": 0.04, "text": 0.04}
_ROW, _NAME_LIMIT = 0.2, 20


class Places(NamedTuple):
    """Which models a drawing shows, from top to bottom, and how many contestants it leaves out."""

    contestants: tuple[str, ...]
    controls: tuple[str, ...]
    n_left_out: int

    @property
    def drawn(self) -> tuple[str, ...]:
        """The models that set the axes: the contestants, or the controls where there is none."""
        return self.contestants or self.controls


def ranked(rows: pd.DataFrame, look: Mapping[str, Look]) -> list[str]:
    """Return the contestants of one scope, the best first: by tasks, those without by text.

    Args:
        rows: Rows of `overall` of one scope, a row a model and measure; without a score they do not
            rank.
        look: Whoever may be ranked; its roles say who is a control.
    """
    contestants = [name for name, own in look.items() if own.role != "control"]
    known = rows[rows["model"].isin(contestants) & rows["score"].notna()]
    tasks = known[known["measure"] == "tasks"].sort_values("score", ascending=False, kind="stable")
    text = known[known["measure"] == "text"].sort_values("score", kind="stable")
    return list(dict.fromkeys([*tasks["model"], *text["model"]]))


def leaders(overall: pd.DataFrame) -> list[str]:
    """Return all models by their mean over languages, the best on tasks first.

    Args:
        overall: The frame of that table.
    """
    mean = overall[overall["scope_kind"] == "mean"]
    return ranked(mean, dict.fromkeys(map(str, mean["model"]), UNKNOWN))


def places(rows: pd.DataFrame, look: Mapping[str, Look], most: int = MOST_MODELS) -> Places:
    """Choose the models of a drawing: the best, the first baselines, and a few controls.

    Args:
        rows: Rows of `overall` of one scope.
        look: Every model that may be drawn.
        most: How many of the best.
    """
    order = ranked(rows, look)
    baselines = [name for name in look if look[name].role == "baseline" and name in order]
    kept = {*order[:most], *baselines[:MOST_BASELINES]}
    present = set(rows["model"])
    controls = [n for n, own in look.items() if own.role == "control" and n in present]
    shown = tuple(name for name in order if name in kept)
    return Places(shown, tuple(controls[:MOST_CONTROLS]), len(order) - len(shown))


def limits(rows: pd.DataFrame, measure: str, shown: Places) -> tuple[float, float]:
    """Return an axis that holds every interval of the contestants, chance, and controls nearby.

    Args:
        rows: Rows of `overall`, of one scope or more; `shown.drawn` has one of the measure at
            least.
        measure: `tasks` (corrected for chance) or `text` (bits per byte), which sets the unit of
            the answer.
        shown: Controls far from all others do not stretch the axis.

    Returns:
        Its lowest and highest number, with a margin.
    """
    own = rows[(rows["measure"] == measure) & rows["model"].isin(shown.drawn)]
    ends = own[["score", "low", "high", "low_tasks", "high_tasks"]].to_numpy(dtype=np.float64)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    if measure == "tasks":
        low, high = min(low, 0.0), max(high, 0.0)
    reach = _STRETCH * max(high - low, _LEAST_SPAN[measure])
    controls = rows[(rows["measure"] == measure) & rows["model"].isin(shown.controls)]
    for score in controls["score"].dropna():
        if high - reach <= score <= low + reach:
            low, high = min(low, score), max(high, score)
    middle, half = (low + high) / 2, max(high - low, _LEAST_SPAN[measure]) / 2
    return middle - 1.1 * half, middle + 1.1 * half


def interval_rows(
    rows: pd.DataFrame,
    shown: Places,
    look: Mapping[str, Look],
    spans: Mapping[str, tuple[float, float]],
    title: str,
    name: str,
    alt: str,
) -> Drawing:
    """Draw one scope: a row a model, a panel a measure.

    Args:
        rows: Rows of `overall` of one scope.
        shown: Which models, from top to bottom.
        look: Their colours and shapes.
        spans: The axis of every measure that is drawn.
        title: What stands above, or nothing.
        name: File name.
        alt: What the figure tells, in words.
    """
    labels = short_names([*shown.contestants, *shown.controls], _NAME_LIMIT)
    gap = 0.6 if shown.controls else 0.0
    at = {model: float(n) for n, model in enumerate(shown.contestants)}
    at |= {model: len(at) + gap + n for n, model in enumerate(shown.controls)}
    n_rows = len(at) + gap
    thin = rows["low_tasks"].notna().any()
    notes = []
    if thin:
        notes.append("band: other items of these tasks; line: other tasks, too")
    if shown.n_left_out:
        notes.append(f"{shown.n_left_out} more contestants are in the table alone")
    head, foot = 0.4 + 0.24 * bool(title), 0.38 + 0.15 * len(notes)
    height = head + _ROW * n_rows + foot
    left = 0.08 + max(text_inches(label, 8) for label in labels.values())
    # The same in every drawing, so that panels set side by side are equally wide.
    value = 0.06 + text_inches("−0.000", 7.5)
    between = 0.12
    width = (WIDTH_INCHES - left - len(spans) * value - (len(spans) - 1) * between) / len(spans)
    with theme():
        figure = Figure(figsize=(WIDTH_INCHES, height))
        for number, (measure, span) in enumerate(spans.items()):
            x = left + number * (width + value + between)
            axes = figure.add_axes((
                x / WIDTH_INCHES, foot / height, width / WIDTH_INCHES, _ROW * n_rows / height
            ))  # fmt: skip
            _frame(axes, measure, span, n_rows, at)
            own = rows[(rows["measure"] == measure) & rows["model"].isin(at)]
            _intervals(axes, own, look, at, span)
            for model, score in zip(own["model"], own["score"], strict=True):
                axes.text(
                    1 + value / width, at[model], signed(score, ".3f"), size=7.5,
                    transform=axes.get_yaxis_transform(), ha="right", va="center",
                    color=INK if model in shown.contestants else MUTED,
                )  # fmt: skip
            for model in set(at) - set(own["model"]):
                axes.text(1 + value / width, at[model], "–", size=7.5, color=MUTED, ha="right",
                          va="center", transform=axes.get_yaxis_transform())  # fmt: skip
            if shown.controls:
                axes.axhline(len(shown.contestants) - 0.5 + gap / 2, color=MUTED, lw=0.7)
            words, way, _ = SCALES[measure]
            top = 1 + 0.07 / (_ROW * n_rows)
            axes.text(0, top + 0.15 / (_ROW * n_rows), words, transform=axes.transAxes,
                      weight="bold", size=8.5)  # fmt: skip
            axes.text(0, top, way, transform=axes.transAxes, size=7.5, color=MUTED)
            if number == 0:
                for model, label in labels.items():
                    axes.text(
                        -0.06 / width, at[model], label, size=8, ha="right", va="center",
                        transform=axes.get_yaxis_transform(),
                        color=INK if model in shown.contestants else MUTED,
                    )  # fmt: skip
        _words(figure, title, notes, height)
        return drawing(figure, name, alt, "overall")


def _words(figure: Figure, title: str, notes: Sequence[str], height: float) -> None:
    if title:
        figure.text(0.0, 1 - 0.03 / height, title, size=9.5, weight="bold", va="top")
    for number, note in enumerate(reversed(notes)):
        figure.text(0.0, (0.04 + 0.15 * number) / height, note, size=7.5, color=MUTED)


def _frame(axes: Axes, measure: str, span: tuple[float, float], n_rows: float,
           at: Mapping[str, float]) -> None:  # fmt: skip
    axes.set(xlim=span, ylim=(n_rows - 0.5, -0.5))
    axes.set_xlabel(SCALES[measure][2], size=7.5, labelpad=2)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: signed(round(v, 6), "g")))
    axes.tick_params(axis="x", labelsize=7.5, length=0, pad=2)
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)
    # One line with holes, because a hundred of them would be half of the file.
    ends, ys = [*span, math.nan] * len(at), np.repeat(list(at.values()), 3)
    axes.plot(ends, ys, color=RULE, lw=0.5, zorder=0, clip_on=False)
    if measure == "tasks" and span[0] <= 0 <= span[1]:
        axes.axvline(0, color=MUTED, ls=(0, (2, 2)), lw=1, zorder=1)


def _intervals(axes: Axes, rows: pd.DataFrame, look: Mapping[str, Look],
               at: Mapping[str, float], span: tuple[float, float]) -> None:  # fmt: skip
    models = list(rows["model"])
    y = np.array([at[model] for model in models])
    colours = [look[model].colour for model in models]
    for low, high, line in (("low_tasks", "high_tasks", 1.0), ("low", "high", 6.0)):
        ends = rows[[low, high]].to_numpy(dtype=np.float64)
        known = np.isfinite(ends).all(axis=1) & (ends[:, 0] < span[1]) & (ends[:, 1] > span[0])
        ends = np.clip(ends, *span)
        segments = [((a, v), (b, v)) for (a, b), v in zip(ends[known], y[known], strict=True)]
        shades = [c for c, k in zip(colours, known, strict=True) if k]
        axes.add_collection(LineCollection(segments, colors=shades, linewidths=line, zorder=2,
                                           alpha=0.4 if line > 1 else 1.0, clip_on=False))  # fmt: skip
    score = rows["score"].to_numpy(dtype=np.float64)
    inside = (score >= span[0]) & (score <= span[1])
    for shape in dict.fromkeys(look[model].shape for model in models):
        own = np.array([look[model].shape == shape for model in models]) & inside
        axes.scatter(score[own], y[own], color=[c for c, k in zip(colours, own, strict=True) if k],
                     marker=shape, s=14, linewidth=0, zorder=3, clip_on=False)  # fmt: skip
    for value, place, colour in zip(score, y, colours, strict=True):
        if math.isfinite(value) and not span[0] <= value <= span[1]:
            end, way = (span[1], -1) if value > span[1] else (span[0], 1)
            reach = 0.16 * (span[1] - span[0]) * way
            axes.annotate("", (end, place), (end + reach, place), zorder=3,
                          arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.2,
                                      "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def described(rows: pd.DataFrame, shown: Places) -> str:
    """Say in words what one scope shows: the best, the worst and the controls on each measure.

    Args:
        rows: Rows of `overall` of one scope.
        shown: Whom the drawing shows; what it leaves out is counted.
    """
    parts = []
    for measure, kind in (("tasks", "tasks, corrected for chance"), ("text", "bits per byte")):
        own = rows[(rows["measure"] == measure) & rows["score"].notna()]
        told = {str(row["model"]): _told(row) for row in own.to_dict("records")}
        mine = own[own["model"].isin(shown.contestants)]
        mine = mine.sort_values("score", ascending=measure == "text", kind="stable")
        names = [str(name) for name in mine["model"]]
        if not names:
            continue
        said = [f"best {told[names[0]]}"]
        said += [f"last {told[names[-1]]}"] if len(names) > 1 else []
        said += [f"control {told[name]}" for name in shown.controls if name in told]
        parts.append(f"{kind[:1].upper() + kind[1:]}: " + ", ".join(said))
    more = f" {shown.n_left_out} more contestants are left out." if shown.n_left_out else ""
    return ". ".join(parts) + f".{more}"


def _told(row: Mapping[Hashable, Any]) -> str:
    low, score, high = (signed(row[column], ".3f") for column in ("low", "score", "high"))
    return f"{short(str(row['model']))} {score} ({low} to {high})"
