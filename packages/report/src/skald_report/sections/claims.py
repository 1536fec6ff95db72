"""Claims in words, derived from the tables: no sentence here is true by being written.

`report.json` keeps them, and `skald evaluate --verify` derives them again from the records. So they may
follow from tables of evaluations alone: what a model cost is said beside them, not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from skald_report.sections.above import above_controls, task_by_task
from skald_report.sections.branches import language_sentences
from skald_report.sections.chance import chance_claims
from skald_report.sections.lacking import gaps, lacking
from skald_report.sections.verdict import verdicts
from skald_report.sections.wordings import wordings
from skald_report.tables.table import Table


class Said(NamedTuple):
    """What the measured scores allow to say, by the section that says it.

    Attributes:
        verdict: Which model is better.
        controls: How far the models are above the controls.
        cells: The same task by task and language by language.
        languages: Worst languages and branches.
        wordings: How far a score depends on its prompt.
        chance: What the controlled tasks came to.
        gaps: What some model lacks.
    """

    verdict: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    chance: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every claim, in the order of the page."""
        return tuple(sentence for part in self for sentence in part)


def claims(tables: Mapping[str, Table]) -> Said:
    """Return what the measured scores allow to say; nothing without scores.

    Args:
        tables: The report's tables, of which those of evaluations are read.
    """
    if "scores" not in tables:
        return Said()
    scores, frame = tables["scores"], tables["models"].frame
    baselines = list(frame.loc[frame["role"] == "baseline", "model"])
    return Said(
        verdict=tuple(verdicts(tables)),
        controls=tuple(above_controls(tables)),
        cells=tuple(task_by_task(tables)),
        languages=tuple(language_sentences(tables)),
        wordings=tuple(wordings(scores)),
        chance=tuple(chance_claims(scores, baselines)),
        gaps=(*gaps(tables["models"], scores), *lacking(tables)),
    )
