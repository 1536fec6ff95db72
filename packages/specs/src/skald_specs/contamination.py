"""Contamination of an evaluation: which of its items the training text has, and the scores without.

`contamination.json` beside the records; what was found is the corpus' own `decontamination.json`.
"""

from __future__ import annotations

from typing import Literal

from skald_specs.decontamination import Count, Decontamination
from skald_specs.models import Spec
from skald_specs.shape import Positive

#: In the folder of one evaluated suite.
CONTAMINATION_FILE = "contamination.json"


class CleanScore(Spec):
    """A model's score on all items of a task, and on the clean ones; None where none is left.

    Bits per byte are over all bytes of the items, other scores are means.
    """

    model: str
    score: float
    clean: float | None


class TaskContamination(Spec):
    """One task. `overlapping` are the ids of the items that training text has.

    `searched` is False where nobody looked for these items, with the reason in `why_not`: they may be
    clean or not. Then nothing overlaps, as far as is known, and there are no scores.
    """

    task: str
    language: str
    n_items: Positive
    searched: bool
    why_not: str
    overlapping: tuple[str, ...]
    n_undecidable: Count
    scores: tuple[CleanScore, ...]


class Contamination(Spec):
    """All tasks of a suite; `rule` is how items were looked for, None where nothing was."""

    schema_version: Literal[1]
    suite: str
    rule: Decontamination | None
    tasks: tuple[TaskContamination, ...]
