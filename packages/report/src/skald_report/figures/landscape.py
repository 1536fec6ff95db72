"""The published landscape: scores of the field, and how far one model is from the best of its class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from skald_report.figures.style import (
    ACCENT,
    MUTED,
    PAPER,
    RULE,
    Drawing,
    drawing,
    file_name,
    short,
    subplots,
    theme,
)
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import columns_of, leaders, sorted_models
from skald_report.tables.table import MACRO, Table

_MOST_LETTERS = 22


def landscape_panel(table: Table, language: str, title: str, newest: str) -> Drawing:
    """Draw the leaders of a language: a row a model, a column a task.

    Open dots come from a snapshot older than `newest`.

    Args:
        table: `published`; rows that are not `shown` are left out.
        language: Tag of a language with at least one leader.
        title: What stands above, as the language's name.
        newest: Date of the newest snapshot on the page, as `source_date` writes it.
    """
    frame = table.frame
    rows = leaders(frame[(frame["page_language"] == language) & frame["shown"]])
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
        first.set_yticks(
            range(len(models)), labels=[short(named["label"][m], _MOST_LETTERS) for m in models]
        )
        for label, model in zip(first.get_yticklabels(), models, strict=True):
            if named["highlight"][model]:
                label.set(color=ACCENT, weight="bold")
        alt = (
            f"Published scores in {title}: {len(models)} base models on {', '.join(columns)}; "
            f"best on {columns[0]}: {named['label'][models[0]]}"
        )
        return drawing(figure, f"published-{file_name(language)}", alt)


def gap_panel(gaps: pd.DataFrame, names: dict[str, str], title: str) -> Drawing:
    """Draw a model's distance to the best of its class: a row a language, a column a task kind.

    Filled: beyond noise. A cross stands where the model's own score is at the protocol's floor.

    Args:
        gaps: Rows of `published_gaps` of one model.
        names: Names of languages by tag, in the order of the rows.
        title: Of the figure.
    """
    kinds = [kind for kind in TASK_KINDS if kind in set(gaps["task_kind"])]
    place = {tag: number for number, tag in enumerate(names)}
    reach = float(np.nanmax(np.abs([gaps["low"], gaps["high"]]))) * 1.04
    low = min(float(gaps["low"].min()) * 1.04, -0.1 * reach)
    with theme():
        figure, grid = subplots(1.05 + 0.22 * len(names), [1.0], n_columns=len(kinds), share_y=True)
        for axes, kind in zip(np.ravel(grid), kinds, strict=True):
            own = gaps[gaps["task_kind"] == kind]
            if MACRO in place:
                axes.axhspan(place[MACRO] - 0.5, place[MACRO] + 0.5, color=RULE, alpha=0.6, lw=0)
            for row in own.to_dict("records"):
                at, beyond = place[row["language"]], row["verdict"] != "tie"
                colour = ACCENT if beyond else MUTED
                axes.hlines(at, row["low"], row["high"], color=colour, lw=1.3)
                axes.scatter(row["gap"], at, s=22, zorder=3, linewidth=1.2, edgecolor=colour,
                             color=colour if beyond else PAPER)  # fmt: skip
                if row["floor"]:
                    axes.scatter(row["gap"], at, s=10, zorder=4, marker="x", linewidth=1.1,
                                 color=PAPER if beyond else colour)  # fmt: skip
            axes.axvline(0, color=MUTED, lw=0.8, zorder=1)
            axes.set(xlim=(low, reach), ylim=(len(names) - 0.5, -0.5))
            axes.set_title("\n".join(TASK_KINDS[kind].split(" ", 1)), size=8, weight="normal")
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
        first = np.ravel(grid)[0]
        first.set_yticks(
            range(len(names)), labels=[short(n, _MOST_LETTERS) for n in names.values()]
        )
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        figure.supxlabel("points behind (right) or ahead (left)", size=8)
        beyond = gaps[gaps["verdict"] == "behind"]
        alt = (
            f"{title}: {len(gaps)} gaps by language and task with 95 % intervals; behind beyond "
            f"noise in {len(beyond)}"
        )
        return drawing(figure, "published-gaps", alt)
