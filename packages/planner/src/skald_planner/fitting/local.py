"""The best learning rate of one size, horizon and batch, from its own runs alone.

Knows parabolas in log2 of the learning rate; refuses to name an optimum that the runs do not enclose: the
side on which it lies is all that such runs say. What several horizons share is the joint fit's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student
from skald_specs.plan import COVERAGE
from skald_specs.timefit import MOST_OCTAVES, Estimate, LocalOptimum, Sensitivity

from skald_planner.fitting.cells import GRID_WINDOW
from skald_planner.fitting.checks import CELL
from skald_planner.fitting.parabola import NOISE_PRIOR_SD, vertex_interval

Floats = NDArray[np.float64]
GROUP = (*CELL, "global_batch_tokens")
#: The assumed noise counts for so many degrees of freedom: three rates around each optimum, as a grid of octaves
#: leaves them, have no residual to show their own. Assumed.
NOISE_DF = 2
#: Fewer learning rates make no parabola.
LEAST_LRS = 3
_TAIL = (1 + COVERAGE) / 2
Key = tuple[int, int, int, int, int]
Side = Literal["at_least", "at_most", "unknown"]


class _Bound(NamedTuple):
    """The runs of one group that do not enclose their optimum."""

    side: Side
    log2_lr: float | None


class _Parabola(NamedTuple):
    """log loss = level(seed) + curvature u^2 + slope u, with u = log2 lr - centre.

    `unscaled` is the covariance of (curvature, slope) at unit noise; `level` is the mean over seeds.
    """

    centre: float
    half_width: float
    curvature: float
    slope: float
    level: float
    unscaled: Floats
    squares: float
    degrees_of_freedom: int


class _Rise(NamedTuple):
    """What one octave costs one size and batch (`kind`: width, depth, size, batch) at one horizon."""

    kind: tuple[int, int, int, int]
    log2_horizon: float
    rise: float
    error: float


def local_optima(table: pd.DataFrame) -> tuple[LocalOptimum, ...]:
    """Locate the best learning rate of every size, horizon and batch by itself.

    A learning rate at which any seed diverged counts as worse than all others, by an unknown amount. Where the
    lowest of the others lies at the grid's edge or beside a divergence, the loss falls towards that side
    from its neighbour on, so the optimum lies beyond the neighbour: that is the bound.

    Args:
        table: Runs as `skald_planner.fitting.runs.read_runs` gives them.

    Returns:
        One entry for each with three learning rates or more, ordered by cell and batch. Intervals are
        Fieller's, with the noise of log loss pooled over the table: one horizon has too few runs for its own.

    Source: the vertex as a ratio, Fieller (1954); runs of one seed are paired.
    """
    groups = list(_groups(table))
    noise = _noise(groups)
    return tuple(_optimum(key, found, *noise) for key, found in groups)


def sensitivities(table: pd.DataFrame) -> tuple[tuple[Sensitivity, ...], Estimate | None]:
    """Measure what a learning rate one octave off costs, at each horizon and over horizons.

    Args:
        table: Runs as `skald_planner.fitting.runs.read_runs` gives them.

    Returns:
        The growth of log loss at one octave for each horizon with an enclosed optimum, the mean over its
        sizes and batches with the interval of a random-effects model; and the exponent of its change with
        the horizon, each size and batch against itself. The exponent's degrees of freedom are the enclosed
        optima less one for each size and batch and one for the exponent; None where none are left.

    Source: random effects after DerSimonian and Laird (1986), interval after Hartung and Knapp (2001).
    """
    groups = [(key, found) for key, found in _groups(table) if isinstance(found, _Parabola)]
    noise = _noise(groups)
    found_at: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    rows: list[_Rise] = []
    for key, parabola in groups:
        horizon = key[3]
        sd, df = noise
        error = sd * math.sqrt(parabola.unscaled[0, 0])
        found_at[horizon].append((parabola.curvature, error, df))
        rows.append(_Rise((*key[:3], key[4]), math.log2(horizon), parabola.curvature, error))
    pooled = tuple(_pooled(horizon, found_at[horizon]) for horizon in sorted(found_at))
    return pooled, _exponent(rows)


def _groups(table: pd.DataFrame) -> Iterator[tuple[Key, _Bound | _Parabola]]:
    for _, rows in table.groupby(list(GROUP), sort=True):
        if rows["lr"].nunique() >= LEAST_LRS:
            width, depth, size, horizon, batch = (int(rows[name].iloc[0]) for name in GROUP)
            yield (width, depth, size, horizon, batch), _examined(rows)


def _examined(rows: pd.DataFrame) -> _Bound | _Parabola:
    offered, at = np.unique(np.log2(rows["lr"].to_numpy()), return_inverse=True)
    seeds = rows["seed"].to_numpy()
    diverged = rows["diverged"].to_numpy(dtype=bool)
    finite = ~np.isin(np.arange(len(offered)), at[diverged])
    if not finite.any():
        return _Bound("unknown", None)
    kept = finite[at]
    with np.errstate(invalid="ignore"):
        log_loss = np.log(rows["loss"].to_numpy(dtype=np.float64))
    means = np.full(len(offered), np.inf)
    means[finite] = _paired_means(at[kept], seeds[kept], log_loss[kept])
    best = int(means.argmin())
    if best == 0 or best == len(offered) - 1 or not finite[best - 1] or not finite[best + 1]:
        return _bound(offered, finite, best)
    low = _reach(means, best, -1)
    high = _reach(means, best, +1)
    used = kept & (at >= low) & (at <= high)
    return _fitted(offered[at[used]], seeds[used], log_loss[used], offered[low], offered[high])


def _paired_means(at: NDArray[np.intp], seeds: NDArray[np.int64], log_loss: Floats) -> Floats:
    """Mean log loss of each learning rate, what a seed does to all of them taken out."""
    lrs = at[:, None] == np.unique(at)
    levels = seeds[:, None] == np.unique(seeds)
    design = np.hstack([lrs, levels]).astype(float)
    return np.asarray(np.linalg.lstsq(design, log_loss, rcond=None)[0][: lrs.shape[1]])


def _bound(offered: Floats, finite: NDArray[np.bool_], best: int) -> _Bound:
    below = best > 0 and finite[best - 1]
    above = best < len(offered) - 1 and finite[best + 1]
    if below and not above:
        return _Bound("at_least", float(offered[best - 1]))
    if above and not below:
        return _Bound("at_most", float(offered[best + 1]))
    return _Bound("unknown", None)


def _reach(means: Floats, best: int, step: int) -> int:
    """Return how far the window goes from the lowest in one direction; a divergence ends it."""
    end = best + step
    while 0 <= end + step < len(means) and means[end + step] - means[best] <= math.log1p(
        GRID_WINDOW
    ):
        end += step
    return end


def _fitted(x: Floats, seeds: NDArray[np.int64], y: Floats, low: float, high: float) -> _Parabola:
    centre = (low + high) / 2
    u = x - centre
    levels = (seeds[:, None] == np.unique(seeds)).astype(float)
    design = np.column_stack([u**2, u, levels])
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    return _Parabola(
        centre=centre,
        half_width=(high - low) / 2,
        curvature=float(coefficients[0]),
        slope=float(coefficients[1]),
        level=float(coefficients[2:].mean()),
        unscaled=np.asarray(inverse[:2, :2]),
        squares=float(residuals @ residuals),
        degrees_of_freedom=max(0, len(y) - design.shape[1]),
    )


def _noise(groups: Sequence[tuple[Key, _Bound | _Parabola]]) -> tuple[float, int]:
    """Standard deviation of log loss about the parabolas, and its degrees of freedom."""
    parabolas = [found for _, found in groups if isinstance(found, _Parabola)]
    df = NOISE_DF + sum(found.degrees_of_freedom for found in parabolas)
    squares = NOISE_DF * NOISE_PRIOR_SD**2 + sum(found.squares for found in parabolas)
    return math.sqrt(squares / df), df


def _optimum(key: Key, found: _Bound | _Parabola, noise_sd: float, df: int) -> LocalOptimum:
    width, depth, size, horizon, batch = key
    unknown = LocalOptimum(
        width=width,
        depth=depth,
        n_params_non_embedding=size,
        horizon_tokens=horizon,
        global_batch_tokens=batch,
        bound="unknown",
    )
    if isinstance(found, _Bound):
        return unknown.model_copy(update={"bound": found.side, "bound_log2_lr": found.log2_lr})
    covariance = found.unscaled * noise_sd**2
    quantile = float(student.ppf(_TAIL, df))
    interval = vertex_interval(found.curvature, found.slope, covariance, quantile)
    # Too flat to tell from a straight line, or a vertex that no run encloses: nothing is known.
    if found.curvature <= 0 or interval is None:
        return unknown
    vertex = -found.slope / (2 * found.curvature)
    if abs(vertex) > found.half_width:
        return unknown
    low, high = (found.centre + float(end) for end in interval)
    # Nor where the interval holds every rate that there is.
    if max(-low, high) > MOST_OCTAVES:
        return unknown
    measured = {
        "bound": None,
        "log2_lr": found.centre + vertex,
        "interval": (low, high),
        "loss": math.exp(found.level - found.slope**2 / (4 * found.curvature)),
        "rise_at_one_octave": found.curvature,
    }
    return unknown.model_copy(update=measured)


def _pooled(horizon: int, found: list[tuple[float, float, int]]) -> Sensitivity:
    curvatures, errors = np.array([row[0] for row in found]), np.array([row[1] for row in found])
    if len(found) == 1:
        mean, half = curvatures[0], errors[0] * student.ppf(_TAIL, found[0][2])
    else:
        mean, error = _random_effects(curvatures, errors**2)
        half = error * student.ppf(_TAIL, len(found) - 1)
    return Sensitivity(
        horizon_tokens=horizon,
        rise_at_one_octave=float(mean),
        interval=(float(mean - half), float(mean + half)),
    )


def _random_effects(values: Floats, variances: Floats) -> tuple[float, float]:
    """Mean of values that differ by more than their own noise, and its standard error."""
    weights = 1 / variances
    df = len(values) - 1
    excess = float(weights @ (values - weights @ values / weights.sum()) ** 2) - df
    between = max(0.0, excess / float(weights.sum() - weights @ weights / weights.sum()))
    weights = 1 / (variances + between)
    mean = float(weights @ values / weights.sum())
    scatter = float(weights @ (values - mean) ** 2) / df
    return mean, math.sqrt(max(1.0, scatter) / float(weights.sum()))


def _exponent(rows: list[_Rise]) -> Estimate | None:
    """Fit rise = scale(size, batch) horizon^exponent to the rises themselves, whatever their sign.

    Logarithms would leave out the flattest, whose rise noise has turned negative, and so hide a fall.
    """
    kinds = sorted({row.kind for row in rows})
    index = np.array([kinds.index(row.kind) for row in rows], dtype=np.intp)
    t = np.array([row.log2_horizon for row in rows])
    rise, error = np.array([row.rise for row in rows]), np.array([row.error for row in rows])
    df = len(rows) - len(kinds) - 1
    if df < 1 or len(set(t)) < 2 or (rise <= 0).all():
        return None
    t = t - t.mean()

    def residuals(p: Floats) -> Floats:
        return np.asarray((rise - np.exp(p[index] + p[-1] * t * math.log(2))) / error)

    usual = math.log(float(np.median(rise[rise > 0])))
    start = np.append(np.full(len(kinds), usual), 0.0)
    fit = least_squares(residuals, start)
    try:
        variance = float(np.linalg.inv(fit.jac.T @ fit.jac)[-1, -1])
    except np.linalg.LinAlgError:
        return None
    # Scatter beyond the noise of a parabola, such as a batch whose rise changes otherwise, counts.
    variance *= max(1.0, 2 * float(fit.cost) / df)
    half = math.sqrt(variance) * float(student.ppf(_TAIL, df))
    value = float(fit.x[-1])
    return Estimate(value=value, interval=(value - half, value + half))
