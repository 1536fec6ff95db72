"""Which points of a horizon a parabola may be fitted to, and whether they bracket an optimum.

Knows one horizon at a time; refuses an optimum that the grid does not enclose.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from skald_specs.errors import ClaimError, UserInputError

from skald_planner.fitting.cells import GRID_WINDOW

WHERE = "run table"


def near_optimum(rows: pd.DataFrame) -> tuple[float, ...]:
    """Return the learning rates of one horizon that enclose its optimum.

    A learning rate at which any seed diverged is left out: its loss is only known to be bad. The
    mean over seeds of log loss decides which learning rate is lowest.

    Args:
        rows: The checked runs of one horizon.

    Returns:
        Neighbouring learning rates in rising order, three or more.

    Raises:
        UserInputError: Fewer than three learning rates have a finite loss.
        ClaimError: The lowest loss lies at the edge of the grid, or next to divergence.
    """
    horizon = int(rows["horizon_tokens"].iloc[0])
    diverged = set(rows.loc[rows["diverged"], "lr"])
    finite = rows[~rows["lr"].isin(diverged)]
    log_loss = np.log(finite["loss"]).groupby(finite["lr"]).mean().sort_index()
    lrs = [float(lr) for lr in log_loss.index]
    if len(lrs) < 3:
        raise UserInputError(
            WHERE,
            f"horizon_tokens = {horizon} has {len(lrs)} learning rates with a finite loss, a "
            "parabola needs 3",
            "Widen the recipe's sweep.base_lrs",
        )
    values = log_loss.to_numpy()
    best = int(values.argmin())
    if best == 0 or best == len(lrs) - 1:
        raise _at_edge(horizon, lrs, best, diverged)
    low = high = best
    while low > 0 and (low == best or values[low - 1] - values[best] <= math.log1p(GRID_WINDOW)):
        low -= 1
    while high < len(lrs) - 1 and (
        high == best or values[high + 1] - values[best] <= math.log1p(GRID_WINDOW)
    ):
        high += 1
    return tuple(lrs[low : high + 1])


def require_minimum(curvature: float) -> None:
    """Refuse a fit that does not open upwards.

    Args:
        curvature: Coefficient of the squared log2 learning rate.

    Raises:
        ClaimError: It is not positive.
    """
    if curvature <= 0:
        raise ClaimError(
            f"{WHERE}: the losses do not rise on both sides of their lowest; add seeds or learning "
            "rates around the lowest to sweep"
        )


def _at_edge(horizon: int, lrs: list[float], best: int, diverged: set[float]) -> ClaimError:
    side, verb = ("below", "smaller") if best == 0 else ("above", "larger")
    beyond = [lr for lr in diverged if (lr < lrs[best] if best == 0 else lr > lrs[best])]
    found = f"horizon_tokens = {horizon}: the lowest loss is at lr = {lrs[best]:g}"
    if beyond:
        next_lr = max(beyond) if best == 0 else min(beyond)
        return ClaimError(
            f"{found}, and the next, lr = {next_lr:g}, diverged: the optimum is not enclosed. "
            f"Add learning rates between {min(lrs[best], next_lr):g} and "
            f"{max(lrs[best], next_lr):g} to sweep.base_lrs"
        )
    return ClaimError(
        f"{found}, the edge of the grid: the optimum may lie {side}. "
        f"Extend sweep.base_lrs by {verb} values"
    )
