"""The run table: one tidy Parquet row per proxy run, and their loss curves beside it.

The trainer writes both, the planner reads them.
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
    """A finished proxy run as a sweep keeps it: its row, and its training loss at every step.

    `losses_nats` starts at step 1; a diverged run's ends before the first loss that is no number.
    """

    row: RunRow
    losses_nats: tuple[float, ...]


class CurvePoint(Spec):
    """One row of a sweep's `curves.parquet`: the training loss of one step of one run."""

    fingerprint: str
    step: int
    loss_nats: float


CURVE_COLUMNS: tuple[str, ...] = tuple(CurvePoint.model_fields)
