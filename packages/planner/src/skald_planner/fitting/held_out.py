"""How well a fit predicts horizons that it has not seen, and what that says of horizons beyond the sweep.

Knows the family that weighs most; measured optima are those of `local`, one horizon and batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skald_specs.timefit import HeldOut, LocalOptimum

from skald_planner.fitting.bootstrap import cluster_draws
from skald_planner.fitting.cells import Points
from skald_planner.fitting.families import Fitted, folds, normal_quantile
from skald_planner.fitting.joint import solve
from skald_planner.fitting.mixture import at_point, interval_of
from skald_planner.fitting.surface import surface_of

N_DRAWS = 200
#: Batches of a scattered design count as near the best when their lowest loss is within this share of it:
#: farther off, its surface over the batch does not claim to hold.
NEAR_BATCH = 0.005


def held_out_predictions(
    points: Points,
    main: Fitted,
    size_terms: bool,
    local: Sequence[LocalOptimum],
    rng: np.random.Generator,
) -> tuple[tuple[HeldOut, ...], float | None]:
    """Predict horizons from the others by the family that weighs most, beside what was measured there.

    Args:
        points: All runs.
        main: The family that weighs most on all of them; its kind is fitted anew to what is kept,
            its spread between cells counts as explained.
        size_terms: Let the optimum move with size.
        local: Optima of single cells: what was measured at a horizon that is left out.
        rng: Source of the draws behind the intervals.

    Returns:
        The predictions, horizon by horizon; and the error of the form in octaves of learning rate for each
        octave of horizon, from the last octave alone predicted from all before it: what the intervals and
        the spread between cells do not explain. None where fewer than two horizons remain.
    """
    found: list[HeldOut] = []
    for fold in folds(points.t):
        found += _predicted(points, ~np.isin(points.t, fold), main, size_terms, local, rng)
    shorter = points.t <= points.t.max() - 1 + 1e-6
    if np.unique(points.t[shorter]).size < 2:
        return tuple(found), None
    from_octaves = points.centre.log2_horizon + float(points.t[shorter].max())
    squares, weights = 0.0, 0.0
    for one in _predicted(points, shorter, main, size_terms, local, rng):
        octaves = float(np.log2(one.horizon_tokens)) - from_octaves
        width = 2 * normal_quantile()
        explained = (
            np.ptp(one.predicted_interval) ** 2 + np.ptp(one.measured_interval) ** 2
        ) / width**2
        missed = (one.predicted_log2_lr - one.measured_log2_lr) ** 2
        # Errors grow with the distance, so do the weights that keep the mean of their ratio stable.
        squares += (missed - explained - main.spread**2) * octaves**2
        weights += octaves**4
    return tuple(found), float(np.sqrt(max(0.0, squares / weights))) if weights else None


def _predicted(
    points: Points,
    kept: NDArray[np.bool_],
    main: Fitted,
    size_terms: bool,
    local: Sequence[LocalOptimum],
    rng: np.random.Generator,
) -> list[HeldOut]:
    """Fit the runs that are kept and predict the measured optima of the other horizons."""
    rest, unseen = points.where(kept), np.unique(points.t[~kept])
    surface = surface_of(main.kind, rest, size_terms) if len(rest) else None
    if surface is None or np.unique(rest.t).size < 2:
        return []
    solution = solve(surface, rest)
    draws, _ = cluster_draws(solution, rest, N_DRAWS, rng)
    found = []
    for one in _near_best_batch(local) if points.scattered else local:
        t = np.log2(one.horizon_tokens) - points.centre.log2_horizon
        if np.abs(unseen - t).min() > 1e-6 or one.log2_lr is None or one.interval is None:
            continue
        y = np.log2(one.global_batch_tokens) - points.centre.log2_batch
        n = np.log2(one.n_params_non_embedding) - points.centre.log2_size
        value, drawn = at_point(main.kind, surface.names, solution.values, draws, y, t, n)
        low, high = interval_of(drawn)
        x = points.centre.log2_lr
        found.append(
            HeldOut(
                horizon_tokens=one.horizon_tokens,
                global_batch_tokens=one.global_batch_tokens,
                n_params_non_embedding=one.n_params_non_embedding,
                predicted_log2_lr=value + x,
                predicted_interval=(low + x, high + x),
                measured_log2_lr=one.log2_lr,
                measured_interval=one.interval,
            )
        )
    return found


def _near_best_batch(local: Sequence[LocalOptimum]) -> list[LocalOptimum]:
    lowest: dict[tuple[int, int], float] = {}
    for one in local:
        if one.loss is not None:
            cell = one.n_params_non_embedding, one.horizon_tokens
            lowest[cell] = min(one.loss, lowest.get(cell, np.inf))

    def near(one: LocalOptimum) -> bool:
        cell = one.n_params_non_embedding, one.horizon_tokens
        return one.loss is not None and one.loss <= (1 + NEAR_BATCH) * lowest[cell]

    return [one for one in local if near(one)]
