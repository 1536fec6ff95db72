"""The law's file: the fitted optimum of the base learning rate over horizons, and its points.

Knows the format; the planner fits and predicts, the report draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from skald_specs.files import write_json
from skald_specs.models import Spec
from skald_specs.plan import Standing


class LawPoint(Spec):
    """One run of the sweep. `in_fit` says whether the fit used it; a diverged loss may be None."""

    horizon_tokens: int
    lr: float
    seed: int
    loss: float | None
    diverged: bool
    in_fit: bool


class Optimum(Spec):
    """The optimum at one swept horizon, from that horizon's points and the shared curvature.

    `curvature` is the rise of log loss at one octave from the optimum; `interval` is in log2 lr;
    `loss` is the fitted loss at the optimum, the geometric mean over seeds.
    """

    horizon_tokens: int
    log2_lr: float
    interval: tuple[float, float]
    loss: float
    curvature: float


class HorizonExponent(Spec):
    """The g of `lr_opt ~ horizon_tokens^g`, as used and as measured.

    `value` and `interval` are after weighing with the prior; `measured` is the sweep's own answer,
    None when it has one horizon (then `value` is 0, assumed, and the prior is as wide as the
    published exponents lie from 0). `prior_share` is the prior's weight in `value`.
    """

    value: float
    interval: tuple[float, float]
    standing: Standing
    measured: float | None
    measured_interval: tuple[float, float] | None
    prior_mean: float
    prior_sd: float
    prior_share: float


class Law(Spec):
    """`law.json`: log2 lr_opt = log2_lr_at_centre + g (log2 horizon - log2_horizon_centre).

    `covariance` is that of (log2_lr_at_centre, g), row by row. Learning rates are expressed at the
    base shape and hold for the batch of the sweep and for recipes of its `family`, which is
    `recipe_family` as data.
    """

    schema_version: Literal[1]
    points: Annotated[tuple[LawPoint, ...], Field(min_length=1)]
    optima: Annotated[tuple[Optimum, ...], Field(min_length=1)]
    horizon_exponent: HorizonExponent
    log2_lr_at_centre: float
    log2_horizon_centre: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    degrees_of_freedom: int
    noise_sd: float
    width: int
    depth: int
    global_batch_tokens: int
    schedule: str
    family: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the law as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))
