"""What the models were trained and tested on, which decides how every score is to be read.

Knows the corpus, the roles of the models and where the items are from; refuses to say of a model of others what it
was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator

from skald_report.page.blocks import Paragraph
from skald_report.page.formatting import join, some
from skald_report.reading.inputs import Sources
from skald_report.tables.data import is_generated

#: What a task calls its source where the repository's generator wrote its items.
GENERATED_ITEMS = "generated"


def trained_on(sources: Sources) -> Paragraph:
    """Say on what text the baselines were trained, whether the items are synthetic too, and of whom neither is known."""
    if sources.corpus is None:
        return Paragraph(
            "No corpus manifest was given, so this page cannot say what the models were trained on.",
            "gap",
        )
    return Paragraph(" ".join(_said(sources)), "important")


def _said(sources: Sources) -> Iterator[str]:
    assert sources.corpus is not None
    synthetic = is_generated(sources.corpus)
    asked = {task.source == GENERATED_ITEMS for s in sources.summaries for task in s.tasks}
    if sources.summaries and not any(
        model.role == "baseline" for s in sources.summaries for model in s.models
    ):
        yield "No baseline was evaluated, so the corpus that was given says nothing of these models."
    elif synthetic:
        tested = "trained and tested" if asked == {True} else "trained"
        yield (
            f"The baselines were {tested} on synthetic text from a small generator. Their scores test the machinery: "
            "whether training learns and evaluation tells models apart. They say nothing about competence in Danish or "
            "in any other language."
        )
    else:
        yield (
            f"The baselines were trained on text from the folder {sources.corpus.recipe.source!r}. What the scores mean "
            "depends on that text and on the items, which this page does not judge."
        )
    if asked == {True} and not synthetic:
        yield "The items are synthetic, from a small generator."
    if True in asked and False in asked:
        suites = sorted({s.suite for s in sources.summaries for t in s.tasks if t.source != GENERATED_ITEMS})  # fmt: skip
        yield f"Items of {'suite' if len(suites) == 1 else 'suites'} {join(suites)} are not, or not all, synthetic."
    yield from _others(sources, asked)


def _others(sources: Sources, asked: set[bool]) -> Iterator[str]:
    names = dict.fromkeys(
        model.name for s in sources.summaries for model in s.models if model.role == "external"
    )
    if names:
        one = len(names) == 1
        either = (
            f"; synthetic items say nothing about {'its' if one else 'their'} competence either"
        )
        yield (
            f"{some(list(names), 'models of others')} {'was' if one else 'were'} trained elsewhere, on text that this "
            f"page does not know{either if asked == {True} else ''}."
        )
