"""How far the optimum of a cell lies off the surface: what a few cells cannot average away.

Run noise alone would let three cells fix a trend to a hundredth of an octave. Real optima scatter about any
smooth form, from cell to cell; that spread and the noise are estimated together, and how unsure both are is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skald_planner.fitting.cells import Floats, Points
from skald_planner.fitting.joint import Solution, without_levels
from skald_planner.fitting.parabola import NOISE_PRIOR_DF, NOISE_PRIOR_SD

#: Spread of a cell's optimum about the surface, in octaves of learning rate, where a table cannot show its
#: own; counts for this many degrees of freedom. Assumed: optima of published sweeps stray by 0.05 to 0.2 octaves. The
#: transfer proof says how coverage depends on it: at 0.08 fewer than eight in ten intervals hold such strays.
SPREAD_PRIOR, SPREAD_PRIOR_DF = 0.15, 4.0
#: Where the posterior is evaluated: octaves, and shares of the fit's noise.
SPREADS = np.geomspace(0.01, 0.6, 24)
NOISES = np.geomspace(0.6, 2.0, 13)
#: A trunk that yields several horizons never carries all of their noise: losses are read at different steps.
MOST_SHARED = 0.9


class Scatter(NamedTuple):
    """What runs and cells scatter by: points of a grid with their probabilities.

    Attributes:
        spreads: Standard deviation of cells' optima about the surface, octaves.
        noises: Standard deviation of a run's log loss.
        probabilities: Of each pair; they sum to 1.
        shared: Share of the noise's variance that a run carries through all its horizons.
        trunk: Which runs that is: codes of one run at several horizons.
    """

    spreads: Floats
    noises: Floats
    probabilities: Floats
    shared: float
    trunk: np.ndarray[tuple[int], np.dtype[np.int64]]

    @property
    def spread(self) -> float:
        """The spread's posterior median."""
        order = np.argsort(self.spreads, kind="stable")
        below = np.cumsum(self.probabilities[order])
        return float(self.spreads[order][np.searchsorted(below, 0.5)])


def scatter_of(solution: Solution, points: Points) -> Scatter:
    """Estimate the spread between cells and the noise within them.

    Args:
        solution: The fit.
        points: Its runs.

    Source: restricted likelihood of a linear mixed model (Patterson & Thompson 1971) about the fit, one random
        shift of the ridge for each cell; on a grid, so that few cells leave a wide posterior.
    Standing: fitted, joined with `SPREAD_PRIOR` and the noise's prior.
    """
    surface, root = solution.surface, np.sqrt(solution.weights)[:, None]
    slopes = surface.jacobian(solution.values[None], points)[0]
    shifts = cell_shifts(slopes[:, surface.names.index("level")], points)
    misfit = points.log_loss - surface.values(solution.values[None], points)[0]
    columns = np.column_stack([slopes, shifts, misfit])
    centred = without_levels(points, solution.weights[None], columns[None])[0]
    n = slopes.shape[1]
    j, z, r = root * centred[:, :n], root * centred[:, n:-1], root[:, 0] * centred[:, -1]
    mean, precision = surface.priors()
    pull, off = np.diag(precision), solution.values - mean

    spreads, noises = (a.ravel() for a in np.meshgrid(SPREADS, solution.noise_sd * NOISES))
    # Cells share no run, so z'z is diagonal and Woodbury's identity an outer product.
    seen = (z**2).sum(axis=0)
    ratio = (spreads / noises)[:, None] ** 2
    damped = ratio / (1 + ratio * seen)
    jz, zr = j.T @ z, z.T @ r
    noise2 = noises[:, None] ** 2
    normal = (j.T @ j - np.einsum("pc,gc,qc->gpq", jz, damped, jz)) / noise2[..., None] + pull
    right = (j.T @ r - damped * zr @ jz.T) / noise2 - pull @ off
    explained = np.einsum("gp,gp->g", right, np.linalg.solve(normal, right[..., None])[..., 0])
    rest = (r @ r - (damped * zr**2).sum(axis=1)) / noises**2 - explained
    log_likelihood = (
        -0.5 * rest
        - (solution.degrees_of_freedom + n) * np.log(noises)
        - 0.5 * np.log1p(ratio * seen).sum(axis=1)
        - 0.5 * np.linalg.slogdet(normal)[1]
    )
    log_prior = _inverse_chi2(spreads, SPREAD_PRIOR, SPREAD_PRIOR_DF)
    log_prior += _inverse_chi2(noises, NOISE_PRIOR_SD, NOISE_PRIOR_DF)
    logits = log_likelihood + log_prior
    weights = np.exp(logits - logits.max())
    trunk = _trunks(points)
    own = without_levels(points, solution.weights[None], misfit[None])[0]
    return Scatter(spreads, noises, weights / weights.sum(), _shared(own, trunk), trunk)


def cell_shifts(level: Floats, points: Points) -> Floats:
    """Return one column for each cell: what a shift of its ridge alone would do to its losses.

    Args:
        level: Derivative of each run's log loss by the ridge's level.
        points: The runs.
    """
    cells = np.unique(points.cell, return_inverse=True)[1]
    return np.asarray(level[:, None] * (cells[:, None] == np.arange(cells.max() + 1)))


def _inverse_chi2(sd: Floats, prior: float, degrees_of_freedom: float) -> Floats:
    """Return the log density, over log sd, of a scaled inverse chi-square variance."""
    return np.asarray(-degrees_of_freedom * (np.log(sd) + 0.5 * (prior / sd) ** 2))


def _trunks(points: Points) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return codes that runs of one size, batch, learning rate and seed share over horizons."""
    keys = np.column_stack([points.n, points.y, points.x, points.seed]).round(6)
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1], dtype=np.int64).ravel()


def _shared(misfit: Floats, trunk: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return the correlation of misfits within trunks, from their products; 0 where there is none."""
    count, total, squares = (
        np.bincount(trunk, weights=values) for values in (np.ones_like(misfit), misfit, misfit**2)
    )
    pairs = float(((count - 1) * squares).sum())
    found = float((total**2 - squares).sum()) / pairs if pairs > 0 else 0.0
    return min(max(found, 0.0), MOST_SHARED)
