"""How the means of two reports differ: a dot and its interval a model."""

from __future__ import annotations

import pandas as pd

from skald_report.figures.style import INK, MUTED, PAPER, Drawing, drawing, short, subplots, theme
from skald_report.tables.table import MACRO, Table

#: Models drawn; a figure of more would be taller than a screen.
_MAX_MODELS = 40
_XLABELS = {
    "tasks": "change of the chance-corrected mean",
    "text": "bits per byte fewer than before",
}


def change_panels(table: Table | None) -> tuple[Drawing, ...]:
    """Draw the change of every model's means, one figure a measure, better to the right.

    Args:
        table: Changes of `overall`; None where a report has no means.
    """
    if table is None:
        return ()
    rows = table.frame[(table.frame["scope"] == MACRO) & table.frame["low"].notna()]
    parts = {measure: rows[rows["measure"] == measure].head(_MAX_MODELS) for measure in _XLABELS}
    return tuple(_panel(measure, own) for measure, own in parts.items() if len(own))


def _panel(measure: str, own: pd.DataFrame) -> Drawing:
    sign = -1.0 if measure == "text" else 1.0
    at = range(len(own))
    clear = own["verdict"].isin(("better", "worse"))
    with theme():
        figure, axes = subplots(0.75 + 0.25 * len(own))
        axes.axvline(0, color=MUTED, lw=1, ls=(0, (2, 2)))
        axes.hlines(at, sign * own["low"], sign * own["high"], color=INK, lw=1.6)
        # Filled where it is more than noise.
        axes.scatter(
            sign * own["change"], at, s=34, zorder=3, edgecolor=INK, linewidth=1.2,
            c=[INK if told else PAPER for told in clear],
        )  # fmt: skip
        axes.set_yticks(at, labels=[short(name) for name in own["model"]])
        axes.set(xlabel=_XLABELS[measure], ylim=(len(own) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        moved = zip(own["model"], sign * own["change"], own["verdict"], strict=True)
        told = "; ".join(
            f"{short(model)} {change:+.3f} ({verdict})" for model, change, verdict in moved
        )
        return drawing(figure, f"changes-{measure}", f"{_XLABELS[measure]}, 95 % intervals: {told}")
