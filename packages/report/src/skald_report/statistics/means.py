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

from skald_report.statistics.spread import (
    COVERAGE,
    Spread,
    against_zero,
    differing,
    displacements,
    spread,
    spread_of_pairs,
    t_quantile,
)
from skald_report.statistics.sums import Floats, Ints, Sums, ratios

#: Tasks that every language must have before they can stand for others.
FEWEST_TASKS = 5


class Cell(NamedTuple):
    """One task in one language, all models: every model has answered it.

    `task` is the same number for the same task in several languages, and equal keys of the sums mean
    the same cluster wherever they occur.
    """

    language: int
    task: int
    sums: Sums


class Mean(NamedTuple):
    """A mean over cells, (M,), with what its errors are made of.

    `parts` (K, M) are what each cluster adds to the mean. `by_key` (K, M) says how far the mean moves
    without it, these tasks fixed; `by_task` (T, M) with each task, None with too few tasks in a
    language.
    """

    estimate: Floats
    parts: Floats
    by_key: Floats
    by_task: Floats | None
    n_cells: int


class MeanInterval(NamedTuple):
    """Intervals of means, (M,): these tasks and languages fixed, and with tasks drawn anew."""

    low: Floats
    high: Floats
    se: Floats
    low_tasks: Floats
    high_tasks: Floats


class MeanDifferences(NamedTuple):
    """First mean minus second, (P,), these tasks and languages fixed."""

    difference: Floats
    low: Floats
    high: Floats
    se: Floats
    df: Floats
    p: Floats


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
    by_key, parts = (np.zeros((len(keys), scores.shape[1])) for _ in range(2))
    start = 0
    for cell, weight in zip(cells, weights, strict=True):
        here = at[start : start + len(cell.sums.keys)]
        start += len(here)
        by_key[here] += weight * displacements(cell.sums)
        parts[here] += weight * cell.sums.top / cell.sums.bottom.sum(0)
    by_task = None
    if n_tasks.min() >= FEWEST_TASKS:
        of_language = np.zeros((len(languages), scores.shape[1]))
        np.add.at(of_language, in_language, scores / n_tasks[in_language][:, None])
        by_task = np.zeros((len(tasks), scores.shape[1]))
        np.add.at(by_task, of_task, weights[:, None] * (scores - of_language[in_language]))
        by_task *= math.sqrt(len(tasks) / (len(tasks) - 1))
    return Mean(weights @ scores, parts, by_key, by_task, len(cells))


def mean_interval(mean: Mean) -> MeanInterval:
    """Return the intervals of means.

    With tasks drawn anew the interval is never narrower than with these tasks fixed; NaN with fewer
    than `FEWEST_TASKS` tasks in a language.
    """
    found = spread(mean.by_key, len(mean.by_key), mean.n_cells)
    half = t_quantile(found.df) * found.se
    wide = np.full_like(half, np.nan)
    if mean.by_task is not None:
        drawn = spread(mean.by_task, len(mean.by_task))
        wide = np.maximum(half, t_quantile(drawn.df) * drawn.se)
    estimate = mean.estimate
    return MeanInterval(
        estimate - half, estimate + half, found.se, estimate - wide, estimate + wide
    )


def mean_differences(mean: Mean, first: ArrayLike, second: ArrayLike) -> MeanDifferences:
    """Compare pairs of models by their means over the same cells.

    Args:
        mean: The means.
        first: Columns, (P,).
        second: Columns, (P,).
    """
    one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
    difference = mean.estimate[one] - mean.estimate[other]
    found: Spread = spread_of_pairs(mean.by_key, one, other, len(mean.by_key), mean.n_cells)
    tested = against_zero(difference, found, differing(mean.parts, one, other), len(mean.by_key))
    return MeanDifferences(difference, tested.low, tested.high, found.se, found.df, tested.p)


class Worst(NamedTuple):
    """The worst of several means, (M,); `which` is its place among them."""

    which: Ints
    estimate: Floats
    low: Floats
    high: Floats


def worst(means: Sequence[Mean], higher_is_better: bool = True) -> Worst:
    """Return the worst of each model's means over languages, with an interval of the true worst.

    The true worst is some language, not known which: one bound is the most extreme of the languages'
    own bounds, the other that of bounds at the tail divided by the languages (Bonferroni). It covers
    more often than said.
    """
    sign = 1.0 if higher_is_better else -1.0
    tail = (1 - COVERAGE) / 2
    scores = sign * np.stack([mean.estimate for mean in means])
    found = [spread(mean.by_key, len(mean.by_key), mean.n_cells) for mean in means]
    se = np.stack([one.se for one in found])
    lows = scores - np.stack([t_quantile(one.df, tail) for one in found]) * se
    highs = scores + np.stack([t_quantile(one.df, tail / len(means)) for one in found]) * se
    which = scores.argmin(0)
    low, high = sign * lows.min(0), sign * highs.min(0)
    return Worst(which, sign * scores.min(0), np.minimum(low, high), np.maximum(low, high))
