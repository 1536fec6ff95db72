"""Published scores of other models: figures somebody else measured, each with source and date."""

from __future__ import annotations

from skald_specs.models import Spec


class PublishedScore(Spec):
    """One row of `evals/published/*.csv`; never shown in one table with measured scores.

    `stderr_of_mean` is the published half-width / 1.96: the precision of a mean over ten bootstrap
    replicates, not an item-sampling error.
    """

    model: str
    params_b: float | None
    language: str
    task: str
    shots: str
    metric: str
    score: float
    stderr_of_mean: float | None
    harness_version: str
    source: str
    source_date: str
    notes: str
