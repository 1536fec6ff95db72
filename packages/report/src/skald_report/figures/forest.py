"""Forest plots: one language, every contestant with its interval, and the controls."""

from __future__ import annotations

from collections.abc import Mapping

from skald_report.figures.rows import SCALES, described, interval_rows, limits, places
from skald_report.figures.style import Drawing, Look, file_name
from skald_report.tables.order import titled
from skald_report.tables.table import Table


def forest(overall: Table, language: str, look: Mapping[str, Look]) -> Drawing:
    """Draw one language; all languages share the axes, so that drawings can be set side by side.

    Args:
        overall: Means with intervals; see the table of that name.
        language: A language's tag that has rows there.
        look: Colour, shape and role of every model that may be drawn.
    """
    frame = overall.frame
    each = frame[frame["scope_kind"] == "language"]
    rows = each[each["scope"] == language]
    shown = places(rows, look)
    spans = {}
    for measure in SCALES:
        measured = each[each["measure"] == measure]
        measured = measured[measured["model"].isin([*shown.drawn, *shown.controls])]
        known = measured.loc[measured["model"].isin(shown.drawn), "scope"]
        if (known == language).any():
            drawn = measured[measured["scope"].isin(known)]
            ends = [limits(own, measure, shown) for _, own in drawn.groupby("scope", sort=False)]
            spans[measure] = (min(low for low, _ in ends), max(high for _, high in ends))
    alt = f"{titled(language)}, 95 % intervals. {described(rows, shown)}"
    name = file_name(f"forest-{language}")
    return interval_rows(rows, shown, look, spans, titled(language), name, alt)
