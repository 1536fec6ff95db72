"""Scores whose truth is known, in clusters of unequal size, many evaluations at once.

Evaluations stand side by side as columns, as models do in the report, so that thousands of them are
one array.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special
from skald_report.statistics.means import Cell
from skald_report.statistics.spread import (
    Tested,
    against_zero,
    differing,
    displacements,
    spread_of_pairs,
)
from skald_report.statistics.sums import Floats, Ints, Sums, ratios

#: How rates of texts depend on what they are: alike; with a long upper tail; surer for long texts;
#: higher for short texts, as where a model needs context.
TextKind = Literal["alike", "skewed", "surer", "short-harder", "short-much-harder"]
TEXT_KINDS: tuple[TextKind, ...] = ("alike", "skewed", "surer", "short-harder")
#: What intervals must cover, the level of a test, and how often it may err.
COVERED, LEVEL, MOST_FALSE = (0.93, 0.97), 0.05, 0.06
#: Standard deviations of the logarithm of a text's bytes.
TAILS = (0.5, 1.0)
Held = NDArray[np.bool_]
MEAN_ITEMS = 6
MEDIAN_BYTES, LEAST_BYTES = 800, 40
#: Bits per byte that a text of median length has more than an endless one, and the power of length.
SHORT_COST: dict[TextKind, float] = {"short-harder": 0.25, "short-much-harder": 0.5}
LENGTH_POWER = -0.3


def sizes(rng: np.random.Generator, shape: tuple[int, ...]) -> Ints:
    """Return items of clusters: about six, often one or two, now and then forty and more."""
    drawn = 1 + np.floor(rng.lognormal(np.log(MEAN_ITEMS) - 0.5, 1.0, shape))
    return np.asarray(np.minimum(drawn, 200), np.int64)


def accuracies(
    rng: np.random.Generator, n_clusters: int, n: int, share: float, correlation: float
) -> Sums:
    """Return right answers of evaluations whose clusters have chances from a beta distribution.

    Args:
        rng: Source of numbers.
        n_clusters: Clusters of each evaluation.
        n: Evaluations.
        share: True accuracy.
        correlation: Of two items of a cluster, 0 to below 1.
    """
    items = sizes(rng, (n_clusters, n))
    chance = np.full((n_clusters, n), share)
    if correlation:
        total = 1 / correlation - 1
        chance = rng.beta(share * total, (1 - share) * total, (n_clusters, n))
    return Sums(
        np.arange(n_clusters), rng.binomial(items, chance).astype(float), items.astype(float)
    )


def lengths(rng: np.random.Generator, shape: tuple[int, ...], tail: float) -> Floats:
    """Return bytes of texts; `tail` is the standard deviation of their logarithm."""
    return np.maximum(LEAST_BYTES, np.floor(rng.lognormal(np.log(MEDIAN_BYTES), tail, shape)))


def texts(
    rng: np.random.Generator, n_clusters: int, n: int, tail: float, kind: TextKind
) -> tuple[Sums, float]:
    """Return bits and bytes of evaluations, and the true bits per byte.

    Args:
        rng: Source of numbers.
        n_clusters: Texts of each evaluation.
        n: Evaluations.
        tail: Standard deviation of the logarithm of a text's bytes.
        kind: How rates depend on the text.
    """
    n_bytes = lengths(rng, (n_clusters, n), tail)
    noise, truth = 0.25 * rng.normal(size=n_bytes.shape), 1.0
    rates = 1 + noise
    if kind == "skewed":
        rates = rng.lognormal(-0.125, 0.5, n_bytes.shape)
    elif kind == "surer":
        rates = 1 + noise * np.sqrt(MEDIAN_BYTES / n_bytes)
    elif kind in SHORT_COST:
        many = lengths(np.random.default_rng(0), (2_000_000,), tail)
        rates = _rates(n_bytes, kind) + noise
        truth = float((_rates(many, kind) * many).sum() / many.sum())
    return Sums(np.arange(n_clusters), rates * n_bytes, n_bytes), truth


def _rates(n_bytes: Floats, kind: TextKind) -> Floats:
    return 1 + SHORT_COST[kind] * (n_bytes / MEDIAN_BYTES) ** LENGTH_POWER


class Pairs(NamedTuple):
    """Evaluations of two models on the same items; columns 2k and 2k + 1 are a pair."""

    sums: Sums
    first: Ints
    second: Ints


def paired(sums: Sums) -> Pairs:
    """Return the columns of sums as pairs of neighbours."""
    first = np.arange(0, sums.top.shape[1], 2)
    return Pairs(sums, first, first + 1)


def answers(
    rng: np.random.Generator,
    items: Ints,
    n: int,
    shares: tuple[float, ...],
    correlation: float,
    alike: float,
    common: Floats | None = None,
) -> Floats:
    """Return right answers by cluster of models on the same items, (C, n models): n times all models.

    Whether an item is right is a normal number below a threshold; the number is made of what the
    cluster and what the item contribute, each partly common to the models.

    Args:
        rng: Source of numbers.
        items: Items of each cluster, (C,).
        n: Evaluations.
        shares: Each model's true accuracy.
        correlation: Of the normal numbers within a cluster.
        alike: Share of the variance that the models have in common.
        common: What clusters contribute to all models, (C, n), where it is shared with other tasks.
    """
    cluster = np.repeat(np.arange(len(items)), items)
    starts = np.concatenate([[0], np.cumsum(items)[:-1]])
    shape = (len(items), n)
    scene = rng.standard_normal(shape) if common is None else common
    item = rng.standard_normal((len(cluster), n))
    found = []
    for share in shares:
        taste = np.sqrt(alike) * scene + np.sqrt(1 - alike) * rng.standard_normal(shape)
        own = np.sqrt(1 - alike) * rng.standard_normal(item.shape)
        value = np.sqrt(correlation) * taste[cluster] + np.sqrt(1 - correlation) * (
            np.sqrt(alike) * item + own
        )
        right = (value < special.ndtri(share)).astype(float)
        found.append(np.add.reduceat(right, starts, axis=0))
    return np.stack(found, axis=2).reshape(len(items), -1)


def answered_pairs(
    rng: np.random.Generator,
    n_clusters: int,
    n: int,
    shares: tuple[float, ...],
    correlation: float,
    alike: float = 0.5,
) -> Pairs:
    """Return evaluations of two models that answer the same items of the same clusters."""
    items = sizes(rng, (n_clusters,))
    top = answers(rng, items, n, shares, correlation, alike)
    bottom = np.repeat(items[:, None].astype(float), top.shape[1], axis=1)
    return paired(Sums(np.arange(n_clusters), top, bottom))


def text_pairs(rng: np.random.Generator, n_clusters: int, n: int, tail: float, gap: float) -> Pairs:
    """Return evaluations of two models that read the same texts; the first needs `gap` bits more."""
    n_bytes = lengths(rng, (n_clusters, n), tail)
    rate = rng.lognormal(-0.125, 0.5, n_bytes.shape)
    both = [rate + extra + 0.1 * rng.normal(size=rate.shape) for extra in (gap, 0.0)]
    top = np.stack([one * n_bytes for one in both], axis=2).reshape(n_clusters, -1)
    return paired(Sums(np.arange(n_clusters), top, np.repeat(n_bytes, 2, axis=1)))


def share_of(held: Held) -> float:
    """Return the share that holds."""
    return float(np.mean(held))


def inside(low: Floats, high: Floats, truth: float) -> Held:
    """Return which intervals hold the truth."""
    return np.asarray((low <= truth) & (truth <= high))


def outcome(pairs: Pairs) -> Tested:
    """Return what the report says of pairs that are there as sums."""
    cells, first, second = pairs
    difference = ratios(cells)[first] - ratios(cells)[second]
    n_clusters = len(cells.keys)
    found = spread_of_pairs(displacements(cells), first, second, n_clusters)
    return against_zero(difference, found, differing(cells.top, first, second), n_clusters)


class Languages(NamedTuple):
    """Cells of several tasks and languages, two models; the second's true mean and the true gap."""

    cells: list[Cell]
    truth: float
    gap: float
    worst: float


def languages(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    n: int,
    share: float,
    correlation: float,
    gap: float,
    shared: bool,
) -> Languages:
    """Return evaluations of two models on tasks in languages, more and less hard ones.

    Args:
        rng: Source of numbers.
        shape: Languages, tasks, clusters of each cell.
        n: Evaluations.
        share: True accuracy of the second model, about.
        correlation: Within a cluster.
        gap: What the first model is better by on average; the gap differs between cells.
        shared: Whether languages tell the same scenes, each a cluster.
    """
    n_languages, n_tasks, n_clusters = shape
    cells, truths, gaps = [], [], []
    for task in range(n_tasks):
        scene = rng.standard_normal((n_clusters, n))
        for language in range(n_languages):
            items = sizes(rng, (n_clusters,))
            second = float(np.clip(share + 0.1 * np.sin(language + 3 * task), 0.03, 0.97))
            tilt = 0.02 * np.cos(2 * np.pi * (language * n_tasks + task) / (n_languages * n_tasks))
            first = float(np.clip(second + gap + tilt, 0.02, 0.99))
            if not shared:
                scene = rng.standard_normal((n_clusters, n))
            top = answers(rng, items, n, (first, second), correlation, 0.5, scene)
            bottom = np.repeat(items[:, None].astype(float), top.shape[1], axis=1)
            keys = np.arange(n_clusters) + 1000 * task + (0 if shared else 100_000 * language)
            cells.append(Cell(language, task, Sums(keys, top, bottom)))
            truths.append(second)
            gaps.append(first - second)
    by_language = np.reshape(truths, (n_tasks, n_languages)).mean(0)
    return Languages(cells, float(np.mean(truths)), float(np.mean(gaps)), float(by_language.min()))


def drawn_tasks(
    rng: np.random.Generator, n_languages: int, n_tasks: int, n: int, share: float
) -> list[Cell]:
    """Return evaluations whose tasks are themselves drawn, each as hard in all languages, about.

    The true mean over tasks is `share`, up to what the bounds of shares cut off.
    """
    cells = []
    for task in range(n_tasks):
        level = rng.uniform(-0.15, 0.15, n)
        for language in range(n_languages):
            chance = np.clip(share + level + rng.uniform(-0.05, 0.05, n), 0, 1)
            right = rng.binomial(1, chance, (30, n)).astype(float)
            keys = np.arange(30) + 1000 * (task * n_languages + language)
            cells.append(Cell(language, task, Sums(keys, right, np.ones_like(right))))
    return cells
