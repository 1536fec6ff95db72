"""Scores by language: a dot and its interval a model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from skald_report.figures.style import (
    MUTED,
    RULE,
    Drawing,
    Look,
    colourful,
    drawing,
    file_name,
    model_legend,
    short_names,
    signed,
    subplots,
    theme,
)
from skald_report.tables.cells import LOWER_IS_BETTER
from skald_report.tables.order import by_branch
from skald_report.tables.table import MACRO, Table

#: A control further out than so many times the contestants' own width is an arrow at the edge.
_STRETCH = 1.5


def score_panel(table: Table, suite: str, task: str, look: Mapping[str, Look]) -> Drawing:
    """Draw one task: a row a language, a dot and its interval a model.

    Args:
        table: The table of scores.
        suite: The task's suite.
        task: A task of it.
        look: Every model that may be drawn; those with a colour of their own, and a few controls, are.
    """
    rows = table.frame[(table.frame["suite"] == suite) & (table.frame["task"] == task)]
    kind, label = str(rows["kind"].iloc[0]), str(rows["label"].iloc[0])
    answered = set(rows["model"])
    present = [model for model in colourful(look) if model in answered]
    left_out = sum(own.role != "control" for m, own in look.items() if m in answered) - sum(
        look[m].role != "control" for m in present
    )
    rows = rows[rows["model"].isin(present)]
    groups = by_branch(tag for tag in rows["language"] if tag != MACRO)
    tags = [tag for _, own in groups for tag in own]
    tags += [MACRO] if (rows["language"] == MACRO).any() else []
    lower = kind in LOWER_IS_BETTER
    with theme():
        figure, axes = subplots(1.05 + len(tags) * max(0.24, 0.095 * len(present) + 0.07)
                                + 0.17 * -(-len(present) // 2))  # fmt: skip
        for number in range(1, len(tags), 2):
            axes.axhspan(number - 0.5, number + 0.5, color=RULE, alpha=0.35, lw=0)
        span = _span(rows, look)
        axes.set(xlim=span, ylim=(len(tags) - 0.5, -0.5), ylabel="")
        for number, model in enumerate(present):
            own = rows[rows["model"] == model]
            shift = (number - (len(present) - 1) / 2) * 0.8 / max(1, len(present))
            _dots(axes, own, np.array([tags.index(t) + shift for t in own["language"]]),
                  look[model], span)  # fmt: skip
        chance = rows["chance"].dropna().unique()
        if len(chance) == 1:
            axes.axvline(chance[0], color=MUTED, ls=(0, (2, 2)), lw=1, zorder=1)
            axes.text(chance[0], -0.55, "chance", color=MUTED, ha="center", va="bottom", size=7.5)
        unit = "bits per byte, lower is better" if lower else "score"
        more = f"; {left_out} more models are in the table alone" if left_out else ""
        axes.set_xlabel(f"{unit}{more}")
        axes.set_yticks(range(len(tags)), labels=tags)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        model_legend(figure, present, look, label[:1].upper() + label[1:])
        names = short_names(present, 30)
        alt = f"{label[:1].upper() + label[1:]}, by language with 95 % intervals: " + "; ".join(
            f"{names[model]} " + ", ".join(
                f"{tag} {signed(score, '.2f')}"
                for tag, score in _told(rows[rows["model"] == model], tags)
            )
            for model in present
        )  # fmt: skip
        return drawing(figure, file_name(f"scores-{suite}-{task}"), f"{alt}.", table.name)


def _told(own: pd.DataFrame, tags: list[str]) -> list[tuple[str, float]]:
    at = dict(zip(own["language"], own["score"], strict=True))
    return [(tag, at[tag]) for tag in tags if tag in at]


def _span(rows: pd.DataFrame, look: Mapping[str, Look]) -> tuple[float, float]:
    """Return an axis that holds chance, all contestants, and the controls that are not far from them."""
    control = np.array([look[model].role == "control" for model in rows["model"]])
    main = rows[~control] if not control.all() else rows
    ends = main[["score", "low", "high", "chance"]].to_numpy(dtype=np.float64)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    reach = _STRETCH * max(high - low, 0.02)
    near = rows[["score", "low", "high"]].to_numpy(dtype=np.float64)
    near = near[(near[:, 0] >= high - reach) & (near[:, 0] <= low + reach)]
    if near.size:
        low, high = min(low, float(np.nanmin(near))), max(high, float(np.nanmax(near)))
    pad = 0.04 * max(high - low, 0.02)
    return low - pad, high + pad


def _dots(axes: Axes, own: pd.DataFrame, at: np.ndarray, way: Look,
          span: tuple[float, float]) -> None:  # fmt: skip
    score = own["score"].to_numpy(dtype=np.float64)
    inside = (score >= span[0]) & (score <= span[1])
    ends = own[["low", "high"]].to_numpy(dtype=np.float64)
    axes.add_collection(LineCollection(
        [((a, y), (b, y)) for (a, b), y in zip(ends[inside], at[inside], strict=True)],
        colors=way.colour, linewidths=1.6,
    ))  # fmt: skip
    axes.scatter(score[inside], at[inside], color=way.colour, marker=way.shape, s=24, linewidth=0,
                 zorder=3)  # fmt: skip
    for value, y in zip(score[~inside], at[~inside], strict=True):
        end, turn = (span[1], -1) if value > span[1] else (span[0], 1)
        reach = 0.06 * (span[1] - span[0]) * turn
        axes.annotate("", (end, y), (end + reach, y), zorder=3,
                      arrowprops={"arrowstyle": "->", "color": way.colour, "lw": 1.1,
                                  "shrinkA": 0, "shrinkB": 0})  # fmt: skip
