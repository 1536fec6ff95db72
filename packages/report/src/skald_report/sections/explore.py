"""Every score in one table to search, filter and sort."""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.page.blocks import Block, Column, Explorer, Paragraph
from skald_report.page.formatting import language_name
from skald_report.sections.context import Context
from skald_report.tables.table import MACRO, Table

#: Names of the columns that hold numbers of a task, with their heads, digits and ends of an interval.
_NUMBERS = (
    Column("score", "score", 3, "low", "high"),
    Column("corrected", "above chance", 3, "corrected_low", "corrected_high"),
    Column("chance", "chance", 2),
    Column("n_items", "items", 0),
)


def explore(context: Context) -> Iterator[Block]:
    """Offer the table of all scores."""
    if "scores" not in context.tables:
        yield Paragraph("No evaluation was given: there are no scores to search.", "gap")
        return
    scores = context.tables["scores"].frame
    sizes: dict[str, str] = {}
    if "models" in context.tables and "size_class" in context.tables["models"].frame:
        known = context.tables["models"].frame
        sizes = dict(zip(known["model"], known["size_class"], strict=True))
    frame = scores.assign(size=scores["model"].map(sizes).fillna(""))
    languages = {str(tag): language_name(str(tag)) for tag in frame["language"].unique()}
    languages[MACRO] = "mean over languages"
    texts = (
        Column("model", "model"),
        Column("language", "language", words=languages),
        Column("label", "task"),
        *([Column("size", "size class")] if any(sizes.values()) else []),
    )
    numbers = tuple(column for column in _NUMBERS if column.name in frame)
    yield Explorer(
        "explorer",
        "Every score measured here",
        "Score and 95 % interval; for bits per byte lower is better, for all others higher. A search "
        "finds rows that have all its words. The rows are those of the table `scores`.",
        Table("scores", context.tables["scores"].keys, {}, frame),
        (*texts, *numbers),
        tuple(column.name for column in texts),
    )
