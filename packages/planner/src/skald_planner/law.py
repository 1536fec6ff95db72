"""The fitted law: optimal base learning rate as a function of the horizon, with its uncertainty.

Knows how to predict from what was fitted; how the fit was made stands in `fit`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from scipy.special import ndtri, stdtrit
from skald_specs.files import write_json
from skald_specs.models import Spec
from skald_specs.plan import Quantity, Standing

#: Probability that an interval is meant to cover.
COVERAGE = 0.95

#: Standard deviation, in octaves of learning rate for each octave of horizon outside the swept
#: range, of the law's own form (published laws bend at larger scale, arXiv 2606.29158). Assumed.
FORM_SD_PER_OCTAVE = 0.1


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
    base shape and hold for the batch and schedule of the sweep.
    """

    schema_version: Literal[1]
    points: tuple[LawPoint, ...]
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

    def save(self, path: Path) -> None:
        """Write the law as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))


def t_quantile(degrees_of_freedom: float) -> float:
    """Return the half-width, in standard deviations, of a two-sided interval at `COVERAGE`."""
    return float(stdtrit(degrees_of_freedom, 0.5 + COVERAGE / 2))


def normal_quantile() -> float:
    """Return the same half-width for a normal distribution: what assumed spreads are given in."""
    return float(ndtri(0.5 + COVERAGE / 2))


def octaves_outside(law: Law, horizon_tokens: int) -> float:
    """Return how many doublings a horizon lies outside the swept ones; 0 within them."""
    swept = [math.log2(optimum.horizon_tokens) for optimum in law.optima]
    asked = math.log2(horizon_tokens)
    return max(0.0, asked - max(swept), min(swept) - asked)


def predict(law: Law, horizon_tokens: int) -> Quantity[float]:
    """Predict the optimal base learning rate at a horizon.

    The interval joins the fit's covariance with a penalty that grows with the octaves outside the
    swept horizons, so a long extrapolation looks like one.

    Args:
        law: The fitted law.
        horizon_tokens: Training length in tokens.

    Returns:
        The base learning rate with its interval (95 %), the standing `fitted`, or `assumed` when
        the sweep had one horizon and another is asked for.

    Source: notes of `fit`; the penalty's form follows the leave-a-horizon-out idea, its size is
        `FORM_SD_PER_OCTAVE`.
    Standing: fitted within the swept horizons; the penalty is assumed.
    """
    distance = math.log2(horizon_tokens) - law.log2_horizon_centre
    exponent, outside = law.horizon_exponent, octaves_outside(law, horizon_tokens)
    (var_a, cov), (_, var_g) = law.covariance
    variance = var_a + 2 * distance * cov + distance**2 * var_g
    centre = law.log2_lr_at_centre + exponent.value * distance
    half = math.hypot(
        t_quantile(law.degrees_of_freedom) * math.sqrt(variance),
        normal_quantile() * FORM_SD_PER_OCTAVE * outside,
    )
    horizons = sorted({optimum.horizon_tokens for optimum in law.optima})
    source = f"sweep at {', '.join(map(str, horizons))} tokens"
    standing: Standing = "fitted"
    if len(horizons) > 1:
        source += (
            f"; horizon exponent {exponent.value:.2f} (prior {exponent.prior_mean:g} +- "
            f"{exponent.prior_sd:g} has {exponent.prior_share:.0%} of the weight)"
        )
    elif horizon_tokens != horizons[0]:
        standing = "assumed"
        source += "; the horizon step is assumed: one swept horizon shows no exponent"
    if outside > 0:
        source += f"; {outside:.2g} octaves outside the swept horizons"
    return Quantity[float](
        value=_rounded(2.0**centre),
        standing=standing,
        source=source,
        interval=(_rounded(2.0 ** (centre - half)), _rounded(2.0 ** (centre + half))),
    )


def _rounded(lr: float) -> float:
    """Round to four digits, far below the interval, so that a plan survives another BLAS."""
    return float(f"{lr:.4g}")
