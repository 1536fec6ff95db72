"""Intervals of scores, for all models of one task in one language at once.

Knows sums by cluster; refuses to know models, languages and tasks.

Shapes: M models, R draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from skald_report.statistics.draws import Floats, Ints, Sums, counts, drawn, ratios
from skald_report.statistics.spread import COVERAGE, Spread, displacements, spread, t_quantile

WILSON, WILSON_KEYS, BOOTSTRAP = "Wilson", "Wilson over keys", "cluster bootstrap"


class Bounds(NamedTuple):
    """The two ends of intervals."""

    low: Floats
    high: Floats


class Scores(NamedTuple):
    """Scores with their intervals and standard errors, (M,); `n_keys` clusters stand behind each."""

    estimate: Floats
    low: Floats
    high: Floats
    se: Floats
    n_keys: Ints
    method: NDArray[np.object_]


def wilson(successes: ArrayLike, n: ArrayLike, quantile: ArrayLike | None = None) -> Bounds:
    """Return the Wilson score interval of proportions.

    With p = successes / n and z the normal quantile: centre (p + z^2/2n) / (1 + z^2/n), half-width
    z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n). Never empty, even at 0 or n successes.

    Args:
        successes: Right answers, 0 to n.
        n: Independent items, above 0; of clustered items the number that says as much.
        quantile: Instead of the normal quantile z.

    Source: Wilson 1927, JASA 22:209; Brown, Cai and DasGupta 2001, Statistical Science 16:101.
    """
    size = np.asarray(n, float)
    z = np.asarray(special.ndtri(0.5 + COVERAGE / 2) if quantile is None else quantile, float)
    p, shrink = np.asarray(successes, float) / size, 1 + z * z / size
    centre = (p + z * z / (2 * size)) / shrink
    half = z * np.sqrt(p * (1 - p) / size + z * z / (4 * size * size)) / shrink
    # At 0 and n successes the bound is exact; rounding must not leave the estimate outside.
    return Bounds(
        np.maximum(0.0, np.minimum(p, centre - half)), np.minimum(1.0, np.maximum(p, centre + half))
    )


def clustered_wilson(p: Floats, found: Spread, n_items: Floats, n_keys: Ints) -> Bounds:
    """Return Wilson's interval with as many items as the clustered ones are worth.

    p (1 - p) / se^2 items, at most the real ones, and Student's quantile for the normal one. Where
    all clusters have the same share, se is 0 and the clusters themselves are counted.

    Source: Korn and Graubard 1998, Survey Methodology 24:193; Franco, Little, Louis and Slud 2019,
        Journal of Survey Statistics and Methodology 7:334.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        worth = np.minimum(p * (1 - p) / found.se**2, n_items)
    spreads = found.se > 0
    quantile = np.where(spreads, t_quantile(found.df), special.ndtri(0.5 + COVERAGE / 2))
    size = np.where(spreads, worth, n_keys)
    return wilson(p * size, size, quantile)


def bootstrap_interval(draws: Floats, n_clusters: int | Ints) -> Bounds:
    """Return expanded percentile intervals of draws (R, M).

    The tails are Phi(-sqrt(C/(C-1)) t_{C-1}) instead of 2.5 %, because the plain percentile interval
    is too narrow for few clusters C. NaN draws are left out.

    Source: Hesterberg 2015, The American Statistician 69:371 (arXiv 1411.5279), section 4.
    """
    count = np.broadcast_to(np.asarray(n_clusters, float), draws.shape[1:])
    low, high = np.full(count.shape, np.nan), np.full(count.shape, np.nan)
    for n in np.unique(count[count > 1]):
        here = count == n
        tail = float(
            special.ndtr(-np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.5 + COVERAGE / 2))
        )
        low[here], high[here] = np.nanquantile(draws[:, here], [tail, 1 - tail], axis=0)
    return Bounds(low, high)


def scores_with_intervals(cells: Sums, binary: ArrayLike) -> Scores:
    """Return scores with the interval that fits them.

    Wilson where scores are 1 or 0, with the items' number where every item has a key of its own and
    else with what the clusters are worth; the cluster bootstrap where scores are anything else, which
    for texts, whose keys are documents, is a document bootstrap.

    Args:
        cells: The sums; of 1 and 0 the items weigh 1.
        binary: Which models have scores of 1 and 0 only, (M,) or one for all.

    Returns:
        NaN bounds for a model with one cluster of several items, and NaN scores without an answer.
    """
    estimate, n_keys = ratios(cells), (cells.bottom > 0).sum(0)
    n_items = cells.bottom.sum(0)
    is_binary = np.broadcast_to(np.asarray(binary, bool), estimate.shape)
    alone = is_binary & (cells.bottom.max(0) <= 1) & (n_items > 0)
    found = spread(displacements(cells), n_keys)
    low, high = np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    method = np.full(estimate.shape, BOOTSTRAP, object)
    if alone.any():
        low[alone], high[alone] = wilson(estimate[alone] * n_items[alone], n_items[alone])
        method[alone] = WILSON
    grouped = is_binary & ~alone & (n_items > 0)
    if grouped.any():
        part = Spread(*(column[grouped] for column in found))
        bounds = clustered_wilson(estimate[grouped], part, n_items[grouped], n_keys[grouped])
        low[grouped], high[grouped] = bounds
        method[grouped] = WILSON_KEYS
    rest = ~is_binary & (n_keys > 1)
    if rest.any():
        part_of = Sums(cells.keys, cells.top[:, rest], cells.bottom[:, rest])
        draws = drawn(part_of, counts(len(cells.keys)))
        low[rest], high[rest] = bootstrap_interval(draws, n_keys[rest])
    return Scores(estimate, low, high, found.se, n_keys, method)
