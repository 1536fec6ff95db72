"""The one figure of the summary: every contestant on tasks and on text, as the mean over languages."""

from __future__ import annotations

from collections.abc import Mapping

from skald_report.figures.rows import SCALES, described, interval_rows, limits, places
from skald_report.figures.style import Drawing, Look
from skald_report.tables.order import titled
from skald_report.tables.table import Table


def overview(overall: Table, look: Mapping[str, Look]) -> Drawing:
    """Draw the mean over languages: tasks corrected for chance, and bits per byte.

    Args:
        overall: Means with intervals; see the table of that name.
        look: Colour, shape and role of every model that may be drawn.
    """
    rows = overall.frame[overall.frame["scope_kind"] == "mean"]
    if rows.empty:
        # One language is its own mean.
        rows = overall.frame[overall.frame["scope_kind"] == "language"]
    shown = places(rows, look)
    spans = {
        measure: limits(rows, measure, shown)
        for measure in SCALES
        if ((rows["measure"] == measure) & rows["model"].isin(shown.drawn)).any()
    }
    n = int(rows["n_languages"].max())
    over = f"Mean over {n} languages" if n > 1 else titled(str(rows["scope"].iloc[0]))
    alt = f"{over}, with 95 % intervals. {described(rows, shown)}"
    return interval_rows(rows, shown, look, spans, "", "overview", alt)
