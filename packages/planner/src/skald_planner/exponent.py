"""The line of optima over horizons, and its slope weighed with what is published.

Knows the line in log2 learning rate and log2 horizon; refuses to hide how much of its slope is the
prior's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from skald_specs.law import HorizonExponent

from skald_planner.law import normal_quantile, t_quantile
from skald_planner.parabola import Floats, LeastSquares
from skald_planner.window import require_minimum

#: Prior of the horizon exponent at a fixed batch: mean and standard deviation. Published: -0.32
#: (arXiv 2409.19913), -0.28 with the batch at its optimum and -0.56 with the batch fixed (both
#: arXiv 2510.03871). Assumed; the sweep's own estimate outweighs it as that gets sharper.
EXPONENT_PRIOR = (-0.3, 0.2)


class Line(NamedTuple):
    """Optimum at the centre horizon and exponent, with their covariance (2 x 2)."""

    optimum: float
    exponent: float
    covariance: Floats


def measured_line(fit: LeastSquares) -> Line:
    """Read the line off a fit whose first columns are u^2, u and u s (s: log2 horizon, centred).

    Args:
        fit: The fit; `u s` may only be absent when there is one horizon (see `flat_line`).

    Returns:
        Vertex -p / 2h at s = 0 and its change -q / 2h for each octave of horizon.

    Raises:
        ClaimError: The curvature h is not positive.

    Source: delta method.
    """
    h, p, q = (float(value) for value in fit.coefficients[:3])
    require_minimum(h)
    gradient = np.array([[p / (2 * h**2), -1 / (2 * h), 0.0], [q / (2 * h**2), 0.0, -1 / (2 * h)]])
    covariance = gradient @ fit.covariance[:3, :3] @ gradient.T
    return Line(-p / (2 * h), -q / (2 * h), covariance)


def flat_line(fit: LeastSquares) -> Line:
    """Return the line of a single horizon: no slope, its interval as wide as published ones lie."""
    h, p = (float(value) for value in fit.coefficients[:2])
    gradient = np.array([p / (2 * h**2), -1 / (2 * h)])
    variance = float(gradient @ fit.covariance[:2, :2] @ gradient)
    spread = _scaled(math.hypot(*EXPONENT_PRIOR), fit.degrees_of_freedom)
    return Line(-p / (2 * h), 0.0, np.diag([variance, spread**2]))


def weigh(measured: Line, degrees_of_freedom: int) -> Line:
    """Join a measured line with `EXPONENT_PRIOR` by inverse variance.

    Args:
        measured: The sweep's own line.
        degrees_of_freedom: Of its fit.

    Source: conjugate Gaussian update of (optimum, exponent) with one observation of the exponent.
    Standing: the prior is assumed.
    """
    mean, sd = EXPONENT_PRIOR[0], _scaled(EXPONENT_PRIOR[1], degrees_of_freedom)
    gain = measured.covariance[:, 1] / (measured.covariance[1, 1] + sd**2)
    step = gain * (mean - measured.exponent)
    covariance = measured.covariance - np.outer(gain, measured.covariance[1, :])
    return Line(measured.optimum + float(step[0]), measured.exponent + float(step[1]), covariance)


def describe(measured: Line | None, used: Line, degrees_of_freedom: int) -> HorizonExponent:
    """State the exponent for the law's file: used, measured, and the prior's share.

    Args:
        measured: The sweep's own line, None with one horizon.
        used: The line the law predicts with.
        degrees_of_freedom: Of the fit.
    """

    def interval(line: Line) -> tuple[float, float]:
        half = t_quantile(degrees_of_freedom) * math.sqrt(line.covariance[1, 1])
        return line.exponent - half, line.exponent + half

    mean, sd = EXPONENT_PRIOR
    if measured is None:
        return HorizonExponent(
            value=used.exponent,
            interval=interval(used),
            standing="assumed",
            measured=None,
            measured_interval=None,
            prior_mean=0.0,
            prior_sd=math.hypot(mean, sd),
            prior_share=1.0,
        )
    variance = float(measured.covariance[1, 1])
    return HorizonExponent(
        value=used.exponent,
        interval=interval(used),
        standing="fitted",
        measured=measured.exponent,
        measured_interval=interval(measured),
        prior_mean=mean,
        prior_sd=sd,
        prior_share=variance / (variance + _scaled(sd, degrees_of_freedom) ** 2),
    )


def _scaled(sd: float, degrees_of_freedom: int) -> float:
    """Shrink an assumed normal spread so that the fit's Student quantile restores its interval.

    A standard deviation from few points says less than the same figure known beforehand; scaled
    so, the two are compared by their 95 % intervals.
    """
    return sd * normal_quantile() / t_quantile(degrees_of_freedom)
