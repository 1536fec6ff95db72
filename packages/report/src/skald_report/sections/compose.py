"""Which sections the page has, and in which order: measured results first, figures of others apart.

A section whose input is missing says what it cannot say and why. HTML and Markdown are made from the
same blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from skald_specs import __version__

from skald_report.page.blocks import Block, Page, Section
from skald_report.page.formatting import join
from skald_report.sections.context import Context
from skald_report.sections.cost import cost_blocks
from skald_report.sections.data import data_blocks
from skald_report.sections.evidence import mup_evidence, transfer_evidence
from skald_report.sections.explore import explore
from skald_report.sections.glossary import glossary
from skald_report.sections.languages import language_blocks
from skald_report.sections.pairs import pair_blocks
from skald_report.sections.provenance import provenance_blocks
from skald_report.sections.published import published
from skald_report.sections.scores import score_blocks
from skald_report.sections.summary import summary
from skald_report.sections.training import training_blocks
from skald_report.sections.transfer import time_transfer
from skald_report.sections.trust import trust_blocks
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.file import REPORT_FILE
from skald_report.tables.table import MACRO


class _Entry(NamedTuple):
    anchor: str
    title: str
    blocks: Callable[[Context], Iterator[Block]]
    foreign: bool = False
    brief: bool = False


_SECTIONS = (
    _Entry("summary", "Which model is better", summary, brief=True),
    _Entry("languages", "By language", language_blocks, brief=True),
    _Entry("pairs", "By pair", pair_blocks, brief=True),
    _Entry("scores", "By score", lambda c: chain(explore(c), score_blocks(c)), brief=True),
    _Entry("training", "Training", training_blocks),
    _Entry("trust", "Trust", trust_blocks, brief=True),
    _Entry(
        "learning-rate",
        "Learning rate and batch",
        lambda c: time_transfer(c.sources, c.tables, c.look),
    ),
    _Entry(
        "mup",
        "Transfer in width and depth",
        lambda c: mup_evidence(c.inputs.evidence, c.tables.get("measures")),
    ),
    _Entry(
        "transfer",
        "Transfer in time",
        lambda c: transfer_evidence(c.inputs.evidence, c.tables.get("measures")),
    ),
    _Entry("data", "Training text", data_blocks),
    _Entry("cost", "Cost", cost_blocks),
    _Entry(
        "published",
        "Published scores",
        published,
        foreign=True,
    ),
    _Entry("provenance", "Provenance", lambda c: provenance_blocks(c.sources, c.tables, c.inputs)),
    _Entry("glossary", "Terms", lambda _: glossary()),
)


def compose(context: Context) -> Page:
    """Lay the page out."""
    subtitle = join(context.baselines) if context.baselines else "no baseline"
    sections = tuple(
        Section(entry.anchor, entry.title, tuple(entry.blocks(context)), entry.foreign, entry.brief)
        for entry in _SECTIONS
    )
    return Page(
        "Skald report",
        f"Germanic-language baselines: {subtitle}",
        sections,
        tuple(_facts(context)),
        ("README.md", REPORT_FILE),
    )


def _facts(context: Context) -> Iterator[tuple[str, str]]:
    """Yield what the page rests on, for its head."""
    if "models" in context.tables:
        roles = list(context.roles.values())
        n_controls = roles.count("control")
        yield "Models", f"{len(roles) - n_controls:,}"
        yield "Controls", f"{n_controls:,}"
    if "scores" in context.tables:
        frame = context.tables["scores"].frame
        single = frame[frame["language"] != MACRO]
        yield "Languages", f"{single['language'].nunique():,}"
        tasks = single.drop_duplicates(["suite", "task"])
        compared = int((~tasks["kind"].isin(AGAINST_CHANCE)).sum())
        apart = f" ({compared:,} compared)" if compared < len(tasks) else ""
        yield "Tasks", f"{len(tasks):,}{apart}"
        yield "Items", f"{single.groupby(['suite', 'task', 'language'])['n_items'].max().sum():,}"
    yield "Skald", __version__
