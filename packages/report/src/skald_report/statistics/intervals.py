"""Intervals of scores, for all models of one task in one language at once.

Knows sums by cluster; refuses to know models, languages and tasks.

Shapes: M models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from skald_report.statistics.spread import COVERAGE, displacements, spread, t_quantile
from skald_report.statistics.sums import Floats, Ints, Sums, ratios

WILSON, WILSON_KEYS = "Wilson", "Wilson over keys"
T_KEYS, T_LOG = "Student's t over keys", "Student's t over documents, log scale"


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
    half = z * np.sqrt(np.maximum(p * (1 - p), 0) / size + z * z / (4 * size * size)) / shrink
    # At 0 and n successes the bound is exact; rounding must not leave the estimate outside.
    return Bounds(
        np.maximum(0.0, np.minimum(p, centre - half)), np.minimum(1.0, np.maximum(p, centre + half))
    )


def scores_with_intervals(cells: Sums, binary: ArrayLike, bits: bool) -> Scores:
    """Return scores with the interval that fits them.

    - 1 or 0, every item with a key of its own: Wilson.
    - 1 or 0 in clusters, and shares of 0 to 1: Wilson over keys, with as many items as the clusters
      are worth, p (1 - p) / se^2, and Student's quantile. Where all clusters have the same share, se
      is 0 and the clusters themselves are counted.
    - bits per byte, whose errors are relative: Student's t on the log scale.
    - anything else: Student's t.

    Args:
        cells: The sums; items weigh 1, texts their bytes.
        binary: Which models have scores of 1 and 0 only, (M,) or one for all.
        bits: Whether the scores are bits per byte.

    Returns:
        NaN bounds for a model with a single cluster of several items; NaN scores without an answer.

    Source: Korn and Graubard 1998, Survey Methodology 24:193; Franco, Little, Louis and Slud 2019,
        Journal of Survey Statistics and Methodology 7:334.
    """
    estimate, n_keys, n_items = ratios(cells), (cells.bottom > 0).sum(0), cells.bottom.sum(0)
    found = spread(displacements(cells), n_keys)
    quantile = t_quantile(found.df)
    half = quantile * found.se
    is_binary = np.broadcast_to(np.asarray(binary, bool), estimate.shape)
    low, high = estimate - half, estimate + half
    method = np.full(estimate.shape, T_LOG if bits else T_KEYS, object)
    if bits:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            relative = np.where(half > 0, half / estimate, half)
            low, high = estimate * np.exp(-relative), estimate * np.exp(relative)
    elif ((cells.top >= 0) & (cells.top <= cells.bottom)).all():
        with np.errstate(invalid="ignore", divide="ignore"):
            worth = estimate * (1 - estimate) / found.se**2
        worth = np.where(is_binary, np.minimum(worth, n_items), worth)
        worth = np.where(found.se > 0, worth, np.where(n_keys > 1, n_keys, np.nan))
        normal = special.ndtri(0.5 + COVERAGE / 2)
        low, high = wilson(estimate * worth, worth, np.where(found.se > 0, quantile, normal))
        method[:] = WILSON_KEYS
        alone = is_binary & (cells.bottom.max(0) <= 1) & (n_items > 0)
        low[alone], high[alone] = wilson(estimate[alone] * n_items[alone], n_items[alone])
        method[alone] = WILSON
    return Scores(estimate, low, high, found.se, n_keys, method)
