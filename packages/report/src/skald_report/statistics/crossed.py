"""A paired difference whose spread comes from two sides at once: training seeds and test items.

Knows numbers; refuses to know corpora and models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from skald_report.statistics.spread import COVERAGE
from skald_report.statistics.sums import Floats

#: No tail is told below this.
_SMALLEST_TAIL = 1e-12


class Crossed(NamedTuple):
    """A mean difference with its interval, two-sided p value and the two parts of its error."""

    estimate: float
    low: float
    high: float
    p: float
    se_seeds: float
    se_items: float


def by_group(tops: ArrayLike, bottoms: ArrayLike, groups: ArrayLike) -> Floats:
    """Return sum of tops / sum of bottoms for each group, in the order of the groups' names.

    Args:
        tops: Numerators, (..., items): bits, or 1 for each right answer.
        bottoms: Denominators (items,): bytes, or ones.
        groups: Group of each item (items,), such as its language.

    Returns:
        Shape (..., groups).
    """
    top, bottom, names = np.asarray(tops, float), np.asarray(bottoms, float), np.asarray(groups)
    parts = [
        top[..., names == name].sum(-1) / bottom[names == name].sum() for name in np.unique(names)
    ]
    return np.stack(parts, axis=-1)


def crossed_difference(
    tops: ArrayLike, bottoms: ArrayLike, groups: ArrayLike, keys: ArrayLike
) -> Crossed:
    """Return the mean over seeds and groups of a paired difference, with a t interval.

    The variance is the sum of two: that of the seeds' differences about their mean, over the
    number of seeds, and that of the mean over seeds under resampling of whole keys (linearised,
    as the ratio estimator it is). What seeds and items do together is counted in both, so the sum
    is slightly too large rather than too small. The interval takes each part times its own t
    quantile, half-width^2 = t_{S-1}^2 var_seeds + t_{K-1}^2 var_items: three seeds count for what
    three are, however many texts there are. (Pooling the degrees of freedom, as Satterthwaite
    does, covers 92 % with two seeds.) The p value is the level at which the
    interval would touch zero.

    Args:
        tops: Differences of numerators (seeds, items), first minus second.
        bottoms: Denominators (items,), the same for both.
        groups: Group of each item; groups weigh the same.
        keys: Cluster of each item; a key may occur in several groups.

    Raises:
        ValueError: Fewer than two seeds, or fewer than two keys.

    Source: crossed random effects, Owen 2007, Annals of Applied Statistics 1:386; interval of a
        sum, Howe 1974, Journal of the American Statistical Association 69:789; ratio estimator,
        Cochran 1977, Sampling Techniques, chapter 6.
    Standing: derived; tests measure its coverage for 2 to 8 seeds.
    """
    top, bottom = np.asarray(tops, float), np.asarray(bottoms, float)
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    _, clusters = np.unique(np.asarray(keys), return_inverse=True)
    n_seeds, n_keys = top.shape[0], int(clusters.max()) + 1
    if n_seeds < 2 or n_keys < 2:
        raise ValueError(f"{n_seeds} seeds and {n_keys} keys are too few for an interval")
    each_seed = by_group(top, bottom, groups).mean(-1)
    estimate = float(each_seed.mean())
    var_seeds = float(each_seed.var(ddof=1)) / n_seeds
    mean_top = top.mean(0)
    ratio, size = by_group(mean_top, bottom, groups), np.bincount(places, weights=bottom)
    parts = (mean_top - ratio[places] * bottom) / (len(names) * size[places])
    sums = np.bincount(clusters, weights=parts)
    var_items = float((sums**2).sum()) * n_keys / (n_keys - 1)
    if var_seeds == var_items == 0:
        return Crossed(estimate, estimate, estimate, float(estimate == 0), 0.0, 0.0)

    def half(tail: float) -> float:
        quantiles = stats.t.isf(tail, [n_seeds - 1, n_keys - 1])
        return math.hypot(*(quantiles * np.sqrt([var_seeds, var_items])))

    width = half((1 - COVERAGE) / 2)
    return Crossed(
        estimate,
        estimate - width,
        estimate + width,
        2 * _tail_of(abs(estimate), half),
        math.sqrt(var_seeds),
        math.sqrt(var_items),
    )


def _tail_of(distance: float, half: Callable[[float], float]) -> float:
    """Return the tail at which an interval is so wide, at least the smallest that matters."""
    if half(_SMALLEST_TAIL) <= distance:
        return _SMALLEST_TAIL
    return float(optimize.brentq(lambda tail: half(tail) - distance, _SMALLEST_TAIL, 0.5))
