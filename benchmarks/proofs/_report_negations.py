"""What the report's statistics do not do, on scores whose truth is known: it must go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from _report_truths import (
    COVERED,
    LEVEL,
    MOST_FALSE,
    TAILS,
    TEXT_KINDS,
    Pairs,
    accuracies,
    answered_pairs,
    inside,
    outcome,
    share_of,
    texts,
)
from scipy import special
from skald_report.statistics.comparison import mcnemar_exact
from skald_report.statistics.intervals import wilson
from skald_report.statistics.spread import displacements
from skald_report.statistics.sums import Floats, Sums, ratios
from skald_specs.claims import Measure


def must_fail(rng: np.random.Generator, n: int) -> Iterator[Measure]:
    """Yield what other methods do on such designs; each must fail, or ours would not be needed.

    Args:
        rng: Source of numbers.
        n: Evaluations of each design.
    """
    cells = accuracies(rng, 50, n, 0.5, 0.5)
    naive = wilson(cells.top.sum(0), cells.bottom.sum(0))
    yield _must("95 % intervals that take clustered items as independent: must miss",
                share_of(inside(naive.low, naive.high, 0.5)), "< 0.93", lambda v: v < COVERED[0])  # fmt: skip
    pairs = answered_pairs(rng, 50, n, (0.7, 0.7), 0.7)
    first, second = _as_items(pairs)
    yield _must("McNemar on clustered items of equal models at 5 %: must err",
                share_of(mcnemar_exact(first, second) < LEVEL), "> 0.06", lambda v: v > MOST_FALSE)  # fmt: skip
    better = answered_pairs(rng, 100, n, (0.72, 0.67), 0.15, alike=0.8)
    ours, unpaired = outcome(better), _unpaired(better)
    power = share_of(ours.p < LEVEL)
    yield _must("power of the unpaired test over that of the paired: must lose",
                share_of(unpaired < LEVEL) / power, "< 0.7", lambda v: v < 0.7, f"paired {power:.2f}")  # fmt: skip
    shares = []
    for tail, kind in product(TAILS, TEXT_KINDS):
        written, truth = texts(rng, 20, 1_000, tail, kind)
        shares.append(share_of(inside(*_bootstrap(rng, written), truth)))
    yield _must("95 % percentile intervals of the document bootstrap, expanded, worst of 20 texts: must miss",
                min(shares), "< 0.93", lambda v: v < COVERED[0], f"mean {np.mean(shares):.3f}")  # fmt: skip


def _must(
    measure: str, value: float, bound: str, holds: Callable[[float], bool], detail: str = ""
) -> Measure:
    return Measure(measure=measure, value=round(value, 4), unit="", bound=bound, holds=holds(value),
                   detail=detail)  # fmt: skip


def _as_items(pairs: Pairs) -> tuple[Floats, Floats]:
    """Return counts of items that only one of each pair got right, were all items independent."""
    one, other = (pairs.sums.top[:, side] for side in (pairs.first, pairs.second))
    # Of the models' right answers in a cluster as many are on the same items as can be: the fewest
    # discordant items there can be.
    return np.maximum(one - other, 0).sum(0), np.maximum(other - one, 0).sum(0)


def _unpaired(pairs: Pairs) -> Floats:
    """Return the p values of a test that forgets that the items are the same."""
    cells = pairs.sums
    variance = (displacements(cells) ** 2).sum(0)
    error = np.sqrt(variance[pairs.first] + variance[pairs.second])
    difference = ratios(cells)[pairs.first] - ratios(cells)[pairs.second]
    return np.asarray(2 * special.ndtr(-np.abs(difference) / error))


def _bootstrap(rng: np.random.Generator, cells: Sums) -> tuple[Floats, Floats]:
    """Return expanded percentile intervals of Hesterberg 2015 from 1,000 draws of clusters."""
    count = len(cells.keys)
    times = rng.multinomial(count, np.full(count, 1 / count), size=1_000).astype(float)
    drawn = (times @ cells.top) / (times @ cells.bottom)
    tail = special.ndtr(-np.sqrt(count / (count - 1)) * special.stdtrit(count - 1, 0.975))
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high
