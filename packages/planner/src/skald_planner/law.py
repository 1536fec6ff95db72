"""What the fitted law says: the optimal base learning rate at a horizon, with its uncertainty.

Knows how to predict from what was fitted; how the fit was made stands in `fit`, the file's format
in `skald_specs.law`.
"""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit
from skald_specs.law import Law
from skald_specs.plan import Quantity, Standing

__all__ = ["Law", "normal_quantile", "octaves_outside", "predict", "t_quantile"]

#: Probability that an interval is meant to cover.
COVERAGE = 0.95

#: Standard deviation, in octaves of learning rate for each octave of horizon outside the swept
#: range, of the law's own form (published laws bend at larger scale, arXiv 2606.29158). Assumed.
FORM_SD_PER_OCTAVE = 0.1


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
