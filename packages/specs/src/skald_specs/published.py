"""Published scores of other models: figures somebody else measured, each with source and date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from skald_specs.models import Spec


class PublishedScore(Spec):
    """One row of `evals/published/*.csv`; never shown in one table with measured scores.

    `language` is a BCP-47 tag of the register. `eu`: made in Europe (Norway and Switzerland too), None
    where nothing that was read says so. `stderr_of_mean` is the published half-width / 1.96: the precision
    of a mean over ten bootstrap replicates, not an item-sampling error. Empty text: the source gives none.
    """

    model: str
    eu: bool | None
    params_b: float | None
    model_type: Literal["base", "instruction-tuned", "reasoning", ""]
    language: str
    task: str
    shots: str
    split: Literal["test", "val", ""]
    metric: str
    score: float
    stderr_of_mean: float | None
    harness_version: str
    source: str
    source_date: str
    notes: str


class PublishedCheckpoint(Spec):
    """A published model that is a checkpoint of a run with others, at so many training tokens."""

    model: str
    run: str
    tokens: float


class PublishedModels(Spec):
    """`models.yaml` beside published scores: what their tables do not say of a model.

    `labels`: the name on the page, where it is not the last part of the model's. `checkpoints`: of one
    run at two token counts or more, so that a gap can be priced in tokens.
    """

    labels: Mapping[str, str] = Field(default_factory=dict)
    checkpoints: tuple[PublishedCheckpoint, ...] = ()
