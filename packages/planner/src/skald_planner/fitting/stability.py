"""How far the best learning rate moves as a model grows, with its standard error over seeds.

Knows losses over learning rates at several sizes, seeds paired; refuses to know what grows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from skald_specs.errors import ClaimError

from skald_planner.fitting.parabola import least_squares
from skald_planner.fitting.window import WHERE, near_optimum, require_minimum


class BestLr(NamedTuple):
    """The vertex of a parabola in log2 of the base learning rate, and the fitted loss there."""

    log2_lr: float
    loss: float


class Drift(NamedTuple):
    """How far the optimum moves from the smallest size to the largest, in octaves."""

    octaves: float
    standard_error: float


def best_lr(rows: pd.DataFrame) -> BestLr:
    """Fit the optimum of one size on the mean over seeds of log loss.

    Args:
        rows: Runs of one size: columns lr, seed, loss, diverged, horizon_tokens.

    Returns:
        The optimum.

    Raises:
        UserInputError: Fewer than three learning rates have a finite loss.
        ClaimError: The grid does not enclose the optimum.

    Source: a parabola through the learning rates near the lowest, as in the law (`fit.py`).
    """
    near = near_optimum(rows)
    used = rows[rows["lr"].isin(near)]
    log_loss = np.log(used["loss"]).groupby(used["lr"]).mean().sort_index()
    x = np.log2(log_loss.index.to_numpy(dtype=np.float64))
    centre = float(x.mean())
    u = x - centre
    fit = least_squares(np.stack([u**2, u, np.ones_like(u)], axis=1), log_loss.to_numpy())
    curvature, slope, level = (float(c) for c in fit.coefficients)
    require_minimum(curvature)
    at = -slope / (2 * curvature)
    if not u.min() - 0.5 <= at <= u.max() + 0.5:
        raise ClaimError(
            f"{WHERE}: the fitted optimum, lr = {2 ** (centre + at):.3g}, lies outside the learning rates "
            f"around the lowest loss, {near[0]:.3g} to {near[-1]:.3g}; add learning rates between them, "
            "or seeds"
        )
    return BestLr(centre + at, math.exp(level - slope**2 / (4 * curvature)))


def best_lrs(table: pd.DataFrame, by: Sequence[Hashable]) -> pd.DataFrame:
    """Fit the optimum of every group, with a jackknife standard error over paired seeds.

    Args:
        table: Runs of several sizes; see `best_lr`.
        by: Columns that tell the groups apart.

    Returns:
        The columns of `by`, log2_lr, standard_error (octaves) and loss, a row for each group.
    """
    rows = []
    for key, own in table.groupby(list(by), sort=False):
        best = best_lr(own)
        spread = _jackknife([best_lr(left).log2_lr for left in _without_each_seed(own)])
        values = key if isinstance(key, tuple) else (key,)
        rows.append(
            dict(zip(by, values, strict=True))
            | {"log2_lr": best.log2_lr, "standard_error": spread, "loss": best.loss}
        )
    return pd.DataFrame(rows)


def drift(table: pd.DataFrame, along: str) -> Drift:
    """Measure how far the optimum moves from the smallest to the largest size.

    Args:
        table: Runs of one parametrisation; see `best_lr`.
        along: The column that holds the size.

    Returns:
        log2 lr at the largest minus at the smallest size, and its standard error: the jackknife
        over seeds, which are paired, so that what one seed does to all sizes cancels.

    Source: Efron and Stein (1981), the jackknife estimate of variance.
    """
    sizes = sorted(table[along].unique())
    ends = table[table[along].isin((sizes[0], sizes[-1]))]

    def moved(rows: pd.DataFrame) -> float:
        low, high = (best_lr(rows[rows[along] == size]).log2_lr for size in (sizes[0], sizes[-1]))
        return high - low

    return Drift(moved(ends), _jackknife([moved(left) for left in _without_each_seed(ends)]))


def _without_each_seed(table: pd.DataFrame) -> list[pd.DataFrame]:
    seeds = sorted(table["seed"].unique())
    return [table[table["seed"] != seed] for seed in seeds] if len(seeds) > 1 else []


def _jackknife(left_out: list[float]) -> float:
    n = len(left_out)
    if n < 2:
        return math.nan
    return math.sqrt((n - 1) / n * float(np.sum((np.array(left_out) - np.mean(left_out)) ** 2)))
