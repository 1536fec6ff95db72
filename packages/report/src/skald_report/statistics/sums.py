"""Sums by cluster, for all models of one task in one language at once.

Knows arrays of items x models; refuses to know what a model, a task or a language is. Items that share
vocabulary or a template share a key, and keys, not items, are what counts as independent.

Shapes: I items, M models, C clusters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Sums(NamedTuple):
    """Sums over each cluster: a model's score is the sum of `top` over the sum of `bottom`.

    Shapes: keys (C,), distinct and ascending; top and bottom (C, M). `bottom` is 0 where a model
    answered no item of the cluster.
    """

    keys: NDArray[Any]
    top: Floats
    bottom: Floats


def sums(scores: ArrayLike, weights: ArrayLike, keys: ArrayLike) -> Sums:
    """Sum numerators and denominators by key.

    Args:
        scores: (I, M), NaN where a model did not answer.
        weights: (I,), each item's weight: 1, or the bytes of a text whose score is bits per byte.
        keys: (I,), equal keys form a cluster.

    Raises:
        ValueError: The lengths differ or there is no item.
    """
    values, weight, names = np.asarray(scores, float), np.asarray(weights, float), np.asarray(keys)
    if values.ndim != 2 or not names.size or not len(values) == len(weight) == len(names):
        raise ValueError(f"{values.shape}, {weight.shape} and {names.shape} are not as many items")
    distinct, index = np.unique(names, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(distinct)))
    answered = ~np.isnan(values)
    top = np.where(answered, values, 0.0) * weight[:, None]
    bottom = answered * weight[:, None]
    return Sums(
        distinct,
        np.add.reduceat(top[order], starts, axis=0),
        np.add.reduceat(bottom[order], starts, axis=0),
    )


def ratios(cells: Sums) -> Floats:
    """Return each model's sum of `top` over sum of `bottom` (M,); NaN without an answer.

    Bits per byte is such a ratio, sum bits / sum bytes, as a compressor would count; a mean of ratios
    would let short documents weigh as much as long ones.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(cells.top.sum(0) / cells.bottom.sum(0))


def chance_corrected(cells: Sums, chance: float) -> Sums:
    """Return the sums of (score - chance) / (1 - chance): 0 for guessing, 1 for all right.

    Args:
        cells: Sums of a task whose scores are shares of right answers.
        chance: Score of guessing, in [0, 1).

    Raises:
        ValueError: Chance is not in [0, 1).

    Source: Abbott 1925, Journal of Economic Entomology 18:265; as kappa, Cohen 1960.
    """
    if not 0 <= chance < 1:
        raise ValueError(f"a chance level of {chance} leaves nothing above it")
    return cells._replace(top=(cells.top - chance * cells.bottom) / (1 - chance))
