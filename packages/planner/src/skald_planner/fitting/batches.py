"""The best batch: a parabola over the batch through the losses that the ridge leaves.

In a grid each batch has its own levels, so what a batch itself costs is read off those levels here, in a
second step; in a scattered design the surface has it already. In both, best batches of cells stray from the law, and draws
have to know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skald_planner.fitting.bootstrap import no_narrower
from skald_planner.fitting.cells import Floats, Ints, Points
from skald_planner.fitting.joint import Solution, without_levels
from skald_planner.fitting.parabola import NOISE_PRIOR_DF, NOISE_PRIOR_SD
from skald_planner.fitting.surface import PROFILE

#: Batches whose loss at the ridge is within this share of their cell's lowest enter. Assumed, and another fact
#: than `cells.GRID_WINDOW`, which is of learning rates: a profile over the batch is far flatter.
BATCH_WINDOW = 0.05
#: Spread of a cell's best batch about the law, in octaves of batch, where a table cannot show its own; counts for
#: this many degrees of freedom. Assumed.
STRAY_PRIOR, STRAY_PRIOR_DF = 0.12, 4.0


#: A parabola that opens less than this has its lowest point anywhere.
LEAST_OPENING = 1e-4


class Seen(NamedTuple):
    """Losses that show the parabola over the batch: levels of a grid, runs of a scattered design.

    `misfit`: of log loss about the fit. `weight`: in runs.
    """

    misfit: Floats
    weight: Floats
    y: Floats
    t: Floats
    n: Floats
    cell: Ints


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
    seen = Seen(misfit, total[near], y, t, n, points.cell[starts][near])
    return strayed(Profile(names, values, draws), seen, solution.noise_sd, rng)


def scattered_profile(
    solution: Solution, points: Points, draws: Floats, rng: np.random.Generator
) -> Floats:
    """Let the best batches of cells stray in draws of a scattered design's surface.

    Args:
        solution: A family's fit.
        points: Its runs.
        draws: Of its parameters, shape (draws, parameters).
        rng: Source of the strays.

    Returns:
        The draws, those of the profile moved.
    """
    surface = solution.surface
    at = [i for i, name in enumerate(surface.names) if name in PROFILE]
    misfit = points.log_loss - surface.values(solution.values[None], points)
    misfit = without_levels(points, solution.weights[None], misfit)[0]
    seen = Seen(misfit, solution.weights, points.y, points.t, points.n, points.cell)
    profile = Profile(tuple(surface.names[i] for i in at), solution.values[at], draws[:, at])
    moved = draws.copy()
    moved[:, at] = strayed(profile, seen, solution.noise_sd, rng).draws
    return moved


def strayed(profile: Profile, seen: Seen, noise_sd: float, rng: np.random.Generator) -> Profile:
    """Move each draw as cells would whose best batches stray from the law.

    Args:
        profile: What was fitted, with draws that know of noise alone.
        seen: What it was fitted to.
        noise_sd: Of a run's log loss.
        rng: Source of the strays.

    Source: variance between cells by moments (DerSimonian & Laird 1986), joined with `STRAY_PRIOR`; the table's
        own counts for as many degrees of freedom as noise leaves it.
    Standing: fitted, joined with an assumed prior; a cell's stray moves the law by least squares over cells.
    """
    cells, first, cell = np.unique(seen.cell, return_index=True, return_inverse=True)
    terms = {
        "profile_batch": np.ones(cells.size),
        "profile_horizon": seen.t[first],
        "profile_size": seen.n[first],
    }
    at = [profile.names.index(name) for name in terms if name in profile.names]
    law = np.column_stack([terms[profile.names[i]] for i in at])
    k = profile.names.index("profile")
    total = np.bincount(cell, weights=seen.weight)
    away = seen.y - (np.bincount(cell, weights=seen.weight * seen.y) / total)[cell]
    slope = -2 * max(float(profile.values[k]), LEAST_OPENING) * away
    shown = np.bincount(cell, weights=seen.weight * slope**2) + 1e-30
    shifts = np.bincount(cell, weights=seen.weight * slope * seen.misfit) / shown
    error2 = float(np.median(noise_sd**2 / shown))
    df = max(cells.size - law.shape[1], 0)
    own = max(float((shifts**2).sum()) / df - error2, 0.0) if df else 0.0
    # A spread far below what noise does to a single cell cannot be seen.
    df *= (STRAY_PRIOR**2 / (STRAY_PRIOR**2 + error2)) ** 2
    joined_df = STRAY_PRIOR_DF + df
    variance = (STRAY_PRIOR_DF * STRAY_PRIOR**2 + df * own) / joined_df
    count = profile.draws.shape[0]
    spread = np.sqrt(variance * joined_df / rng.chisquare(joined_df, size=count))
    strays = spread[:, None] * rng.standard_normal((count, cells.size))
    moved = profile.draws.copy()
    opening = np.maximum(moved[:, k], LEAST_OPENING)
    moved[:, at] -= 2 * opening[:, None] * (strays @ np.linalg.pinv(law).T)
    return profile._replace(draws=moved)
