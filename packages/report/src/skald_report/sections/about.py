"""What the page is about, and what follows from it in words."""

from __future__ import annotations

from collections.abc import Iterator

from skald_specs.plan import COVERED

from skald_report.page.blocks import Block, Claims, Paragraph
from skald_report.page.formatting import (
    join,
    language_name,
)
from skald_report.reading.inputs import Sources
from skald_report.sections.context import Context
from skald_report.tables.data import is_generated


def about(context: Context) -> Iterator[Block]:
    """Say what was trained and evaluated, on what text, and what follows from it."""
    sources, said = context.sources, context.said
    named = context.baselines
    languages = join(language_name(tag) for tag in _languages(sources))
    swept = "how the learning rate was chosen on small proxies and carried over, "
    yield Paragraph(
        f"This page reports on {len(named)} baseline language model{'s' * (len(named) != 1)} "
        f"({join(named) or 'none'}) in {languages or 'no language'}: "
        f"{swept if sources.fit is not None else ''}how training went, and how the models score "
        "beside controls that never learned or only count. Intervals of scores and differences cover "
        f"95 %, those of fits and plans {COVERED}."
    )
    if sources.corpus is None:
        yield Paragraph("No corpus manifest was given, so this page cannot say what the models "
                        "were trained on.", "gap")  # fmt: skip
    elif is_generated(sources.corpus):
        yield Paragraph(
            "The models were trained and tested on synthetic text from a small generator. These "
            "scores test the machinery: whether training learns and evaluation tells models apart. "
            "They say nothing about competence in Danish or in any other language.",
            "important",
        )
    else:
        yield Paragraph(
            f"The models were trained on text from the folder {sources.corpus.recipe.source!r}. "
            "What the scores mean depends on that text and on the items, which this page does not "
            "judge.",
            "important",
        )
    if said:
        yield Claims(tuple(said))
    else:
        yield Paragraph("No evaluation was given, so this page makes no claim.", "gap")


def _languages(sources: Sources) -> list[str]:
    if sources.corpus:
        return list(sources.corpus.recipe.languages)
    return sorted({task.language for s in sources.summaries for task in s.tasks})
