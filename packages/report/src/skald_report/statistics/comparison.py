"""Two models on the same items: paired differences, tests and verdicts, for many pairs at once.

Knows arrays of items x models and pairs of columns; refuses to know names.

Shapes: I items, M models, P pairs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from skald_report.statistics.spread import (
    COVERAGE,
    against_zero,
    differing,
    displacements,
    smallest_p,
    spread_of_pairs,
    t_quantile,
    tested_error,
    within,
)
from skald_report.statistics.sums import Floats, Ints, ratios, sums

#: Level of a claim, and the chance of finding what a minimum detectable effect names.
LEVEL = 0.05
POWER = 0.8
PAIRED_T, MCNEMAR = "paired cluster t", "exact McNemar"


class Differences(NamedTuple):
    """First minus second with its interval, error and two-sided p value, all (P,).

    NaN where a pair shares no item, or one cluster alone; `test` names what made `p`. A pair differs in
    `n_differing` of its `n_keys` clusters.
    """

    difference: Floats
    low: Floats
    high: Floats
    se: Floats
    df: Floats
    p: Floats
    n_items: Ints
    n_keys: Ints
    n_differing: Ints
    test: NDArray[np.object_]


def paired_differences(
    scores: ArrayLike, weights: ArrayLike, keys: ArrayLike, first: ArrayLike, second: ArrayLike
) -> Differences:
    """Compare pairs of models on the items that both answered.

    What makes an item hard for both cancels. The interval is difference +- t se with the jackknife
    over clusters; p is that of the same t, or McNemar's exact one where scores are 1 or 0 and every
    item has a key of its own.

    Args:
        scores: (I, M), NaN where a model did not answer.
        weights: (I,), 1 or the bytes of a text.
        keys: (I,), equal keys form a cluster.
        first: Columns, (P,).
        second: Columns, (P,).

    Source: paired and clustered comparison, Miller 2024, arXiv 2411.00640, sections 2.2 and 4.
    """
    values, weight, names = np.asarray(scores, float), np.asarray(weights, float), np.asarray(keys)
    one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
    patterns, which = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    if patterns.shape[1] == 1:
        return _on_common(values, weight, names, one, other, patterns[:, 0])
    found = _empty(len(one))
    together = which.reshape(-1)[one] * patterns.shape[1] + which.reshape(-1)[other]
    for code in np.unique(together):
        here = np.flatnonzero(together == code)
        common = patterns[:, code // patterns.shape[1]] & patterns[:, code % patterns.shape[1]]
        if common.any():
            part = _on_common(values, weight, names, one[here], other[here], common)
            for column, filled in zip(found, part, strict=True):
                column[here] = filled
    return found


def _empty(n_pairs: int) -> Differences:
    def unknown() -> Floats:
        return np.full(n_pairs, np.nan)

    def none() -> Ints:
        return np.zeros(n_pairs, np.int64)

    return Differences(
        unknown(), unknown(), unknown(), unknown(), unknown(), unknown(), none(), none(),
        none(),
        np.full(n_pairs, "", object),
    )  # fmt: skip


def _on_common(
    scores: Floats,
    weights: Floats,
    keys: NDArray[np.generic],
    first: Ints,
    second: Ints,
    common: NDArray[np.bool_],
) -> Differences:
    """Compare pairs that answered the same items."""
    asked, at = np.unique(np.concatenate([first, second]), return_inverse=True)
    one, other = at[: len(first)], at[len(first) :]
    values = scores[np.ix_(common, asked)]
    cells = sums(values, weights[common], keys[common])
    n_items, n_keys = len(values), len(cells.keys)
    estimates = ratios(cells)
    difference = estimates[one] - estimates[other]
    found = spread_of_pairs(displacements(cells), one, other, n_keys)
    n_differing = differing(cells.top, one, other)
    tested = against_zero(difference, found, n_differing, n_keys)
    test = np.full(len(one), PAIRED_T, object)
    if n_keys == n_items:
        right = np.all(np.isin(values, (0.0, 1.0)), axis=0).reshape(-1)
        exact = right[one] & right[other]
        wins = np.where(right, values, 0.0)
        only_first, only_second = wins.T @ (1 - wins), (1 - wins).T @ wins
        p = mcnemar_exact(only_first[one, other], only_second[one, other])
        tested = within(tested._replace(p=np.where(exact, p, tested.p)))
        test[exact] = MCNEMAR
    return Differences(
        difference,
        tested.low,
        tested.high,
        found.se,
        found.df,
        tested.p,
        np.full(len(one), n_items),
        np.full(len(one), n_keys),
        n_differing,
        test,
    )


def mcnemar_exact(only_first: ArrayLike, only_second: ArrayLike) -> Floats:
    """Return the exact two-sided McNemar p values of models on the same items.

    Args:
        only_first: Items that only the first model got right.
        only_second: Items that only the second model got right.

    Returns:
        2 P(X <= min) for X ~ Binomial(discordant items, 1/2), at most 1; 1 without discordant items.

    Source: McNemar 1947, Psychometrika 12:153; exact form, binomial test on the discordant pairs.
    """
    one, other = np.asarray(only_first, np.int64), np.asarray(only_second, np.int64)
    # Few pairs of counts occur among thousands of pairs of models.
    base = int(max(one.max(initial=0), other.max(initial=0))) + 1
    codes, at = np.unique(
        np.minimum(one, other) * base + np.maximum(one, other), return_inverse=True
    )
    fewer, more = codes // base, codes % base
    p = np.minimum(1.0, 2 * special.bdtr(fewer, (fewer + more).astype(np.int64), 0.5))
    return np.asarray(p[at].reshape(one.shape))


def minimum_detectable(
    se: ArrayLike,
    df: ArrayLike,
    n_differing: ArrayLike,
    level: ArrayLike = LEVEL,
    power: float = POWER,
) -> Floats:
    """Return the smallest true difference that the test would find with the given power.

    (t_{1 - level/2} + t_power) times the standard error that the test takes (`against_zero`), with
    Student's quantiles, which with many clusters are the normal ones. NaN where the error is 0, as models
    that never differ do not say how far they might, and where so few clusters differ that the test
    cannot reach the level whatever they show.

    Args:
        se: Standard error of the paired difference.
        df: Its degrees of freedom.
        n_differing: Clusters in which the pair differs.
        level: Of the test, two-sided; `strictest` of its family where p values are corrected.
        power: Chance of finding the difference.

    Source: Miller 2024, arXiv 2411.00640, section 5, there with normal quantiles.
    """
    differ = np.asarray(n_differing, float)
    error, freedom = tested_error(np.asarray(se, float), differ), np.asarray(df, float)
    levels = np.broadcast_to(np.asarray(level, float), error.shape)
    freedom = np.broadcast_to(freedom, error.shape)
    times = t_quantile(freedom, 1 - power)
    # Few levels occur: pairs have as many tests as there are tasks and languages in common.
    for one in np.unique(levels):
        times = np.where(levels == one, times + t_quantile(freedom, one / 2), times)
    known = (error > 0) & (smallest_p(differ) < levels)
    return np.where(known, times * error, np.nan)


def strictest(n_tests: ArrayLike) -> Floats:
    """Return the level of a test at the strictest step of Holm's correction, 5 % over the tests.

    What is found there is found at every later step.
    """
    return np.asarray(LEVEL / np.maximum(np.asarray(n_tests, float), 1), float)


def verdicts(
    difference: ArrayLike, p: ArrayLike, higher_is_better: bool = True, level: float = LEVEL
) -> NDArray[np.object_]:
    """Return better, worse or tie of the first of each pair; a tie is what p does not tell apart.

    Args:
        difference: First minus second, (P,), in the unit of the scores.
        p: Two-sided p values, (P,), after whatever correction; NaN tells nothing apart.
        higher_is_better: False for bits per byte.
        level: Of the verdict.

    Returns:
        `better`, `worse` or `tie`, (P,).
    """
    better = np.asarray(difference, float) > 0
    if not higher_is_better:
        better = np.asarray(difference, float) < 0
    told = np.asarray(p, float) < level
    return np.where(told, np.where(better, "better", "worse"), "tie").astype(object)


class PairedMean(NamedTuple):
    """A mean of paired differences with its interval and two-sided p value."""

    estimate: float
    low: float
    high: float
    p: float
    n_pairs: int


def paired_mean(first: ArrayLike, second: ArrayLike) -> PairedMean:
    """Return the mean of first - second over pairs, with Student's interval.

    For pairs that are themselves summaries (a language's bits per byte), of which there are too few to
    resample. What varies is the pair; what made each summary uncertain is in it only as far as it made
    the pairs differ.

    Args:
        first: One value a pair.
        second: The other of each pair.

    Raises:
        ValueError: The lengths differ or there is no pair.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not one.size or one.shape != other.shape:
        raise ValueError(f"{one.shape} and {other.shape} are no pairs")
    differences = one - other
    estimate, count = float(differences.mean()), len(differences)
    spread = float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    if count < 2 or not spread:
        low = high = math.nan if count < 2 else estimate
        return PairedMean(estimate, low, high, 1.0 if count < 2 or not estimate else 0.0, count)
    half = float(special.stdtrit(count - 1, 0.5 + COVERAGE / 2)) * spread
    p = float(2 * special.stdtr(count - 1, -abs(estimate) / spread))
    return PairedMean(estimate, estimate - half, estimate + half, p, count)
