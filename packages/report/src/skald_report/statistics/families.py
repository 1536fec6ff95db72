"""Corrections for asking many questions: a family of p values in, adjusted p values out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skald_report.statistics.sums import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm's adjusted p values, in the given order; for claims.

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_(j), at most 1: the chance of
    even one false claim in the family stays below the level, whatever the dependence.

    Args:
        p_values: (m,) or (m, families): each column is a family. NaN is no member of its family.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    values = np.asarray(p_values, float)
    order, ranked, left = _ranked(values)
    adjusted = np.maximum.accumulate(ranked * left, axis=0)
    return _in_place(np.minimum(adjusted, 1.0), order, values)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's adjusted p values, in the given order; for exploration.

    The i-th smallest of m becomes min over j >= i of m p_(j) / j, at most 1: of what is called
    different at level q, at most the share q is expected to be false.

    Args:
        p_values: (m,) or (m, families): each column is a family. NaN is no member of its family.

    Source: Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289; under
        positive dependence, Benjamini and Yekutieli 2001, Annals of Statistics 29:1165.
    """
    values = np.asarray(p_values, float)
    order, ranked, left = _ranked(values)
    size = left[:1]
    raised = ranked * size / (size - left + 1)
    # NaN sorts last, and must not spread to the members of the family.
    raised = np.where(np.isnan(raised), np.inf, raised)
    adjusted = np.minimum.accumulate(raised[::-1], axis=0)[::-1]
    return _in_place(np.minimum(adjusted, 1.0), order, values)


def _ranked(
    values: Floats,
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Floats, Floats]:
    """Return the order of each family, its sorted values, and how many are left at each place."""
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    size = (~np.isnan(values)).sum(0)
    place = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    return order, ranked, (size - place).astype(np.float64)


def _in_place(
    adjusted: Floats, order: np.ndarray[tuple[int, ...], np.dtype[np.intp]], values: Floats
) -> Floats:
    found = np.empty_like(values)
    np.put_along_axis(found, order, adjusted, axis=0)
    return np.where(np.isnan(values), np.nan, found)
