"""The main estimator: one robust fit of a surface to all runs, and refits of many tables at once.

Levels are removed by weighted means within them, the rest is Gauss-Newton on Huber's loss. Draws of a
bootstrap are solved side by side as arrays, so that a thousand cost little more than one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, least_squares

from skald_planner.fitting.cells import Floats, Points
from skald_planner.fitting.parabola import NOISE_PRIOR_DF, NOISE_PRIOR_SD
from skald_planner.fitting.surface import Surface

#: Huber's constant in standard deviations: 95 % efficiency under normal noise.
HUBER = 1.345
#: Draws solved together: their derivatives have to fit into the processor's cache.
CHUNK = 32
#: Steps of a refit: with four, draws end within 0.03 octaves of where they would settle (`nox -s bench -- plan`).
N_STEPS = 4
#: Rounds of Huber's weights; tolerances of the search from several starts and of each round.
N_REWEIGHTINGS, ROUGH, FINE = 4, 1e-4, 1e-8
#: Largest change of a parameter in one Gauss-Newton step, and the damping of its equations.
LONGEST_STEP, DAMPING = 1.0, 1e-6


class Solution(NamedTuple):
    """A fitted surface.

    Attributes:
        surface: Kind and names.
        values: The parameters.
        noise_sd: Of log loss about the surface, robust.
        covariance: Of the parameters, were run noise all there is.
        weights: Huber's weight of each run.
        degrees_of_freedom: Effective runs less levels less parameters.
    """

    surface: Surface
    values: Floats
    noise_sd: float
    covariance: Floats
    weights: Floats
    degrees_of_freedom: float


def solve(surface: Surface, points: Points) -> Solution:
    """Fit a surface.

    Args:
        surface: What to fit.
        points: The runs.

    Returns:
        The solution: of several starts that differ in the critical batch, the best.

    Source: Huber M-estimation by iterated weights; scipy's trust-region least squares inside.
    """
    _, precision = surface.priors()
    starts = _starts(surface, points)
    n_levels = int(points.level.max()) + 1
    df = max(1.0, float(points.weight.sum()) - n_levels - len(surface.names))
    # The starts are compared under squared error, the best alone is refined under Huber's.
    tried = [
        _settled(surface, points, start, points.weight, NOISE_PRIOR_SD, ROUGH) for start in starts
    ]
    values = min(tried, key=lambda found: found.cost).x
    weights, noise = points.weight, NOISE_PRIOR_SD
    for _ in range(N_REWEIGHTINGS):
        misfit = without_levels(
            points, weights[None], points.log_loss - surface.values(values[None], points)
        )[0]
        noise = _noise(misfit, points.weight, df)
        weights = points.weight * _huber(misfit, noise)
        values = _settled(surface, points, values, weights, noise, FINE).x
    slopes = without_levels(points, weights[None], surface.jacobian(values[None], points))[0]
    information = (slopes.T * weights) @ slopes / noise**2 + np.diag(precision)
    return Solution(surface, values, noise, np.linalg.pinv(information), weights, df)


def _settled(
    surface: Surface, points: Points, start: Floats, weights: Floats, noise: float, tolerance: float
) -> OptimizeResult:
    """Return the least squares of fixed weights, priors included, from a start."""
    mean, precision = surface.priors()
    pull = np.sqrt(precision) * noise
    root = np.sqrt(weights)

    def residuals(at: Floats) -> Floats:
        misfit = points.log_loss - surface.values(at[None], points)
        return np.concatenate(
            [root * without_levels(points, weights[None], misfit)[0], pull * (at - mean)]
        )

    def jacobian(at: Floats) -> Floats:
        slopes = without_levels(points, weights[None], surface.jacobian(at[None], points))[0]
        return np.concatenate([-root[:, None] * slopes, np.diag(pull)])

    return least_squares(
        residuals,
        start,
        jac=jacobian,
        x_scale="jac",
        ftol=tolerance,
        xtol=tolerance,
        gtol=tolerance,
    )


def _huber(misfit: Floats, noise: float) -> Floats:
    return np.minimum(1.0, HUBER * noise / np.maximum(np.abs(misfit), 1e-300))


def _noise(misfit: Floats, weight: Floats, degrees_of_freedom: float) -> float:
    """Return a robust standard deviation of misfits, joined with the assumed one."""
    # The median of absolute misfits would collapse on designs with three runs a level.
    scale = float(np.sqrt((weight * misfit**2).sum() / degrees_of_freedom))
    clipped = np.clip(misfit, -2.5 * scale, 2.5 * scale)
    total = float((weight * clipped**2).sum()) + NOISE_PRIOR_DF * NOISE_PRIOR_SD**2
    return float(np.sqrt(total / (degrees_of_freedom + NOISE_PRIOR_DF)))


def refit(solution: Solution, points: Points, moved: Floats, pulled: Floats) -> Floats:
    """Fit the same surface to many tables that differ from the fit's own predictions.

    Args:
        solution: The fit; every table starts there and keeps its weights.
        points: The runs.
        moved: What each table's log losses are beyond the fit's predictions, shape (draws, runs).
        pulled: Where each table's priors pull, from the fit, shape (draws, parameters).

    Returns:
        Parameters, shape (draws, parameters).
    """
    fitted = solution.surface.values(solution.values[None], points)
    pulls = solution.values + pulled
    parts = [
        _refit_chunk(solution, points, fitted + moved[i : i + CHUNK], pulls[i : i + CHUNK])
        for i in range(0, moved.shape[0], CHUNK)
    ]
    return np.concatenate(parts)


def _refit_chunk(solution: Solution, points: Points, log_loss: Floats, pulls: Floats) -> Floats:
    surface, weights = solution.surface, solution.weights[None]
    _, precision = surface.priors()
    pull = np.diag(precision) * solution.noise_sd**2
    # The first derivatives are those at the fit, the same for all draws.
    values = np.repeat(solution.values[None], log_loss.shape[0], axis=0)
    derived_at = solution.values[None]
    for _ in range(N_STEPS):
        slopes = without_levels(points, weights, surface.jacobian(derived_at, points))
        weighted = (slopes * weights[..., None]).transpose(0, 2, 1)
        normal = np.matmul(weighted, slopes) + pull
        size = np.einsum("dpp->dp", normal)[:, :, None] * np.eye(values.shape[1])
        misfit = without_levels(points, weights, log_loss - surface.values(values, points))
        right = np.matmul(weighted, misfit[..., None])[..., 0] + (pulls - values) @ pull
        step = np.linalg.solve(normal + DAMPING * size, right[..., None])[..., 0]
        values = derived_at = values + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    return values


def without_levels(points: Points, weights: Floats, values: Floats) -> Floats:
    """Subtract the weighted mean of each level.

    Args:
        points: Whose levels.
        weights: Shape (draws, runs).
        values: Shape (draws, runs) or (draws, runs, columns).
    """
    starts = np.flatnonzero(np.diff(points.level, prepend=-1))
    total = np.add.reduceat(weights, starts, axis=1)
    if values.ndim > 2:
        weights, total = weights[..., None], total[..., None]
    means = np.add.reduceat(weights * values, starts, axis=1) / total
    return np.asarray(values - means[:, points.level])


def _starts(surface: Surface, points: Points) -> list[Floats]:
    """Return places to start from: a plain power law, and for the others knees over the batches."""
    lowest = int(points.log_loss.argmin())
    base = dict.fromkeys(surface.names, 0.0)
    base |= {"curvature": np.log(0.02), "level": 0.5 * points.x[lowest]}
    base = {name: base[name] for name in surface.names}
    if "batch" in base:
        base["batch"] = 0.5
    if "profile" in base:
        base["profile"] = 0.01
    if surface.kind == "power":
        return [np.array(list(base.values()))]
    low, high = float(points.y.min()), float(points.y.max())
    knees = (low - 2.0, low, (low + high) / 2, high, high + 2.0)
    return [np.array(list((base | {"knee": knee, "level": 0.0}).values())) for knee in knees]
