"""The best batch: a parabola over the batch through the losses that the ridge leaves.

In a grid each batch has its own levels, so what a batch itself costs is read off those levels here, in a
second step; in a scattered design the surface has it already.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skald_planner.fitting.bootstrap import no_narrower
from skald_planner.fitting.cells import Floats, Points
from skald_planner.fitting.joint import Solution
from skald_planner.fitting.parabola import NOISE_PRIOR_DF, NOISE_PRIOR_SD
from skald_planner.fitting.surface import PROFILE

#: Batches whose loss at the ridge is within this share of their cell's lowest enter. Assumed, and another fact
#: than `cells.GRID_WINDOW`, which is of learning rates: a profile over the batch is far flatter.
BATCH_WINDOW = 0.05


class Profile(NamedTuple):
    """Coefficients of y^2, y, y t, y n (those that the table shows), with bootstrap draws."""

    names: tuple[str, ...]
    values: Floats
    draws: Floats


def batch_profile(
    solution: Solution, points: Points, drawn: Floats, rng: np.random.Generator
) -> Profile | None:
    """Fit the parabola over the batch in a grid.

    Args:
        solution: A family's fit to the grid.
        points: Its runs.
        drawn: Weights of the cluster bootstrap, shape (draws, runs).
        rng: Source of noise where clusters are too few (`bootstrap.no_narrower`).

    Returns:
        The profile; None where no cell has three batches near its lowest.
    """
    starts = np.flatnonzero(np.diff(points.level, prepend=-1))
    rest = points.log_loss - solution.surface.values(solution.values[None], points)[0]
    total = np.add.reduceat(solution.weights, starts)
    levels = np.add.reduceat(solution.weights * rest, starts) / total
    y, t, n = points.y[starts], points.t[starts], points.n[starts]
    group = np.unique(
        points.cell[starts] * (points.seed.max() + 1) + points.seed[starts], return_inverse=True
    )[1]
    lowest = np.full(group.max() + 1, np.inf)
    np.minimum.at(lowest, group, levels)
    near = levels - lowest[group] <= np.log1p(BATCH_WINDOW)
    near &= np.bincount(group, weights=near)[group] >= 3
    if not near.any():
        return None
    y, t, n, group, levels = y[near], t[near], n[near], group[near], levels[near]
    group = np.unique(group, return_inverse=True)[1]
    shown = (True, True, np.unique(t).size > 1, np.unique(n).size > 1)
    names = tuple(name for name, there in zip(PROFILE, shown, strict=True) if there)
    columns = np.column_stack([y**2, y, y * t, y * n])[:, list(shown)]
    inside = group[:, None] == np.arange(group.max() + 1)

    def solved(weights: Floats) -> Floats:
        shares = weights[:, None, :] * inside.T
        shares = shares / shares.sum(axis=2, keepdims=True)
        x = columns - (shares @ columns)[:, group]
        z = levels - (shares @ levels)[:, group]
        normal = np.einsum("dnp,dn,dnq->dpq", x, weights, x) + 1e-9 * np.eye(columns.shape[1])
        return np.linalg.solve(normal, np.einsum("dnp,dn,dn->dp", x, weights, z)[..., None])[..., 0]

    ones = np.ones((1, levels.size))
    values = solved(ones)[0]
    x = columns - (inside / inside.sum(axis=0) @ (inside.T @ columns))
    misfit = levels - columns @ values
    misfit = misfit - (inside / inside.sum(axis=0) @ (inside.T @ misfit))
    df = levels.size - inside.shape[1] - columns.shape[1]
    noise2 = (float((misfit**2).sum()) + NOISE_PRIOR_DF * NOISE_PRIOR_SD**2) / (
        max(df, 0) + NOISE_PRIOR_DF
    )
    draws = solved(drawn[:, starts][:, near])
    draws = no_narrower(draws, values, noise2 * np.linalg.pinv(x.T @ x), rng)
    return Profile(names, values, draws)
