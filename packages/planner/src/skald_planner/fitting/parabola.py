"""Linear least squares with a prior on the noise, and the vertex of a parabola with its interval.

Knows numbers only; refuses to know what they measure.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Prior of the noise in log loss that differs between the learning rates of one seed: standard
#: deviation, and the degrees of freedom it counts for. Pairs of seeds of small models gave 0.003 of
#: the loss; assumed light, so that a handful of points cannot look exact by chance.
NOISE_PRIOR_SD, NOISE_PRIOR_DF = 0.003, 1


class LeastSquares(NamedTuple):
    """A linear fit: coefficients, their covariance, and the noise it was taken from."""

    coefficients: Floats
    covariance: Floats
    noise_sd: float
    degrees_of_freedom: int


def least_squares(design: Floats, y: Floats) -> LeastSquares:
    """Fit y by the columns of a design of full rank.

    Args:
        design: One row for each observation.
        y: Observations.

    Returns:
        The fit; its noise pools the residuals with the prior.

    Source: ordinary least squares with a scaled inverse chi-square prior on the variance.
    """
    inverse = np.asarray(np.linalg.inv(design.T @ design), dtype=np.float64)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    df = len(y) - design.shape[1] + NOISE_PRIOR_DF
    variance = (float(residuals @ residuals) + NOISE_PRIOR_DF * NOISE_PRIOR_SD**2) / df
    return LeastSquares(coefficients, variance * inverse, math.sqrt(variance), df)


def vertex_interval(
    curvature: float, slope: float, covariance: Floats, quantile: float
) -> tuple[float, float] | None:
    """Return the interval of the vertex of `curvature u^2 + slope u` by Fieller's theorem.

    The vertex is a ratio of two uncertain numbers, so its interval is the set of u at which the
    derivative cannot be told from zero; it is skewed where the curvature is uncertain.

    Args:
        curvature: Coefficient of u^2, positive.
        slope: Coefficient of u.
        covariance: 2 x 2, of (curvature, slope).
        quantile: Half-width in standard deviations.

    Returns:
        Lower and upper end, or None when the curvature itself cannot be told from zero.

    Source: Fieller (1954).
    """
    (v_cc, v_cs), (_, v_ss) = covariance
    a = 4 * (curvature**2 - quantile**2 * v_cc)
    b = 4 * (curvature * slope - quantile**2 * v_cs)
    c = slope**2 - quantile**2 * v_ss
    if a <= 0:
        return None
    root = math.sqrt(max(b**2 - 4 * a * c, 0.0))
    return (-b - root) / (2 * a), (-b + root) / (2 * a)
