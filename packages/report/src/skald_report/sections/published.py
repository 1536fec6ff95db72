"""The section on published scores: its words, figures and tables, apart from measured ones."""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.figures import landscape as figures
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import leaders, page_languages
from skald_report.page.blocks import Block, Claims, Column, Explorer, Gallery, Paragraph
from skald_report.page.formatting import language_name
from skald_report.sections.context import Context
from skald_report.sections.measured_gaps import measured_blocks
from skald_report.sections.published_gaps import gap_blocks
from skald_report.tables.table import Table


def published(context: Context) -> Iterator[Block]:
    """Yield the section's blocks, or why it is empty."""
    table = context.tables.get("published")
    if table is None:
        yield Paragraph("No published scores were given, so this page cannot place the models "
                        "among those of others.", "gap")  # fmt: skip
        yield from measured_blocks(context)
        return
    yield Paragraph(
        "Measured by others on real text, with other tasks and another harness: the field in which a baseline of "
        "this kind competes, never mixed with the scores measured here.",
        "important",
    )
    yield from gap_blocks(context)
    yield from measured_blocks(context)
    frame = table.frame
    shown = frame[frame["shown"]]
    newest = max(shown["source_date"], default="")
    languages = page_languages(shown)
    panels = {tag: shown[shown["page_language"] == tag] for tag in languages}
    drawn = [tag for tag in languages if len(leaders(panels[tag]))]
    if drawn:
        yield Gallery(
            tuple(figures.landscape_panel(table, tag, language_name(tag), newest) for tag in drawn),
            "Published scores of European base models, 0 to 100, with approximate 95 % sampling intervals: in each "
            "language and task the best of each size class, and the highlighted family; all others stand in the "
            f"table below. Filled dots: snapshot of {newest}, open dots: older.",
        )
    else:
        yield Paragraph(
            "No published score is of a European base model on a kind of task that this page shows, so there is "
            "no figure. All scores stand in `tables/published.csv`.",
            "gap",
        )
    yield Claims(context.remarks.published, "How these figures are to be read")
    if shown["eu"].eq(True).any():
        yield _explorer(table)


def _explorer(table: Table) -> Explorer:
    """Return every shown score of a European model; rows keep their numbers."""
    frame = table.frame
    rows = frame[frame["shown"] & frame["eu"].eq(True)]
    rows = rows.assign(
        protocol=[
            f"{shots}-shot, {split}{', ' + version if version else ''}"
            for shots, split, version in zip(
                rows["shots"], rows["split"], rows["harness_version"], strict=True
            )
        ],
        at_chance=["at chance" if floor else "" for floor in rows["floor"]],
        from_where=[
            f"{source.removeprefix('https://github.com/')} ({date})"
            for source, date in zip(rows["source"], rows["source_date"], strict=True)
        ],
    )
    tags = {str(tag): language_name(str(tag)) for tag in rows["language"].unique()}
    return Explorer(
        "published-scores",
        "Every figure with its source and date",
        "Published score, below it score ± 1.96 sqrt(10) published standard errors. The protocol: examples in the "
        "prompt, split, and the harness' version where the source names it. The rows are those of the table "
        "`published`.",
        Table(table.name, table.keys, table.units, rows),
        (
            Column("label", "model"),
            Column("size_class", "size class"),
            Column("model_type", "type"),
            Column("language", "language", words=tags),
            Column("task_kind", "task", words=TASK_KINDS),
            Column("score", "score", 1, "low", "high"),
            Column("at_chance", "chance"),
            Column("protocol", "protocol"),
            Column("from_where", "source"),
        ),
        ("label", "size_class", "model_type", "language", "task_kind"),
    )
