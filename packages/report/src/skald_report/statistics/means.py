"""Means over tasks and languages, unweighted at each level, with the errors of all models at once.

Knows cells, each of one language and task, as sums by cluster; refuses to know their names.

Shapes: K distinct keys, T distinct tasks, M models, P pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from skald_report.statistics.intervals import Bounds, Scale, bounds, p_against
from skald_report.statistics.spread import (
    TAIL,
    Spread,
    against_zero,
    differing,
    displacements,
    spread,
    spread_of_pairs,
)
from skald_report.statistics.sums import Floats, Ints, Sums, ratios

#: Tasks that every language must have before they can stand for others.
FEWEST_TASKS = 5


class Cell(NamedTuple):
    """One task in one language, all models: every model has answered it.

    `task` is the same number for the same task in several languages, and equal keys of the sums mean
    the same cluster wherever they occur. `lowest` is the lowest possible score of a share whose
    highest is 1: 0, or after correction for chance c, -c / (1 - c).
    """

    language: int
    task: int
    sums: Sums
    lowest: float = 0.0


class Mean(NamedTuple):
    """A mean over cells, (M,), with what its errors are made of.

    `parts` (K, M) are what each cluster adds to the mean. `by_key` (K, M) says how far the mean moves
    without it, these tasks fixed; `by_task` (T, M) with each task, None with too few tasks in a
    language. `n_strata` groups of cells share no key.
    """

    estimate: Floats
    parts: Floats
    by_key: Floats
    by_task: Floats | None
    n_strata: int
    lowest: float


class MeanInterval(NamedTuple):
    """Intervals of means, (M,): these tasks and languages fixed, and with tasks drawn anew."""

    low: Floats
    high: Floats
    se: Floats
    low_tasks: Floats
    high_tasks: Floats


class MeanDifferences(NamedTuple):
    """First mean minus second, (P,), these tasks and languages fixed; `n_differing` clusters differ."""

    difference: Floats
    low: Floats
    high: Floats
    se: Floats
    df: Floats
    p: Floats
    n_differing: Ints


def hierarchical_mean(cells: Sequence[Cell]) -> Mean:
    """Return the mean over tasks within a language, then over languages.

    A key that occurs in several cells (one scene told in five languages) moves all of them at once,
    because its renderings are not independent; so does a task that several languages have.

    Raises:
        ValueError: There is no cell, or a language has one task twice.

    Source: two-stage sampling, Cochran 1977, Sampling Techniques, chapter 11; clustered means, Miller
        2024, arXiv 2411.00640.
    """
    places = [(cell.language, cell.task) for cell in cells]
    if not places or len(set(places)) < len(places):
        raise ValueError(f"{len(places)} cells of {len(set(places))} tasks and languages")
    languages, in_language = np.unique([place[0] for place in places], return_inverse=True)
    tasks, of_task = np.unique([place[1] for place in places], return_inverse=True)
    n_tasks = np.bincount(in_language)
    weights = 1 / (len(languages) * n_tasks[in_language])
    scores = np.stack([ratios(cell.sums) for cell in cells])
    keys, at = np.unique(np.concatenate([cell.sums.keys for cell in cells]), return_inverse=True)
    sizes = [len(cell.sums.keys) for cell in cells]
    by_key, parts = (np.zeros((len(keys), scores.shape[1])) for _ in range(2))
    places_of_keys = np.split(at, np.cumsum(sizes)[:-1])
    for cell, weight, here in zip(cells, weights, places_of_keys, strict=True):
        by_key[here] += weight * displacements(cell.sums)
        parts[here] += weight * cell.sums.top / cell.sums.bottom.sum(0)
    by_task = None
    if n_tasks.min() >= FEWEST_TASKS:
        of_language = np.zeros((len(languages), scores.shape[1]))
        np.add.at(of_language, in_language, scores / n_tasks[in_language][:, None])
        by_task = np.zeros((len(tasks), scores.shape[1]))
        np.add.at(by_task, of_task, weights[:, None] * (scores - of_language[in_language]))
        by_task *= math.sqrt(len(tasks) / (len(tasks) - 1))
    lowest = float(weights @ [cell.lowest for cell in cells])
    # Not a matrix product, whose order of summing differs by column: a copy of a model has its mean.
    estimate = (weights[:, None] * scores).sum(axis=0)
    return Mean(estimate, parts, by_key, by_task, _strata(at, sizes), lowest)


def _strata(keys: Ints, sizes: Sequence[int]) -> int:
    """Return how many groups of cells have no key in common; `keys` are those of all cells in turn."""
    cell = np.repeat(np.arange(len(sizes)), sizes)
    shape = (len(sizes), int(keys.max()) + 1)
    holds = sparse.coo_array((np.ones(len(keys)), (cell, keys)), shape=shape).tocsr()
    found, _ = sparse.csgraph.connected_components(holds @ holds.T, directed=False)
    return int(found)


def mean_interval(mean: Mean, scale: Scale) -> MeanInterval:
    """Return the intervals of means.

    With tasks drawn anew the interval is never narrower than with these tasks fixed; NaN with fewer
    than `FEWEST_TASKS` tasks in a language.

    Args:
        mean: Means of M models over the same tasks and languages.
        scale: What is averaged; intervals of shares lie between the lowest possible mean and 1.

    Returns:
        Ends in the unit of the scores, (M,).
    """
    found = _spread(mean)
    fixed = _bounds(mean, found, scale)
    low, high = (np.full_like(found.se, np.nan) for _ in range(2))
    if mean.by_task is not None:
        wide = _bounds(mean, spread(mean.by_task, len(mean.by_task)), scale)
        low, high = np.minimum(fixed.low, wide.low), np.maximum(fixed.high, wide.high)
    return MeanInterval(fixed.low, fixed.high, found.se, low, high)


def mean_against(mean: Mean, scale: Scale, value: float) -> Floats:
    """Return two-sided p values of means against a given one, (M,), in step with `mean_interval`.

    Args:
        mean: The means; of shares those whose lowest is 0.
        scale: What they are.
        value: As the level of chance.
    """
    return p_against(mean.estimate, _spread(mean), scale, len(mean.by_key), value)


def _spread(mean: Mean) -> Spread:
    return spread(mean.by_key, len(mean.by_key), mean.n_strata)


def _bounds(mean: Mean, found: Spread, scale: Scale, tail: float = TAIL) -> Bounds:
    """Return intervals of means; those of shares are drawn between the lowest possible mean and 1."""
    if scale != "share":
        return bounds(mean.estimate, found, scale, len(mean.by_key), tail=tail)
    width = 1 - mean.lowest
    share = np.clip((mean.estimate - mean.lowest) / width, 0, 1)
    told = bounds(share, found._replace(se=found.se / width), scale, len(mean.by_key), tail=tail)
    return Bounds(mean.lowest + width * told.low, mean.lowest + width * told.high)


def mean_differences(mean: Mean, first: ArrayLike, second: ArrayLike) -> MeanDifferences:
    """Compare pairs of models by their means over the same cells.

    Args:
        mean: The means.
        first: Columns, (P,).
        second: Columns, (P,).
    """
    one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
    difference = mean.estimate[one] - mean.estimate[other]
    found: Spread = spread_of_pairs(mean.by_key, one, other, len(mean.by_key), mean.n_strata)
    differ = differing(mean.parts, one, other)
    tested = against_zero(difference, found, differ, len(mean.by_key))
    return MeanDifferences(
        difference, tested.low, tested.high, found.se, found.df, tested.p, differ
    )


class Worst(NamedTuple):
    """The worst of several means, (M,); `which` is its place among them."""

    which: Ints
    estimate: Floats
    low: Floats
    high: Floats


def worst(means: Sequence[Mean], scale: Scale, higher_is_better: bool) -> Worst:
    """Return the worst of each model's means over languages, with an interval of the true worst.

    The true worst is some language, not known which: the bound towards worse is the worst of the
    languages' own bounds, the other that of bounds whose tail is divided by the languages
    (Bonferroni). It covers more often than said.

    Args:
        means: One a language, of the same M models.
        scale: What is averaged.
        higher_is_better: False for bits per byte.

    Returns:
        Ends in the unit of the scores, (M,).

    Standing: derived; the proof of the report measures its coverage.
    """
    sign = 1 if higher_is_better else -1
    scores = np.stack([mean.estimate for mean in means])
    spreads = [_spread(mean) for mean in means]
    own = [_bounds(*each, scale) for each in zip(means, spreads, strict=True)]
    wide = [_bounds(*each, scale, TAIL / len(means)) for each in zip(means, spreads, strict=True)]
    which = (sign * scores).argmin(0)
    pick, estimate = (np.min, scores.min(0)) if higher_is_better else (np.max, scores.max(0))
    lows, highs = (own, wide) if higher_is_better else (wide, own)
    low = pick(np.stack([each.low for each in lows]), axis=0)
    high = pick(np.stack([each.high for each in highs]), axis=0)
    return Worst(which, estimate, low, high)
