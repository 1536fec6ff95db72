"""`fit.json`: what a table of runs says of the best learning rate and batch over horizons.

Knows the format; the planner fits and predicts, the report draws. Learning rates are expressed at the
base shape and stand as log2; intervals cover 90 % (`skald_specs.plan.COVERAGE`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from skald_specs.files import write_json
from skald_specs.kinds import Kind
from skald_specs.models import Spec

Interval = tuple[float, float]
#: More than any run has read, or any model has parameters.
Tokens = Annotated[int, Field(gt=0, le=10**30)]
Size = Annotated[int, Field(gt=0, le=10**30)]
Exponent = Annotated[float, Field(ge=-5, le=5)]
Scale = Annotated[float, Field(ge=-1e100, le=1e100)]
#: A power of two that any learning rate, batch, size or horizon has.
MOST_OCTAVES = 200
Octaves = Annotated[float, Field(ge=-MOST_OCTAVES, le=MOST_OCTAVES)]
Rate = Annotated[float, Field(ge=2.0**-MOST_OCTAVES, le=2.0**MOST_OCTAVES)]
FamilyKind = Literal["power", "surge", "saturating"]


class Estimate(Spec):
    """A fitted number with its interval."""

    value: float
    interval: Interval


class TableFacts(Spec):
    """Which table was fitted, and what it spans; lists are ascending."""

    sha256: str
    source: str
    loss_unit: str
    n_runs: int
    n_diverged: int
    n_in_fit: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    n_params_non_embedding: Annotated[tuple[Size, ...], Field(min_length=1)]
    horizons_tokens: Annotated[tuple[Tokens, ...], Field(min_length=1)]
    global_batches_tokens: Annotated[tuple[Tokens, ...], Field(min_length=1)]
    lr_range: tuple[Rate, Rate]
    seeds: tuple[int, ...]
    schedule: str


class FittedRun(Spec):
    """One run of the table; a diverged loss is None. `in_fit`: the surface was fitted to it."""

    width: int
    depth: int
    n_params_non_embedding: int
    horizon_tokens: int
    global_batch_tokens: int
    lr: float
    seed: int
    loss: float | None
    diverged: bool
    in_fit: bool


class LocalOptimum(Spec):
    """The best learning rate of one size, horizon and batch, from its own runs alone.

    Either it is bracketed (`log2_lr`, `interval`, `loss` at the vertex), or a one-sided bound is known:
    `at_least` and `at_most` say on which side of `bound_log2_lr` it lies, and nothing is extrapolated.
    `rise_at_one_octave`: growth of log loss one octave away from the vertex.
    """

    width: int
    depth: int
    n_params_non_embedding: int
    horizon_tokens: int
    global_batch_tokens: int
    log2_lr: Octaves | None = None
    interval: tuple[Octaves, Octaves] | None = None
    loss: float | None = None
    rise_at_one_octave: float | None = None
    bound: Literal["at_least", "at_most", "unknown"] | None = None
    bound_log2_lr: Octaves | None = None


class Sensitivity(Spec):
    """How much log loss grows one octave of learning rate away from the best, at one horizon."""

    horizon_tokens: int
    rise_at_one_octave: float
    interval: Interval


class Centre(Spec):
    """What the coordinates are counted from: log2 of lr, batch, non-embedding parameters, horizon."""

    log2_lr: Octaves
    log2_batch: Octaves
    log2_size: Octaves
    log2_horizon: Octaves


class FamilyFit(Spec):
    """One form of the ridge eta*(T, B), and the surface around it.

    log loss = level + h u^2 (1 + skew u) with u = x - ridge, h = exp(curvature + curvature_horizon t), so that
    `curvature` is the natural logarithm of what notation calls curvature; along the
    ridge profile y^2 + (profile_batch + profile_horizon t + profile_size n) y. x, y, n, t are log2 of learning
    rate, batch, size and horizon counted from the centre. `names` lists the parameters in the order of
    `values` and of each bootstrap draw. `held_out_error`: root mean square error of log loss at horizons
    left out of the fit; `weight`: its share in predictions.
    """

    kind: FamilyKind
    names: tuple[str, ...]
    values: tuple[Octaves, ...]
    draws: Annotated[tuple[tuple[Octaves, ...], ...], Field(min_length=1)]
    held_out_error: float | None
    weight: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if {len(row) for row in (self.values, *self.draws)} != {len(self.names)}:
            raise ValueError("values and every draw have one number a name; fit the table again")
        if "curvature" not in self.names:
            raise ValueError("no curvature among the names; fit the table again")
        return self


class HeldOut(Spec):
    """A horizon left out: the optimum predicted for one of its batches, and the one measured there."""

    horizon_tokens: int
    global_batch_tokens: int
    n_params_non_embedding: int
    predicted_log2_lr: float
    predicted_interval: Interval
    measured_log2_lr: float
    measured_interval: Interval


class CriticalBatch(Spec):
    """A critical batch size in tokens at one horizon.

    `knee`: where the best learning rate stops growing as the square root of the batch. `overhead`: where
    reaching the same loss takes 20 % more steps' worth of tokens than small batches do.
    """

    definition: Literal["knee", "overhead"]
    horizon_tokens: int
    tokens: float
    interval: Interval | None = None


class LossLaw(Spec):
    """loss = irreducible + size_scale N^-size_exponent + horizon_scale T^-horizon_exponent.

    A term that the table cannot show (one size, one horizon) has scale 0 and exponent 0. `standing`:
    assumed where published exponents decide the shape, because fewer than three horizons (or, with one
    horizon, sizes) were run. `draws`: the five numbers in this order, once for each bootstrap draw.
    """

    irreducible: Scale
    size_scale: Scale
    size_exponent: Exponent
    horizon_scale: Scale
    horizon_exponent: Exponent
    draws: tuple[tuple[Scale, Scale, Exponent, Scale, Exponent], ...]
    rms_log_error: float
    standing: Literal["fitted", "assumed"] = "fitted"


class TimeFit(Spec):
    """`fit.json`. `spread_octaves`: how far optima of single cells lie off the surface, standard deviation.

    `size_terms`: the optimum was allowed to move with size, because the runs' rules do not hold it still
    or the test says so; `size_drift`: octaves of learning rate for each octave of size, measured, None with one
    size. `noise_sd`: of log loss about the surface. `extrapolation_sd_per_octave`: error, in octaves of
    learning rate, that leaving the last horizon out made for each octave between. `offered`: what the table
    could not show, one sentence each.
    """

    file_kind: ClassVar[Kind | None] = "fit"

    schema_version: Literal[1]
    table: TableFacts
    runs: Annotated[tuple[FittedRun, ...], Field(min_length=1)]
    centre: Centre
    families: Annotated[tuple[FamilyFit, ...], Field(min_length=1)]
    spread_octaves: float
    size_terms: bool
    size_drift: Estimate | None
    size_drift_p_value: float | None
    horizon_exponent: Estimate | None
    batch_exponent: Estimate | None
    best_batch_exponent: Estimate | None
    local: tuple[LocalOptimum, ...]
    sensitivities: tuple[Sensitivity, ...]
    sensitivity_exponent: Estimate | None
    held_out: tuple[HeldOut, ...]
    extrapolation_sd_per_octave: float | None
    critical: tuple[CriticalBatch, ...]
    critical_exponent: Estimate | None
    overhead_exponent: Estimate | None
    loss_law: LossLaw | None
    noise_sd: float
    offered: tuple[str, ...]
    family: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the fit as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))
