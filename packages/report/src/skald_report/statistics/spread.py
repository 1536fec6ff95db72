"""How far a score would move with other clusters: standard errors and their degrees of freedom.

Everything comes from one array of displacements, clusters x models: how far the score of a model moves
when a cluster is left out. Their cross products are the variances of all scores and the covariances of
all pairs of models at once.

Shapes: C clusters, M models, P pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from skald_report.statistics.draws import Floats, Ints, Sums, ratios

#: Probability that an interval is meant to cover.
COVERAGE = 0.95


class Spread(NamedTuple):
    """A standard error with the degrees of freedom of its square, (M,) or (P,).

    `moved` counts the clusters that move the estimate at all.
    """

    se: Floats
    df: Floats
    moved: Ints


def displacements(cells: Sums) -> Floats:
    """Return how far each model's score moves without each cluster, (C, M).

    Scaled so that the sum of squares is the jackknife variance with clusters left out whole, which of
    the cluster-robust variances (CR3) errs to the safe side where clusters are few or unequal. NaN for
    a model with one cluster.

    Source: Bell and McCaffrey 2002, Survey Methodology 28:169; MacKinnon, Nielsen and Webb 2023,
        Journal of Econometrics 232:272, section 5.
    """
    present = cells.bottom > 0
    n_clusters = present.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = cells.top - ratios(cells) * cells.bottom
        moved = residual / (cells.bottom.sum(0) - cells.bottom)
        scaled = moved * np.sqrt((n_clusters - 1) / n_clusters)
    return np.where(n_clusters < 2, np.nan, np.where(present, _without_rounding(scaled), 0.0))


def _without_rounding(moved: Floats) -> Floats:
    """Return the displacements with what rounding left of zeros set to zero."""
    return np.where(np.abs(moved) < 1e-13, 0.0, moved)


def spread(moved: Floats, n_clusters: int | Ints, n_strata: int = 1) -> Spread:
    """Return the spread of each column of displacements.

    The variance of C clusters is itself known only as well as its degrees of freedom say: C - 1 where
    the displacements are about normal, 2 C / (k - (C - 3) / (C - 1)) where their kurtosis is k, so
    that a few clusters which decide everything (huge documents, the few items on which two models
    differ) count as the few that they are.

    Args:
        moved: Displacements, (C, any).
        n_clusters: Clusters that each column could have moved with.
        n_strata: Means that were taken out of the clusters.

    Source: degrees of freedom of a sample variance, O'Neill 2014, The American Statistician 68:282.
    """
    squares = moved * moved
    second, fourth = squares.sum(0), (squares * squares).sum(0)
    return from_moments(second, fourth, (moved != 0).sum(0), n_clusters, n_strata)


def spread_of_pairs(
    moved: Floats, first: Ints, second: Ints, n_clusters: int | Ints, n_strata: int = 1
) -> Spread:
    """Return the spread of first - second for pairs of columns; the same clusters stand behind both.

    Args:
        moved: Displacements, (C, M).
        first: Columns, (P,).
        second: Columns, (P,).
        n_clusters: Clusters that each pair shares.
        n_strata: Means that were taken out of the clusters.
    """
    n_pairs = len(first)
    squares, fourths = np.empty(n_pairs), np.empty(n_pairs)
    moving = np.empty(n_pairs, np.int64)
    step = max(1, _CHUNK // max(1, len(moved)))
    columns = np.ascontiguousarray(moved.T)
    for start in range(0, n_pairs, step):
        here = slice(start, start + step)
        apart = _without_rounding(columns[first[here]] - columns[second[here]])
        moving[here] = (apart != 0).sum(1)
        apart *= apart
        squares[here] = apart.sum(1)
        fourths[here] = np.einsum("pc,pc->p", apart, apart)
    return from_moments(squares, fourths, moving, n_clusters, n_strata)


#: Displacements of pairs held in memory at once.
_CHUNK = 1_000_000


def from_moments(
    second: Floats, fourth: Floats, moving: Ints, n_clusters: int | Ints, n_strata: int
) -> Spread:
    """Return the spread of displacements whose sums of squares and of fourth powers are given."""
    count = np.asarray(n_clusters, float)
    most = np.maximum(count - n_strata, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kurtosis = count * fourth / (second * second)
        excess = kurtosis - (count - 3) / (count - 1)
        df = np.where(excess > 0, 2 * count / excess, most)
    df = np.where(second > 0, np.clip(df, 1, most), most)
    return Spread(np.sqrt(second), df, np.asarray(moving))


def t_quantile(df: Floats, tail: float = (1 - COVERAGE) / 2) -> Floats:
    """Return Student's upper quantile; by default of a two-sided interval."""
    return np.asarray(special.stdtrit(df, 1 - tail))


def two_sided(estimate: Floats, found: Spread) -> Floats:
    """Return the p value of an estimate against 0 by Student's t.

    Never below 2^(1 - clusters that move): the smallest that changing signs of whole clusters could
    yield, so that three items are not significant for being alike. 1 where nothing moves and the
    estimate is 0; NaN where the spread is not known.

    Source: sign changes of clusters, Canay, Romano and Shaikh 2017, Econometrica 85:1013.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * special.stdtr(found.df, -np.abs(estimate) / found.se)
    p = np.where((found.se == 0) & (estimate == 0), 1.0, p)
    return np.asarray(np.minimum(1.0, np.maximum(p, 2.0 ** (1.0 - found.moved))))
