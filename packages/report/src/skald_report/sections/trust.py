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
    yield Paragraph("Noise: is a difference larger than chance makes it?", "heading")
    yield from noise_blocks(tables.get("noise"))
    yield Paragraph("Controls: can a task be passed without what it asks for?", "heading")
    yield from control_blocks(sources, tables.get("controls"))
    if said.cells:
        yield Claims(said.cells)
    yield Paragraph("Contamination: did the models see the items?", "heading")
    yield from clean_subset(sources, tables)
    yield Paragraph(
        "Wordings and rechecks: does the same question give the same answer?", "heading"
    )
    yield Claims((*said.wordings, *context.remarks.rechecks))
    if said.gaps:
        yield Paragraph("What is missing", "heading")
        yield Paragraph(_gaps(said.gaps), "gap")


def _gaps(gaps: tuple[str, ...]) -> str:
    if len(gaps) <= _MAX_GAPS:
        return " ".join(gaps)
    return f"{' '.join(gaps[:_MAX_GAPS])} `report.json` names {len(gaps) - _MAX_GAPS:,} more."
