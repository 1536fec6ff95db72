"""The run table: one tidy Parquet row per proxy run, and the loss curves beside it.

The trainer writes both, the planner reads the table.
"""

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


class FinishedRun(Spec):
    """One proxy run as a sweep keeps it: what an interrupted sweep need not repeat.

    `losses` holds the training loss of each step in nats per token, from step 1 on; for a run that
    diverged, those before the loss stopped being a number.
    """

    row: RunRow
    losses: tuple[float, ...]


class CurveRow(Spec):
    """One step of one proxy run.

    `fingerprint` is the run's in the run table, `step` counts from 1, `loss_nats` is the training
    loss of that step in nats per token, before its update.
    """

    fingerprint: str
    step: int
    loss_nats: float


CURVE_COLUMNS: tuple[str, ...] = tuple(CurveRow.model_fields)
