"""The run table: one tidy Parquet row per proxy run. The trainer writes it, the planner reads it."""

from __future__ import annotations

from skald_specs.models import Spec


class RunRow(Spec):
    """One finished proxy run.

    `loss` is validation bits per byte, the unweighted mean over languages; `loss_se` its standard
    error over validation windows; both are missing when the run diverged. `lr` is the base learning
    rate (expressed at the base shape). `family` is `recipe_family` of the sweep's recipe.
    """

    width: int
    depth: int
    n_params_total: int
    n_params_non_embedding: int
    horizon_tokens: int
    global_batch_tokens: int
    lr: float
    schedule: str
    seed: int
    loss: float | None
    loss_se: float | None
    diverged: bool
    fingerprint: str
    family: str


RUN_TABLE_COLUMNS: tuple[str, ...] = tuple(RunRow.model_fields)
