"""The statistics of the report: intervals, paired tests, corrections. The one place they live.

Knows numbers and the clusters they came in; refuses to know models, languages and tasks. Items that
share vocabulary or a template share a key, and keys, not items, are what is resampled. Everything
random is seeded by a constant, so the same scores always give the same report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

#: Probability that an interval is meant to cover.
COVERAGE = 0.95
#: Resamples of an interval, and of a paired difference, whose tail decides a corrected p value.
N_RESAMPLES = 2_000
N_RESAMPLES_PAIRED = 10_000
SEED = 20_240_229
#: Cluster draws held in memory at once.
_CHUNK = 2_000_000

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate with its interval; `n_clusters` independent units stand behind it."""

    estimate: float
    low: float
    high: float
    n_clusters: int
    method: str


class Difference(NamedTuple):
    """A paired difference with its interval and two-sided p value."""

    estimate: float
    low: float
    high: float
    p: float
    n_clusters: int
    method: str


class Clusters(NamedTuple):
    """Sums over each cluster: the estimate is the sum of `top` over the sum of `bottom`."""

    keys: NDArray[Any]
    top: Floats
    bottom: Floats


def clusters(top: ArrayLike, bottom: ArrayLike, keys: ArrayLike) -> Clusters:
    """Sum numerators and denominators by key.

    Args:
        top: One numerator an item: its score, or its bits.
        bottom: One denominator an item: 1 for a mean, its bytes for bits per byte.
        keys: One key an item, all integers or all strings; equal keys form a cluster.

    Returns:
        One entry a cluster, in the order of the keys.

    Raises:
        ValueError: The lengths differ or there is no item.
    """
    tops, bottoms = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    names = np.asarray(keys)
    if not names.size or tops.shape != names.shape or bottoms.shape != names.shape:
        raise ValueError(f"{tops.shape}, {bottoms.shape} and {names.shape} are not as many items")
    distinct, index = np.unique(names, return_inverse=True)
    return Clusters(
        distinct,
        np.bincount(index, weights=tops).astype(np.float64),
        np.bincount(index, weights=bottoms).astype(np.float64),
    )


def wilson(successes: float, n: int) -> Interval:
    """Return the Wilson score interval of a proportion.

    With p = successes / n and z the normal quantile: centre (p + z^2/2n) / (1 + z^2/n), half-width
    z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n). Never empty, even at 0 or n successes.

    Args:
        successes: Right answers, 0 to n.
        n: Independent items, at least 1.

    Source: Wilson 1927, JASA 22:209; Brown, Cai and DasGupta 2001, Statistical Science 16:101.
    """
    z = float(stats.norm.ppf(0.5 + COVERAGE / 2))
    p, shrink = successes / n, 1 + z * z / n
    centre = (p + z * z / (2 * n)) / shrink
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n successes the bound is exact; rounding must not leave the estimate outside.
    low, high = max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
    return Interval(p, low, high, n, "Wilson")


def cluster_bootstrap(cells: Clusters, seed: int = SEED) -> Interval:
    """Return a ratio of sums with its cluster-bootstrap interval.

    Bits per byte is such a ratio, sum bits / sum bytes, as a compressor would count; a mean of
    ratios would let short documents weigh as much as long ones.

    Whole clusters are drawn with replacement; the interval is the expanded percentile interval,
    whose tails are Phi(-sqrt(C/(C-1)) t_{C-1}) instead of 2.5 %, because the plain percentile
    interval is too narrow for few clusters C.

    Args:
        cells: The clusters.
        seed: Seed of the draws.

    Returns:
        The ratio; one cluster alone gives no interval (NaN bounds).

    Source: Hesterberg 2015, The American Statistician 69:371 (arXiv 1411.5279), section 4; ratio
        estimator, Cochran 1977, Sampling Techniques, chapter 6.
    """
    estimate = float(cells.top.sum() / cells.bottom.sum())
    count = len(cells.top)
    if count < 2:
        return Interval(estimate, math.nan, math.nan, count, "cluster bootstrap")
    low, high = _percentiles(_resampled(cells, N_RESAMPLES, seed), count)
    return Interval(estimate, low, high, count, "cluster bootstrap")


def proportion(right: ArrayLike, keys: ArrayLike, seed: int = SEED) -> Interval:
    """Return an accuracy with the interval that fits its clusters.

    Wilson when every item has a key of its own; else the cluster bootstrap over keys. When all keys
    have the same share of right answers (all items right, or one of each two), resampling shows no
    spread, and Wilson over the keys takes its place.

    Args:
        right: 1 or 0 for each item.
        keys: The items' keys.
        seed: Seed of the draws.
    """
    scores = np.asarray(right, dtype=np.float64)
    cells = clusters(scores, np.ones_like(scores), keys)
    count = len(cells.top)
    if count == len(scores):
        return wilson(float(scores.sum()), count)
    shares = cells.top / cells.bottom
    if shares.min() == shares.max():
        return wilson(float(shares[0]) * count, count)._replace(method="Wilson over keys")
    return cluster_bootstrap(cells, seed)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the exact two-sided McNemar p value of two models on the same items.

    Args:
        only_first: Items that only the first model got right.
        only_second: Items that only the second model got right.

    Returns:
        2 P(X <= min) for X ~ Binomial(discordant items, 1/2), at most 1; 1 without discordant items.

    Source: McNemar 1947, Psychometrika 12:153; exact form, binomial test on the discordant pairs.
    """
    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(stats.binomtest(min(only_first, only_second), discordant, 0.5).pvalue)


def paired_difference(first: Clusters, second: Clusters, seed: int = SEED) -> Difference:
    """Return first - second on the same items, by paired cluster bootstrap.

    Both models are resampled with the same draws of clusters, so what makes an item hard for both
    cancels. The p value is the level at which the expanded percentile interval would touch zero.

    Args:
        first: Clusters of one model.
        second: Clusters of the other, with the same keys.
        seed: Seed of the draws.

    Raises:
        ValueError: The keys differ.

    Source: Hesterberg 2015 as above; paired and clustered comparison, Miller 2024,
        arXiv 2411.00640, sections 2.2 and 4.
    """
    if not np.array_equal(first.keys, second.keys):
        raise ValueError("paired models must have the same keys")
    estimate = float(first.top.sum() / first.bottom.sum() - second.top.sum() / second.bottom.sum())
    count, method = len(first.top), "paired cluster bootstrap"
    if np.array_equal(first.top * second.bottom, second.top * first.bottom):
        return Difference(estimate, estimate, estimate, 1.0, count, method)
    if count < 2:
        return Difference(estimate, math.nan, math.nan, 1.0, count, method)
    n = N_RESAMPLES_PAIRED
    draws = _resampled(first, n, seed) - _resampled(second, n, seed)
    low, high = _percentiles(draws, count)
    beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    tail = min(0.5, (beyond + 1) / (n + 1))
    t = -float(stats.norm.ppf(tail)) * math.sqrt((count - 1) / count)
    return Difference(estimate, low, high, float(2 * stats.t.sf(t, count - 1)), count, method)


def macro_mean(groups: Sequence[Clusters], seed: int = SEED) -> Interval:
    """Return the unweighted mean over languages, by stratified cluster bootstrap.

    The languages are the ones reported, so they are fixed; within each its keys are resampled. A
    key that occurs in several languages (one scene told in five) is drawn for all of them at once,
    because its renderings are not independent.

    Args:
        groups: The clusters of each language.
        seed: Seed of the draws.

    Source: bootstrap of several samples, Davison and Hinkley 1997, section 3.2; clustered means,
        Miller 2024, arXiv 2411.00640.
    """
    estimate = float(np.mean([cells.top.sum() / cells.bottom.sum() for cells in groups]))
    sizes = [len(cells.keys) for cells in groups]
    method = "stratified cluster bootstrap"
    union = np.unique(np.concatenate([cells.keys for cells in groups]))
    if min(sizes) < 2:
        return Interval(estimate, math.nan, math.nan, len(union), method)
    if len(union) == sum(sizes):
        draws = [_resampled(g, N_RESAMPLES, seed + number) for number, g in enumerate(groups)]
    else:
        draws = [_resampled(_spread(g, union), N_RESAMPLES, seed) for g in groups]
    # A draw may hold no key of a small language; it says nothing about the mean and is left out.
    means = np.mean(draws, axis=0)
    low, high = _percentiles(means[np.isfinite(means)], min(sizes))
    return Interval(estimate, low, high, len(union), method)


def _spread(cells: Clusters, union: NDArray[Any]) -> Clusters:
    """Lay a language's clusters out over the union of keys; a key it lacks counts nothing."""
    at = np.searchsorted(union, cells.keys)
    top, bottom = np.zeros(len(union)), np.zeros(len(union))
    top[at], bottom[at] = cells.top, cells.bottom
    return Clusters(union, top, bottom)


def _resampled(cells: Clusters, n_resamples: int, seed: int) -> Floats:
    with np.errstate(invalid="ignore"):
        parts = [
            cells.top[draw].sum(axis=1) / cells.bottom[draw].sum(axis=1)
            for draw in _draws(len(cells.top), n_resamples, seed)
        ]
    return np.concatenate(parts)


def _draws(count: int, n_resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield rows of cluster numbers; the same seed and count always give the same rows."""
    rng, rows = np.random.default_rng(seed), max(1, _CHUNK // count)
    for start in range(0, n_resamples, rows):
        yield rng.integers(0, count, size=(min(rows, n_resamples - start), count))


def _percentiles(draws: Floats, count: int) -> tuple[float, float]:
    t = stats.t.ppf(0.5 + COVERAGE / 2, count - 1)
    tail = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * t))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
