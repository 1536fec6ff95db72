"""Scores by language: a dot and its interval a model."""

from __future__ import annotations

from collections.abc import Mapping

import seaborn as sns
from matplotlib.ticker import FuncFormatter, LogLocator

from skald_report.figures.style import (
    MAX_TICKS,
    MUTED,
    PAPER,
    RULE,
    Drawing,
    Look,
    drawing,
    file_name,
    short,
    subplots,
    theme,
)
from skald_report.tables.table import MACRO, Table

#: Scores that span more than this factor are drawn on a log scale (an untrained model beside a
#: trained one, in bits per byte).
_LOG_ABOVE = 3.0


def score_panel(table: Table, suite: str, task: str, look: Mapping[str, Look]) -> Drawing:
    """Draw one task: a row a language, a dot and its interval a model."""
    rows = table.frame[(table.frame["suite"] == suite) & (table.frame["task"] == task)]
    kind, label = rows["kind"].iloc[0], rows["label"].iloc[0]
    present = [model for model in look if model in set(rows["model"])]
    tags = list(dict.fromkeys(rows["language"]))
    tags = [tag for tag in tags if tag != MACRO] + [tag for tag in tags if tag == MACRO]
    label = f"{label}, lower is better" if kind == "text" else f"accuracy on {label}"
    step = 0.8 / max(1, len(present))
    height = 0.95 + len(tags) * max(0.3, 0.125 * len(present) + 0.05) + 0.17 * len(present) / 2
    with theme():
        figure, axes = subplots(height)
        for number in range(1, len(tags), 2):
            axes.axhspan(number - 0.5, number + 0.5, color=RULE, alpha=0.35, lw=0)
        for number, model in enumerate(present):
            own = rows[rows["model"] == model]
            at = [tags.index(t) + (number - (len(present) - 1) / 2) * step for t in own["language"]]
            axes.hlines(at, own["low"], own["high"], color=look[model].colour, lw=1.6)
            sns.scatterplot(
                x=own["score"], y=at, color=look[model].colour, marker=look[model].shape, s=44,
                edgecolor=PAPER, linewidth=0.5, label=short(model), legend=False, ax=axes, zorder=3,
            )  # fmt: skip
        chance = rows["chance"].dropna().unique()
        if len(chance) == 1:
            axes.axvline(chance[0], color=MUTED, ls=(0, (2, 2)), lw=1, zorder=1)
            axes.text(chance[0], -0.62, "chance", color=MUTED, ha="center", va="bottom", size=7.5)
        axes.set(xlabel=label, ylabel="", ylim=(len(tags) - 0.5, -0.5))
        if kind == "text" and rows["score"].max() > _LOG_ABOVE * rows["score"].min() > 0:
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_locator(LogLocator(base=2, numticks=MAX_TICKS))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axes.set_xlabel(f"{label}, log scale")
        axes.set_yticks(range(len(tags)), labels=tags)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower left", ncols=2, handletextpad=0.3, columnspacing=1.2)
        alt = f"{label[:1].upper() + label[1:]}, by language with 95 % intervals: " + "; ".join(
            f"{short(model)} " + ", ".join(
                f"{r.language} {r.score:.2f}" for r in rows[rows["model"] == model].itertuples()
            )
            for model in present
        )  # fmt: skip
        return drawing(figure, file_name(f"scores-{suite}-{task}"), alt)
