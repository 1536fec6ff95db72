"""How much of a difference is luck: of the seed, of the moment training stopped, and of the items.

Knows scores of repeated runs; refuses to know models and tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from skald_report.statistics.spread import COVERAGE
from skald_report.statistics.sums import Floats


class Deviation(NamedTuple):
    """A standard deviation with its interval; all NaN where nothing was repeated."""

    sd: float
    low: float
    high: float
    df: int


def seed_deviation(groups: Sequence[ArrayLike]) -> Deviation:
    """Return the standard deviation between seeds, pooled over groups of runs alike but for seeds.

    The interval is that of a normal sample, sd sqrt(df / chi^2): with three seeds it reaches from
    half of the deviation to six times it.

    Args:
        groups: Scores of the seeds of each group; a group of one says nothing. NaN is left out.

    Source: Cochran 1934, Mathematical Proceedings of the Cambridge Philosophical Society 30:178.
    """
    values = [np.asarray(group, float) for group in groups]
    known = [group[~np.isnan(group)] for group in values]
    df = sum(len(group) - 1 for group in known if len(group) > 1)
    if not df:
        return Deviation(np.nan, np.nan, np.nan, 0)
    total = sum(float(((group - group.mean()) ** 2).sum()) for group in known if len(group) > 1)
    tails = np.array([(1 + COVERAGE) / 2, (1 - COVERAGE) / 2])
    # chdtri takes the upper tail.
    low, high = np.sqrt(total / special.chdtri(df, 1 - tails))
    return Deviation(float(np.sqrt(total / df)), float(low), float(high), df)


def seed_difference(found: Deviation) -> float:
    """Return what two seeds differ by in 95 % of cases, t sqrt(2) sd; NaN where nothing was repeated.

    Args:
        found: The deviation between seeds; with few its t is large.
    """
    return float(special.stdtrit(found.df, (1 + COVERAGE) / 2) * np.sqrt(2) * found.sd)


def checkpoint_deviation(scores: ArrayLike) -> Floats:
    """Return the standard deviation over the last checkpoints of each run.

    Args:
        scores: (checkpoints, ...), one run or many.

    Returns:
        NaN with fewer than two checkpoints. A trend of training still under way counts as noise.

    Source: arXiv 2508.13144, section 3.
    """
    values = np.asarray(scores, float)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.std(axis=0, ddof=1))


def signal(scores: ArrayLike) -> float:
    """Return the standard deviation between models; NaN with fewer than two.

    Args:
        scores: One score a model; NaN is left out.
    """
    values = np.asarray(scores, float)
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def signal_to_noise(spread: float, noises: ArrayLike) -> float:
    """Return the spread between models over the largest noise known; NaN where none is.

    The spread holds the noise of the items too, so models that do not differ have a ratio near 1,
    not 0.

    Args:
        spread: Standard deviation between models.
        noises: Standard deviations of seeds, checkpoints and items; NaN where unknown.

    Source: arXiv 2508.13144, which divides the range of scores; a deviation does not grow with the
        number of models.
    """
    known = np.asarray(noises, float)
    known = known[~np.isnan(known)]
    if not len(known):
        return float("nan")
    if not known.max():
        return float("inf") if spread else float("nan")
    return float(spread / known.max())
