"""Weights of a cluster bootstrap: whole cells and whole seeds are drawn, never single runs.

Runs of one cell share what the surface gets wrong there, and runs of one seed share its luck; drawing runs
would take both for independent noise.
"""

from __future__ import annotations

import numpy as np

from skald_planner.cells import Floats, Ints


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
    # Whitened by the model's covariance, directions compare by their variance ratio to it.
    scale = np.sqrt(np.diag(model))
    values, vectors = np.linalg.eigh(model / np.outer(scale, scale))
    root = (vectors * np.sqrt(np.maximum(values, 1e-12))) * scale[:, None]
    inverse = np.linalg.pinv(root)
    white = deviations @ inverse.T
    ratios, axes = np.linalg.eigh(np.cov(white, rowvar=False))
    missing = np.sqrt(np.maximum(0.0, 1.0 - ratios))
    noise = rng.standard_normal(white.shape) * missing
    return np.asarray(centre + deviations + noise @ axes.T @ root.T)
