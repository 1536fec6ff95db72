"""How the means of two reports differ: a dot and its interval a model."""

from __future__ import annotations

import numpy as np

from skald_report.figures.style import INK, MUTED, RULE, Drawing, drawing, short, subplots, theme
from skald_report.tables.table import Table

#: Models drawn; a figure of more would be taller than a screen.
_MAX_MODELS = 40
_XLABELS = {
    "tasks": "change of the chance-corrected mean",
    "text": "bits per byte fewer than before",
}


def change_panel(table: Table | None) -> Drawing | None:
    """Draw the change of every model's means, better to the right; None where there is no mean.

    Args:
        table: Changes of `overall`.
    """
    if table is None:
        return None
    rows = table.frame[(table.frame["scope"] == "mean") & table.frame["low"].notna()]
    measures = [m for m in _XLABELS if (rows["measure"] == m).any()]
    if not measures:
        return None
    counts = [min(_MAX_MODELS, int((rows["measure"] == m).sum())) for m in measures]
    with theme():
        figure, axes = subplots(0.6 * len(counts) + 0.3 * sum(counts) + 0.4, counts)
        told = []
        for panel, measure in zip(np.ravel(axes), measures, strict=True):
            own = rows[rows["measure"] == measure].head(_MAX_MODELS)
            sign = -1.0 if measure == "text" else 1.0
            at = range(len(own))
            panel.axvline(0, color=MUTED, lw=1, ls=(0, (2, 2)))
            panel.hlines(at, sign * own["low"], sign * own["high"], color=INK, lw=1.6)
            clear = own["verdict"].isin(("better", "worse"))
            # Filled where it is more than noise.
            panel.scatter(
                sign * own["change"], at, s=34, zorder=3, edgecolor=INK, linewidth=1.2,
                c=[INK if c else RULE for c in clear],
            )  # fmt: skip
            panel.set_yticks(at, labels=[short(name) for name in own["model"]])
            panel.set(xlabel=_XLABELS[measure], ylim=(len(own) - 0.5, -0.5))
            panel.grid(visible=False, axis="y")
            moved = zip(own["model"], sign * own["change"], own["verdict"], strict=True)
            told += [
                f"{short(model)} {change:+.3f} ({verdict})" for model, change, verdict in moved
            ]
        return drawing(
            figure, "changes", f"Change of the means with 95 % intervals: {'; '.join(told)}"
        )
