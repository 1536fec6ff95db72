"""Intervals of scores, for all models of one task in one language at once.

Knows sums by cluster; refuses to know models, languages and tasks.

Shapes: M models.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from skald_report.statistics.spread import (
    NORMAL_95,
    TAIL,
    Spread,
    displacements,
    spread,
    t_quantile,
)
from skald_report.statistics.sums import Floats, Ints, Sums, ratios

#: What scores are: shares of 0 to 1, bits (above 0, errors relative), or anything else.
Scale = Literal["share", "bits", "other"]
WILSON = "Wilson"
METHODS: dict[Scale, str] = {
    "share": "Wilson over keys",
    "bits": "Student's t over keys, log scale",
    "other": "Student's t over keys",
}


class Bounds(NamedTuple):
    """The two ends of intervals."""

    low: Floats
    high: Floats


class Scores(NamedTuple):
    """Scores with their intervals and standard errors, (M,); `n_keys` clusters stand behind each.

    `p` is against a given level, NaN without one.
    """

    estimate: Floats
    low: Floats
    high: Floats
    se: Floats
    p: Floats
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
    z = np.asarray(NORMAL_95 if quantile is None else quantile, float)
    p, shrink = np.asarray(successes, float) / size, 1 + z * z / size
    centre = (p + z * z / (2 * size)) / shrink
    half = z * np.sqrt(np.maximum(p * (1 - p), 0) / size + z * z / (4 * size * size)) / shrink
    # At 0 and n successes the bound is exact; rounding must not leave the estimate outside.
    return Bounds(
        np.maximum(0.0, np.minimum(p, centre - half)), np.minimum(1.0, np.maximum(p, centre + half))
    )


def scale_of(cells: Sums, bits: bool) -> Scale:
    """Return what the scores of one task are: bits where said, shares where none is beyond 0 and 1.

    Args:
        cells: Sums by cluster of one task in one language.
        bits: Whether the task is scored in bits per byte.
    """
    if bits:
        return "bits"
    return "share" if ((cells.top >= 0) & (cells.top <= cells.bottom)).all() else "other"


def bounds(
    estimate: Floats,
    found: Spread,
    scale: Scale,
    n_clusters: ArrayLike,
    most: ArrayLike = np.inf,
    tail: float = TAIL,
) -> Bounds:
    """Return the intervals of estimates from their spread, on the scale that fits them.

    - share: Wilson's interval with as many items as the clusters are worth, p (1 - p) / se^2, and
      Student's quantile. Where se is 0, as where all clusters have the same share, the clusters
      themselves are counted.
    - bits: estimate exp(+- t se / estimate).
    - other: estimate +- t se.

    Args:
        estimate: (M,).
        found: Its spread; NaN bounds where that is NaN.
        scale: What the scores are.
        n_clusters: Clusters behind each.
        most: Items that the clusters of shares are worth at most.
        tail: Of each side.

    Source: Korn and Graubard 1998, Survey Methodology 24:193; Franco, Little, Louis and Slud 2019,
        Journal of Survey Statistics and Methodology 7:334.
    """
    quantile = t_quantile(found.df, tail)
    half = quantile * found.se
    if scale == "other":
        return Bounds(estimate - half, estimate + half)
    spreads = found.se > 0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if scale == "bits":
            times = np.exp(np.where(spreads, half / estimate, half))
            return Bounds(estimate / times, estimate * times)
    size = _worth(estimate, found, n_clusters, most)
    normal = special.ndtri(1 - tail)
    return wilson(estimate * size, size, np.where(spreads, quantile, normal))


def _worth(estimate: Floats, found: Spread, n_clusters: ArrayLike, most: ArrayLike) -> Floats:
    """Return how many independent items the clusters of shares are worth."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        worth = np.minimum(estimate * (1 - estimate) / found.se**2, most)
    return np.where(found.se > 0, worth, np.where(np.isnan(found.se), np.nan, n_clusters))


def p_against(
    estimate: Floats,
    found: Spread,
    scale: Scale,
    n_clusters: ArrayLike,
    value: float,
    most: ArrayLike = np.inf,
) -> Floats:
    """Return two-sided p values of scores against a given one: below 0.05 where `bounds` exclude it.

    Args:
        estimate: (M,).
        found: Its spread; NaN where that is NaN.
        scale: What the scores are; NaN for bits, which have no level to be set against.
        n_clusters: Clusters behind each.
        value: What they are set against, as the level of chance; NaN where not between 0 and 1.
        most: Items that the clusters of shares are worth at most.

    Source: score test, of which Wilson's interval is the inverse, Wilson 1927, JASA 22:209.
    """
    if scale == "bits" or not 0 < value < 1:
        return np.full(np.shape(estimate), np.nan)
    error, spreads = found.se, found.se > 0
    if scale == "share":
        error = np.sqrt(value * (1 - value) / _worth(estimate, found, n_clusters, most))
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = -np.abs(estimate - value) / error
    told: Floats = np.where(
        spreads, 2 * special.stdtr(found.df, distance), 2 * special.ndtr(distance)
    )
    return told


def scores_with_intervals(
    cells: Sums, binary: ArrayLike, scale: Scale, chance: float = np.nan
) -> Scores:
    """Return scores with the interval that fits them.

    Wilson where scores are 1 or 0 and every item has a key of its own; else `bounds`.

    Args:
        cells: The sums; items weigh 1, texts their bytes.
        binary: Which models have scores of 1 and 0 only, (M,) or one for all.
        scale: What the scores are, from `scale_of`.
        chance: What p is against.

    Returns:
        NaN bounds for a model with a single cluster of several items; NaN scores without an answer.
    """
    estimate, n_keys, n_items = ratios(cells), (cells.bottom > 0).sum(0), cells.bottom.sum(0)
    found = spread(displacements(cells), n_keys)
    is_binary = np.broadcast_to(np.asarray(binary, bool), estimate.shape)
    most = np.where(is_binary, n_items, np.inf)
    low, high = bounds(estimate, found, scale, n_keys, most)
    p = p_against(estimate, found, scale, n_keys, chance, most)
    method = np.full(estimate.shape, METHODS[scale], object)
    if scale == "share":
        alone = is_binary & (cells.bottom.max(0) <= 1) & (n_items > 0)
        low[alone], high[alone] = wilson(estimate[alone] * n_items[alone], n_items[alone])
        # Independent items need no spread between them: their number says how far they move.
        size = n_items[alone]
        exact = Spread(np.zeros(len(size)), np.ones(len(size)))
        p[alone] = p_against(estimate[alone], exact, scale, size, chance)
        method[alone] = WILSON
    return Scores(estimate, low, high, found.se, p, n_keys, method)
