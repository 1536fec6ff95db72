"""A table of runs as points of a surface: coordinates, levels, and which runs are near the best.

Knows which runs may be compared (those of one size, horizon, seed and, in a grid, batch) and which are
near enough to their lowest for a parabola; refuses to judge where the optimum lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_specs.errors import UserInputError
from skald_specs.timefit import Centre

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELL = ["width", "depth", "n_params_non_embedding", "horizon_tokens"]
#: A design is a grid when this share of its runs has two others of the same cell, batch and seed.
GRID_SHARE = 0.75
#: A grid with this many batches in a cell is taken as a scattered design: the surface over the batch shows
#: well enough to be fitted as a whole. Grids of few batches have levels of their own for each.
MANY_BATCHES = 8
#: In a grid, learning rates within this share of the lowest of their cell and batch enter a fit, the lowest's
#: two neighbours in any case; farther out a loss surface is skewed and no parabola. Assumed: drawn surfaces
#: with a cubic term lost coverage at 10 %, and gained width for little at 3 % (docs/time-transfer.md).
GRID_WINDOW = 0.05
#: In a scattered design a cell has few runs near its lowest, and a hard window would leave too few: runs weigh
#: exp(-excess / softness), excess of log loss over their cell's lowest. The softness is the smallest of these
#: that leaves `ENOUGH` runs, effectively, beyond one for each cell; a larger table is fitted nearer its optima.
#: Chosen while regrets on held-out cells could be seen (docs/time-transfer.md).
SOFTNESS = tuple(float(s) for s in 0.0025 * 2.0 ** (np.arange(11) / 2))
ENOUGH = 40.0
#: Runs that weigh less than this are left out.
LEAST_WEIGHT = 0.01


@dataclass(frozen=True)
class Points:
    """Runs that a surface is fitted to, ordered by level.

    Attributes:
        x, y, n, t: log2 of learning rate, batch, non-embedding parameters and horizon, from `centre`.
        log_loss: Natural logarithm of the loss.
        level: Runs of one level differ in what the surface explains; the level itself is free.
        cell, seed: Clusters of the bootstrap.
        centre: What the coordinates count from.
        weight: How much each counts; they sum to the number of runs that they are worth.
        scattered: Batches share a level, so the surface has to explain them.
        rows: Positions in the table.
    """

    x: Floats
    y: Floats
    n: Floats
    t: Floats
    log_loss: Floats
    level: Ints
    cell: Ints
    seed: Ints
    weight: Floats
    centre: Centre
    scattered: bool
    rows: Ints

    def __len__(self) -> int:
        return self.x.size

    def where(self, mask: NDArray[np.bool_]) -> Points:
        """Return some of the points, same centre."""
        kept = {
            name: getattr(self, name)[mask]
            for name in ("x", "y", "n", "t", "log_loss", "cell", "seed", "weight", "rows")
        }
        return replace(self, level=_codes(self.level[mask]), **kept)


def is_grid(table: pd.DataFrame) -> bool:
    """Say whether runs come in rows of learning rates at one cell, batch and seed, of few batches."""
    usable = table[~table["diverged"]]
    if usable.groupby(CELL)["global_batch_tokens"].nunique().median() >= MANY_BATCHES:
        return False
    sizes = usable.groupby([*CELL, "global_batch_tokens", "seed"])["lr"].transform("nunique")
    return bool((sizes >= 3).mean() >= GRID_SHARE) if len(usable) else True


def near_best(table: pd.DataFrame, enough: float = ENOUGH) -> Floats:
    """Say how much each run counts.

    Args:
        table: Checked runs (`runs.read_runs`).
        enough: Runs that a scattered design should have left, effectively, beyond one for each cell.

    Returns:
        A weight for each row. In a grid 1 for the neighbouring learning rates around the lowest of each
        cell and batch (mean over seeds) within `GRID_WINDOW`, its two neighbours in any case, else 0. In
        a scattered design falling with the excess of loss over the cell's lowest (`SOFTNESS`). Diverged
        runs count 0.
    """
    weight = np.zeros(len(table))
    finite = table.assign(row=np.arange(len(table)), log_loss=np.log(table["loss"].astype(float)))
    finite = finite[~finite["diverged"]]
    if is_grid(table):
        for _, runs in finite.groupby([*CELL, "global_batch_tokens"], sort=False):
            means = runs.groupby("lr")["log_loss"].mean().sort_index()
            near = runs["lr"].isin(means.index[_around(means.to_numpy(), GRID_WINDOW)])
            weight[runs.loc[near, "row"].to_numpy()] = 1.0
        return weight
    lowest = finite.groupby([*CELL, "seed"])["log_loss"].transform("min")
    excess = (finite["log_loss"] - lowest).to_numpy()
    n_cells = len(finite.groupby(CELL))
    weights = [np.exp(-excess / softness) for softness in SOFTNESS]
    # Kish's effective count.
    has_enough = [w.sum() ** 2 / (w**2).sum() - n_cells >= enough for w in weights]
    chosen = weights[has_enough.index(True) if any(has_enough) else -1]
    weight[finite["row"].to_numpy()] = np.where(chosen < LEAST_WEIGHT, 0.0, chosen)
    return weight


def _around(values: Floats, window: float) -> list[int]:
    """Return the neighbours of the lowest value that lie within the window, nearest two included."""
    best = int(values.argmin())
    limit = values[best] + np.log1p(window)
    low = max(best - 1, 0)
    while low > 0 and values[low - 1] <= limit:
        low -= 1
    high = min(best + 1, values.size - 1)
    while high < values.size - 1 and values[high + 1] <= limit:
        high += 1
    return list(range(low, high + 1))


def points_of(table: pd.DataFrame, weight: Floats) -> Points:
    """Turn the runs that count into coordinates.

    Args:
        table: Checked runs.
        weight: How much each counts (`near_best`).

    Returns:
        The points; the centre is the mean of each coordinate over cells.

    Raises:
        UserInputError: Too few runs differ in learning rate for any surface.
    """
    scattered = not is_grid(table)
    rows = np.flatnonzero(weight)
    used = table.iloc[rows]
    cell = _codes(used.groupby(CELL, sort=True).ngroup().to_numpy())
    keys = [*CELL, "seed"] if scattered else [*CELL, "global_batch_tokens", "seed"]
    level = _codes(used.groupby(keys, sort=True).ngroup().to_numpy())
    most_rates = used.groupby(keys)["lr"].nunique().max() if len(used) else 0
    if most_rates < 3 or len(used) - np.unique(level).size < 2:
        raise UserInputError(
            "run table",
            "no size, horizon and batch has three learning rates with a finite loss",
            "Sweep more of them",
        )
    columns = ("lr", "global_batch_tokens", "n_params_non_embedding", "horizon_tokens")
    raw = [np.log2(used[name].to_numpy(dtype=np.float64)) for name in columns]
    centre = [float(pd.Series(values).groupby(cell).mean().mean()) for values in raw]
    order = np.argsort(level, kind="stable")
    x, y, n, t = ((values - middle)[order] for values, middle in zip(raw, centre, strict=True))
    return Points(
        x=x, y=y, n=n, t=t,
        log_loss=np.log(used["loss"].to_numpy(dtype=np.float64))[order],
        level=level[order],
        cell=cell[order],
        seed=_codes(used["seed"].to_numpy())[order],
        weight=_counted(weight[rows])[order],
        centre=Centre(
            log2_lr=centre[0], log2_batch=centre[1], log2_size=centre[2], log2_horizon=centre[3]
        ),
        scattered=scattered,
        rows=rows[order],
    )  # fmt: skip


def _counted(weight: Floats) -> Floats:
    """Scale weights to sum to the runs that they are worth, so that noise is estimated from as many.

    Source: Kish (1965): the effective count (sum w)^2 / sum w^2.
    """
    return np.asarray(weight * weight.sum() / (weight**2).sum())


def _codes(values: NDArray[np.generic]) -> Ints:
    """Return values as 0, 1, ... in ascending order."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)
