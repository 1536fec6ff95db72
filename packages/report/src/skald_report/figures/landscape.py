"""The published landscape."""

from __future__ import annotations

import numpy as np

from skald_report.figures.style import (
    ACCENT,
    MUTED,
    PAPER,
    Drawing,
    drawing,
    subplots,
    theme,
)
from skald_report.landscape.scores import columns_of, sorted_models
from skald_report.tables.table import Table


def landscape_panel(table: Table, language: str, title: str, newest: str) -> Drawing:
    """Draw a language's published scores: a row a model, a column a task.

    Open dots come from a snapshot older than `newest`.
    """
    rows = table.frame[table.frame["page_language"] == language]
    columns, models = columns_of(rows), sorted_models(rows)
    named = rows.drop_duplicates("model").set_index("model")
    place = {model: number for number, model in enumerate(models)}
    with theme():
        figure, grid = subplots(0.95 + 0.185 * len(models), [1.0], n_columns=len(columns),
                                 share_y=True)  # fmt: skip
        for axes, column in zip(np.ravel(grid), columns, strict=True):
            own = rows[rows["column"] == column]
            for model in models:
                if named["highlight"][model]:
                    axes.axhspan(place[model] - 0.5, place[model] + 0.5, color=ACCENT, alpha=0.12,
                                 lw=0)  # fmt: skip
            for (ours, current), dots in own.groupby(
                [own["highlight"], own["source_date"] == newest]
            ):
                colour, at = ACCENT if ours else MUTED, dots["model"].map(place)
                axes.hlines(at, dots["low"], dots["high"], color=colour, lw=1.3)
                axes.scatter(dots["score"], at, s=16, zorder=3, linewidth=1.0, edgecolor=colour,
                             color=colour if current else PAPER)  # fmt: skip
            axes.axvline(0, color=MUTED, lw=0.8, zorder=1)
            axes.set(xlim=(-8, 104), ylim=(len(models) - 0.5, -0.5))
            # Two short lines, because a narrow column has no room for one long one.
            axes.set_title("\n".join(column.split(" ", 1)), size=8, weight="normal")
            axes.set_xticks([0, 50, 100], labels=["0", "50", ""])
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        figure.suptitle(title, x=0.01, ha="left", size=10, weight="bold")
        first = np.ravel(grid)[0]
        first.set_yticks(range(len(models)), labels=[named["label"][m] for m in models])
        for label, model in zip(first.get_yticklabels(), models, strict=True):
            if named["highlight"][model]:
                label.set(color=ACCENT, weight="bold")
        alt = (
            f"Published scores in {title}: {len(models)} models on {', '.join(columns)}; "
            f"best on {columns[0]}: {named['label'][models[0]]}"
        )
        return drawing(figure, f"published-{language}", alt)
