"""How far a score would move with other clusters: standard errors and their degrees of freedom.

Everything comes from one array of displacements, clusters x models: how far the score of a model moves
when a cluster is left out. Their cross products are the variances of all scores and the covariances of
all pairs of models at once.

Shapes: C clusters, M models, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from skald_report.statistics.sums import Floats, Ints, Sums, ratios

#: Probability that an interval is meant to cover.
COVERAGE = 0.95
#: Of each side of an interval.
TAIL = (1 - COVERAGE) / 2
#: Standard errors to each side of an interval of what is normal: 1.96.
NORMAL_95 = float(special.ndtri(1 - TAIL))


class Spread(NamedTuple):
    """A standard error with the degrees of freedom of its square, (M,) or (P,)."""

    se: Floats
    df: Floats


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
    differ) count as the few that they are. k is Fisher's unbiased estimate: the plain one cannot
    exceed C, and is too low where tails are heavy.

    Args:
        moved: Displacements, (C, any).
        n_clusters: Clusters that each column could have moved with.
        n_strata: Means that were taken out of the clusters.

    Source: degrees of freedom of a sample variance, O'Neill 2014, The American Statistician 68:282;
        kurtosis, Joanes and Gill 1998, The Statistician 47:183.
    """
    squares = moved * moved
    return _from_moments(squares.sum(0), (squares * squares).sum(0), n_clusters, n_strata)


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
    squares, fourths = np.empty(len(first)), np.empty(len(first))
    for here, apart in _apart(moved, first, second):
        apart *= apart
        squares[here] = apart.sum(1)
        fourths[here] = np.einsum("pc,pc->p", apart, apart)
    return _from_moments(squares, fourths, n_clusters, n_strata)


def differing(parts: Floats, first: Ints, second: Ints) -> Ints:
    """Return in how many clusters (rows of parts) each pair of columns differs, (P,).

    Args:
        parts: Numerators of scores by cluster, (C, M).
        first: Columns, (P,).
        second: Columns, (P,).
    """
    found = np.empty(len(first), np.int64)
    for here, apart in _apart(parts, first, second):
        found[here] = (apart != 0).sum(1)
    return found


def _apart(values: Floats, first: Ints, second: Ints) -> Iterator[tuple[slice, Floats]]:
    """Yield the differences of pairs of columns (some pairs, rows), few at once."""
    step = max(1, _CHUNK // max(1, len(values)))
    columns = np.ascontiguousarray(values.T)
    for start in range(0, len(first), step):
        here = slice(start, start + step)
        yield here, _without_rounding(columns[first[here]] - columns[second[here]])


#: Displacements of pairs held in memory at once.
_CHUNK = 1_000_000


def _from_moments(second: Floats, fourth: Floats, n_clusters: int | Ints, n_strata: int) -> Spread:
    """Return the spread of displacements whose sums of squares and of fourth powers are given."""
    count = np.maximum(np.asarray(n_clusters, float), 1)
    most = np.maximum(count - n_strata, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = count * fourth / (second * second) - 3
        unbiased = (count - 1) / ((count - 2) * (count - 3)) * ((count + 1) * excess + 6)
        beyond = unbiased + 3 - (count - 3) / (count - 1)
        df = np.where(beyond > 0, 2 * count / beyond, most)
    df = np.where((second > 0) & (count > 3), np.clip(df, 1, most), most)
    return Spread(np.sqrt(second), df)


def t_quantile(df: Floats, tail: float = TAIL) -> Floats:
    """Return Student's upper quantile; by default of a two-sided interval.

    Args:
        df: Degrees of freedom, any shape; need not be whole.
        tail: Probability beyond the quantile.

    Returns:
        Standard errors, in the shape of `df`.
    """
    # Few distinct degrees of freedom occur among thousands of pairs, and each takes long.
    distinct, at = np.unique(np.asarray(df, float), return_inverse=True)
    return np.asarray(special.stdtrit(distinct, 1 - tail)[at].reshape(np.shape(df)))


class Tested(NamedTuple):
    """Intervals of differences and their two-sided p values, (P,)."""

    low: Floats
    high: Floats
    p: Floats


def against_zero(difference: Floats, found: Spread, n_differing: Ints, n_clusters: int) -> Tested:
    """Return Student's intervals and p values of differences.

    The variance is taken as if one more cluster differed than the D that do, times 1 + 1/D: of models
    that differ in few items the spread is else too small too often. p is never below 2^(1 - D), the
    smallest that changing the signs of whole clusters could yield, so that three items are not
    significant for being alike; `within` keeps the interval in step. Where all clusters differ by
    the same, their spread says nothing, and Wilson's bound for as many clusters out of as many takes
    its place. Where none differs, p is 1.

    Args:
        difference: First minus second.
        found: Its spread.
        n_differing: Clusters in which the pair differs.
        n_clusters: Clusters.

    Source: one more discordant pair, Agresti and Min 2005, Statistics in Medicine 24:729, there for
        items; sign changes of clusters, Canay, Romano and Shaikh 2017, Econometrica 85:1013.
    """
    se = tested_error(found.se, n_differing)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * special.stdtr(found.df, -np.abs(difference) / se)
    p = np.where((se == 0) & (difference == 0), 1.0, p)
    p = np.minimum(1.0, np.maximum(p, smallest_p(n_differing)))
    half = t_quantile(found.df) * se
    low, high = difference - half, difference + half
    alike = (se == 0) & (difference != 0)
    nearest = difference * n_clusters / (n_clusters + NORMAL_95**2)
    low = np.where(alike, np.minimum(difference, nearest), low)
    high = np.where(alike, np.maximum(difference, nearest), high)
    return within(Tested(low, high, p))


def tested_error(se: Floats, n_differing: Ints) -> Floats:
    """Return the standard error that a test of differences takes: as if one more cluster differed.

    Args:
        se: Standard error of each difference, in the unit of the score, (P,).
        n_differing: Clusters in which each pair differs; 0 counts as 1.
    """
    return np.asarray(se * np.sqrt(1 + 1 / np.maximum(n_differing, 1)), float)


def smallest_p(n_differing: Ints) -> Floats:
    """Return the p value below which no difference of so many clusters can come."""
    return np.asarray(2.0 ** (1.0 - n_differing), float)


def within(found: Tested) -> Tested:
    """Return intervals that reach 0 wherever p does not tell the difference from 0."""
    untold = found.p >= 1 - COVERAGE
    return Tested(
        np.where(untold, np.minimum(found.low, 0.0), found.low),
        np.where(untold, np.maximum(found.high, 0.0), found.high),
        found.p,
    )
