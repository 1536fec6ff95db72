"""Whether the numbers can be trusted: noise, leaks, wordings, rechecks, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.page.blocks import Block, Claims, Paragraph
from skald_report.sections.clean import clean_subset
from skald_report.sections.context import Context
from skald_report.sections.controls import control_blocks
from skald_report.sections.noise import noise_blocks

#: Gaps that are named one by one.
_MAX_GAPS = 12


def trust_blocks(context: Context) -> Iterator[Block]:
    """Show what speaks for and against the scores, and what the page cannot say."""
    sources, tables, said = context.sources, context.tables, context.said
    if "scores" not in tables:
        yield Paragraph("No evaluation was given, so there is nothing to check.", "gap")
        return
    yield from noise_blocks(tables.get("noise"))
    yield from control_blocks(sources, tables.get("controls"))
    if said.cells:
        yield Claims(said.cells)
    yield from clean_subset(sources, tables)
    yield Claims((*said.wordings, *context.remarks.rechecks))
    if said.gaps:
        yield Paragraph(_gaps(said.gaps), "gap")


def _gaps(gaps: tuple[str, ...]) -> str:
    if len(gaps) <= _MAX_GAPS:
        return " ".join(gaps)
    return f"{' '.join(gaps[:_MAX_GAPS])} `report.json` names {len(gaps) - _MAX_GAPS:,} more."
