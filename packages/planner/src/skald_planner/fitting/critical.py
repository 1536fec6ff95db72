"""The critical batch: beyond it, a larger batch costs more tokens than it is worth.

Knows two definitions, which do not agree in their growth. `overhead_batch`: where reaching a loss takes
20 % more tokens than small batches do, by interpolating raw counts. `fit_steps`: B_c of
S(B) = S_min (1 + B_c / B), where it takes twice as many. Counting is in tokens or in sequences, whichever
the caller uses for both arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import linregress, t
from skald_specs.plan import COVERAGE
from skald_specs.timefit import CriticalBatch, Estimate

Floats = NDArray[np.float64]

#: Tokens above those of small batches at which a batch counts as critical (arXiv 2410.21676).
OVERHEAD = 0.2


def overhead_batch(
    batches: Sequence[float], tokens: Sequence[float], overhead: float = OVERHEAD
) -> float | None:
    """Return the batch at which a target takes `overhead` more tokens than it needs.

    The line of linear scaling is that of the batch that needs the fewest tokens. From the largest batch
    down, the first pair of neighbours that encloses the overhead is interpolated, log tokens over log
    batch: what scatter adds to a small batch does not make it the critical one.

    Args:
        batches: Ascending.
        tokens: To reach the same target, one for each batch; infinite where it was not reached.
        overhead: Share above the fewest tokens.

    Returns:
        A batch within the grid; None where the largest batch is still below the overhead, or where
        the next batch did not reach the target at all.

    Source: arXiv 2410.21676, definition of the critical batch size.
    Standing: measured.
    """
    if len(tokens) < 2 or not math.isfinite(min(tokens)):
        return None
    excess = np.log(np.asarray(tokens, dtype=np.float64) / np.min(tokens))
    bound, best = math.log1p(overhead), int(np.argmin(tokens))
    for low, high in reversed([*pairwise(range(best, len(batches)))]):
        if excess[low] <= bound < excess[high]:
            if not math.isfinite(excess[high]):
                return None
            share = (bound - excess[low]) / (excess[high] - excess[low])
            return float(batches[low] * (batches[high] / batches[low]) ** share)
        if excess[high] <= bound:
            return None
    return None


class StepLine(NamedTuple):
    """S(B) = min_steps (1 + critical_batch / B), and how far log counts lie from it."""

    min_steps: float
    critical_batch: Estimate
    rms_log_error: float


def fit_steps(batches: Sequence[float], steps: Sequence[float]) -> StepLine:
    """Fit the steps that a target takes at each batch.

    Args:
        batches: Three or more.
        steps: One for each batch.

    Returns:
        The fit; its interval is Student's, from the covariance of the logs.

    Source: arXiv 1812.06162, eq. 2.11, on log steps.
    Standing: fitted.
    """
    size, log_steps = np.asarray(batches, dtype=np.float64), np.log(steps)

    def misfit(log_parameters: Floats) -> Floats:
        log_min, log_critical = log_parameters
        return np.asarray(log_min + np.log1p(np.exp(log_critical) / size) - log_steps)

    start = [float(log_steps.min()), float(np.log(size).mean())]
    fit = least_squares(misfit, start)
    free = len(size) - 2
    variance = float(fit.fun @ fit.fun) / max(free, 1)
    error = math.sqrt(float((np.linalg.inv(fit.jac.T @ fit.jac) * variance)[1, 1]))
    half = float(t.ppf(0.5 + COVERAGE / 2, max(free, 1))) * error
    log_min, log_critical = (float(value) for value in fit.x)
    return StepLine(
        min_steps=math.exp(log_min),
        critical_batch=Estimate(
            value=math.exp(log_critical),
            interval=(math.exp(log_critical - half), math.exp(log_critical + half)),
        ),
        rms_log_error=float(np.sqrt(np.mean(fit.fun**2))),
    )


def growth(horizons_tokens: Sequence[float], batches: Sequence[float]) -> Estimate | None:
    """Return the exponent of critical batches over the horizon, by least squares of the logs.

    Args:
        horizons_tokens: Three or more, not all equal.
        batches: One for each.

    Returns:
        The exponent with Student's interval; None with fewer points: two give a slope and no error.
    """
    if len(batches) < 3 or len(set(horizons_tokens)) < 2:
        return None
    line = linregress(np.log(horizons_tokens), np.log(batches))
    half = float(t.ppf(0.5 + COVERAGE / 2, len(batches) - 2)) * float(line.stderr)
    slope = float(line.slope)
    return Estimate(value=slope, interval=(slope - half, slope + half))


class Overheads(NamedTuple):
    """Critical batches that a table shows, and why it shows no others, one sentence each."""

    found: tuple[CriticalBatch, ...]
    missing: tuple[str, ...]


def overhead_batches(table: pd.DataFrame) -> Overheads:
    """Find critical batches by the overhead definition in a run table.

    For each size and horizon the target is the best loss that any batch reaches there; the tokens that
    each batch needs for it are interpolated over its horizons, log loss against log tokens. A batch whose
    best learning rate is not enclosed by its grid is left out at that horizon.

    Args:
        table: A checked run table.

    Returns:
        One critical batch for each horizon at which one is enclosed, the geometric mean over sizes
        (2410.21676: it hardly depends on them).

    Source: arXiv 2410.21676, carried from steps at one target to horizons.
    Standing: measured.
    """
    at_horizon: dict[int, list[float]] = {}
    missing = []
    for (_, _, size), rows in table.groupby(["width", "depth", "n_params_non_embedding"]):
        curves = _best_losses(rows)
        batches = sorted(curves)
        if len(batches) < 2:
            missing.append(
                f"{size:,} parameters: {'one batch has' if batches else 'no batch has'} an enclosed "
                "learning rate, a critical batch needs two"
            )
            continue
        for horizon in sorted({horizon for curve in curves.values() for horizon in curve}):
            reached = {b: curves[b][horizon] for b in batches if horizon in curves[b]}
            target = min(reached.values())
            needed = {b: _tokens_to_reach(curves[b], target) for b in batches}
            tokens = {b: amount for b, amount in needed.items() if amount is not None}
            batch = overhead_batch(list(tokens), list(tokens.values()))
            if batch is None:
                missing.append(
                    f"{size:,} parameters, {int(horizon):,} tokens: no pair of batches encloses "
                    f"{OVERHEAD:.0%} overhead"
                )
            else:
                at_horizon.setdefault(int(horizon), []).append(batch)
    found = tuple(
        CriticalBatch(
            definition="overhead",
            horizon_tokens=horizon,
            tokens=float(np.exp(np.mean(np.log(batches)))),
        )
        for horizon, batches in sorted(at_horizon.items())
    )
    return Overheads(found, tuple(missing))


def _best_losses(rows: pd.DataFrame) -> dict[float, dict[float, float]]:
    """Return log loss at the best learning rate, by batch and horizon, where it is enclosed."""
    finite = rows[~rows["diverged"].astype(bool) & rows["loss"].notna()]
    curves: dict[float, dict[float, float]] = {}
    keys = ["global_batch_tokens", "horizon_tokens"]
    for _, cell in finite.groupby(keys):
        batch, horizon = (float(cell[key].iloc[0]) for key in keys)
        log_loss = np.log(cell["loss"]).groupby(cell["lr"]).mean().sort_index()
        lowest = _vertex_level(np.log2(log_loss.index.to_numpy(float)), log_loss.to_numpy(float))
        if lowest is not None:
            curves.setdefault(batch, {})[horizon] = lowest
    return curves


def _vertex_level(log2_lr: Floats, log_loss: Floats) -> float | None:
    """Return the lowest point of the parabola through the lowest loss and its neighbours."""
    best = int(np.argmin(log_loss)) if len(log_loss) else 0
    if best == 0 or best >= len(log_loss) - 1:
        return None
    # Counted from the lowest point, the parabola is h x^2 + p x: both sides give h and p exactly.
    x = log2_lr[best - 1 : best + 2 : 2] - log2_lr[best]
    y = log_loss[best - 1 : best + 2 : 2] - log_loss[best]
    h, p = np.linalg.solve(np.stack([x**2, x], axis=1), y)
    return float(log_loss[best] - (p**2 / (4 * h) if h > 0 else 0.0))


def _tokens_to_reach(curve: dict[float, float], log_target: float) -> float | None:
    """Interpolate the tokens at which a batch's best log loss falls to a target.

    Returns:
        Tokens; infinite where no horizon of the batch reaches it, None where its shortest is below it
        already.
    """
    points = sorted(curve.items())
    if points[0][1] <= log_target:
        return points[0][0] if points[0][1] == log_target else None
    for (short, above), (long, below) in pairwise(points):
        if above > log_target >= below:
            share = (above - log_target) / (above - below)
            return float(short * (long / short) ** share)
    return math.inf
