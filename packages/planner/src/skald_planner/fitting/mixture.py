"""Draws as distributions: several families' as one, intervals, and the ridge at a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skald_specs.plan import COVERAGE
from skald_specs.ridge import ridge
from skald_specs.timefit import FamilyKind, Interval

from skald_planner.fitting.cells import Floats


def by_weight(weights: Sequence[float], draws: Sequence[Floats]) -> Floats:
    """Join draws of several families.

    Args:
        weights: Of the families, any scale; families that all weigh nothing count alike.
        draws: Each family's, of equal number.

    Returns:
        As many draws, each family's share evenly spaced among its own.
    """
    count = draws[0].shape[0]
    shown = weights if np.sum(weights) > 0 else np.ones(len(weights))
    ends = np.round(np.cumsum(shown) / np.sum(shown) * count).astype(int)
    shares = np.diff(ends, prepend=0)
    parts = [
        drawn[np.linspace(0, count - 1, share).astype(int)]
        for share, drawn in zip(shares, draws, strict=True)
    ]
    return np.concatenate(parts)


def interval_of(draws: Floats) -> Interval:
    """Return the central interval of draws at `COVERAGE`."""
    low, high = np.quantile(draws, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
    return float(low), float(high)


def at_point(
    kind: FamilyKind,
    names: Sequence[str],
    values: Floats,
    draws: Floats,
    y: float,
    t: float,
    n: float,
) -> tuple[float, Floats]:
    """Evaluate a family's ridge at a point.

    Args:
        kind: Its form.
        names: Its parameters' names.
        values: The parameters.
        draws: Of the bootstrap, shape (draws, parameters).
        y: log2 batch in tokens, from the centre.
        t: log2 horizon in tokens, from the centre.
        n: log2 non-embedding parameters, from the centre.

    Returns:
        log2 of the best learning rate from the centre: the estimate, and one for each draw.
    """

    def ridge_of(table: Floats) -> Floats:
        p = {name: table[..., i] for i, name in enumerate(names)}
        return np.asarray(ridge(kind, p, y, t, n))

    return float(ridge_of(values)), ridge_of(draws)


def rounded(value: float) -> float:
    """Round to three digits, far below an interval, so that a plan survives another BLAS."""
    return float(f"{value:.3g}")
