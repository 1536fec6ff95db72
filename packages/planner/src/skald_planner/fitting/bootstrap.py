"""The cluster bootstrap: cells and whole runs are drawn, never single losses.

Losses of one cell share what the surface gets wrong there, and those of one run its luck; drawing losses would take
both for independent noise. Resampling three cells covers three quarters of what it claims (measured in the
proof of transfer), so the ridge's draws are parametric; weights stay for what has no model of its clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from skald_planner.fitting.between import cell_shifts, scatter_of
from skald_planner.fitting.cells import Floats, Ints, Points
from skald_planner.fitting.joint import Solution, refit


class Tables(NamedTuple):
    """Tables that a fit could have come from.

    Attributes:
        moved: What their log losses are beyond the fit's predictions, shape (draws, runs).
        pulled: Where the surface's priors pull, from the fit, shape (draws, parameters).
        spread: Of optima between cells, octaves.
    """

    moved: Floats
    pulled: Floats
    spread: float


def cluster_draws(
    solution: Solution, points: Points, n_draws: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Draw tables that the fit could have come from, and fit each.

    Args:
        solution: The fit.
        points: Its runs.
        n_draws: How many.
        rng: Their source.

    Returns:
        The parameters, shape (draws, parameters), and the spread of optima between cells in octaves.
    """
    tables = drawn_tables(solution, points, n_draws, rng)
    return refit(solution, points, tables.moved, tables.pulled), tables.spread


def drawn_tables(
    solution: Solution, points: Points, n_draws: int, rng: np.random.Generator
) -> Tables:
    """Draw what `cluster_draws` fits.

    Each table takes a spread and a noise that the data allow, and moves each cell's ridge by the one and each
    loss by the other, partly the same at all horizons of a run. Priors move by their own spread, so that
    parameters that the table hardly shows scatter as widely as these say.

    Args:
        solution: The fit that the tables scatter about.
        points: Its runs.
        n_draws: How many tables.
        rng: Their source.

    Source: parametric bootstrap of a mixed model (Efron & Tibshirani 1993, section 6.5); moved priors:
        randomised maximum likelihood (Oliver et al. 1996).
    """
    surface, scatter = solution.surface, scatter_of(solution, points)
    chosen = rng.choice(scatter.probabilities.size, size=n_draws, p=scatter.probabilities)
    spread, noise = scatter.spreads[chosen, None], scatter.noises[chosen, None]
    slopes = surface.jacobian(solution.values[None], points)[0]
    shifts = cell_shifts(slopes[:, surface.names.index("level")], points)
    moved = (spread * rng.standard_normal((n_draws, shifts.shape[1]))) @ shifts.T
    carried = rng.standard_normal((n_draws, int(scatter.trunk.max()) + 1))[:, scatter.trunk]
    own = rng.standard_normal((n_draws, len(points)))
    luck = np.sqrt(scatter.shared) * carried + np.sqrt(1 - scatter.shared) * own
    _, precision = surface.priors()
    sd = np.divide(1.0, np.sqrt(precision), out=np.zeros_like(precision), where=precision > 0)
    pulled = sd * rng.standard_normal((n_draws, sd.size))
    return Tables(moved + noise * luck, pulled, scatter.spread)


def cluster_weights(cell: Ints, seed: Ints, n_draws: int, rng: np.random.Generator) -> Floats:
    """Return one weight for each draw and run: the product of its cell's and its seed's.

    Args:
        cell: Cluster of each run.
        seed: Second cluster of each run; one seed alone is not drawn.
        n_draws: How many draws.
        rng: Source of the weights.

    Returns:
        Shape (draws, runs), of mean 1.

    Source: Bayesian bootstrap (Rubin 1981): exponential weights instead of counts, so that no cell
        vanishes and few cells still give a solvable fit; two-way product weights: Owen & Eckles 2012.
    """
    weights = np.ones((n_draws, cell.size))
    for labels in (cell, seed):
        codes = np.unique(labels, return_inverse=True)[1]
        count = int(codes.max()) + 1
        if count > 1:
            drawn = rng.exponential(size=(n_draws, count))
            weights = weights * (drawn / drawn.mean(axis=1, keepdims=True))[:, codes]
    return weights


def no_narrower(draws: Floats, centre: Floats, model: Floats, rng: np.random.Generator) -> Floats:
    """Widen draws where the clusters vary less than run noise alone would let them.

    With few cells, or one seed, the clusters cannot show all the variance there is. In each direction in
    which the draws' variance is below that of the model, the difference is added as normal noise.

    Args:
        draws: Shape (draws, parameters).
        centre: The estimate; draws are moved to have it in their middle.
        model: Covariance that run noise alone implies.
        rng: Source of the noise.

    Returns:
        Draws of covariance no smaller than `model` in any direction.
    """
    deviations = draws - draws.mean(axis=0)
    # Whitened by the model's covariance, directions compare by their variance ratio to it. Roots are symmetric: an
    # eigenvector's sign is the processor's choice, and would give each processor its own draws.
    scale = np.sqrt(np.diag(model))
    root = scale[:, None] * _symmetric(
        model / np.outer(scale, scale), lambda values: np.sqrt(np.maximum(values, 1e-12))
    )
    inverse = np.linalg.pinv(root)
    white = deviations @ inverse.T
    missing = _symmetric(
        np.cov(white, rowvar=False), lambda ratios: np.sqrt(np.maximum(0.0, 1.0 - ratios))
    )
    noise = rng.standard_normal(white.shape) @ missing
    return np.asarray(centre + deviations + noise @ root.T)


def _symmetric(matrix: Floats, change: Callable[[Floats], Floats]) -> Floats:
    """Return a symmetric matrix with its eigenvalues changed: the same whatever signs its vectors have."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * change(values)) @ vectors.T)
