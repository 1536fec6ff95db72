"""How others read the best learning rate and batch off a sweep, as straightforward code.

Each fitter takes a run table and returns a chooser: (size, horizon) -> log2 of learning rate and batch. All see the
same runs and columns as Skald's fit, and carry on over the same two, size and horizon; `steplaw` alone leaves the size
out of the batch, as its authors do. None pools the curvature of its cells: that is what Skald's fit does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Chooser = Callable[[float, float], tuple[float, float]]
CELL = ["n_params_non_embedding", "horizon_tokens"]
#: StepLaw keeps the runs within this share of their cell's lowest loss.
KEPT = 0.0025


def argmin(table: pd.DataFrame) -> Chooser:
    """Take the best run of each cell, and fit log lr and log B on (log N, log D)."""
    best = table.loc[table.groupby(CELL)["loss"].idxmin()]
    return _power_laws(best, batch_on_size=True)


def steplaw(table: pd.DataFrame) -> Chooser:
    """Keep runs within 0.25 % of their cell's lowest; log lr on (log N, log D), log B on log D.

    Source: arXiv 2503.04715 and the authors' fit_tool.py.
    """
    lowest = table.groupby(CELL)["loss"].transform("min")
    return _power_laws(table[table["loss"] <= (1 + KEPT) * lowest], batch_on_size=False)


def cell_quadratics(table: pd.DataFrame) -> Chooser:
    """Fit each cell's own quadratic in (log lr, log B), clipped to its runs; then as `argmin`."""
    vertices = []
    for key, runs in table.groupby(CELL):
        runs = runs[runs["loss"] <= 1.05 * runs["loss"].min()]
        z = np.log2(runs[["lr", "global_batch_tokens"]].to_numpy(dtype=np.float64))
        best = z[int(runs["loss"].to_numpy().argmin())]
        vertex = _vertex(z, np.log(runs["loss"].to_numpy(dtype=np.float64)), best)
        vertices.append((*key, *np.exp2(np.clip(vertex, z.min(axis=0), z.max(axis=0)))))
    found = pd.DataFrame(vertices, columns=[*CELL, "lr", "global_batch_tokens"])
    return _power_laws(found, batch_on_size=True)


def _vertex(z: Floats, log_loss: Floats, best: Floats) -> Floats:
    """Return the lowest point of a quadratic, or the best run where it has none."""
    if len(z) < 7:
        return best
    x, y = (z - best).T
    design = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    _, gx, gy, hxx, hxy, hyy = np.linalg.lstsq(design, log_loss, rcond=None)[0]
    hessian = np.array([[2 * hxx, hxy], [hxy, 2 * hyy]])
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return best
    return np.asarray(best - np.linalg.solve(hessian, [gx, gy]))


def _power_laws(runs: pd.DataFrame, batch_on_size: bool) -> Chooser:
    n, t = (np.log2(runs[name].to_numpy(dtype=np.float64)) for name in CELL)
    full = np.column_stack([np.ones_like(n), n, t])
    batch_columns = [0, 1, 2] if batch_on_size else [0, 2]
    log2_lr = np.log2(runs["lr"].to_numpy(dtype=np.float64))
    log2_batch = np.log2(runs["global_batch_tokens"].to_numpy(dtype=np.float64))
    of_lr = np.linalg.lstsq(full, log2_lr, rcond=None)[0]
    of_batch = np.linalg.lstsq(full[:, batch_columns], log2_batch, rcond=None)[0]

    def choose(size: float, horizon: float) -> tuple[float, float]:
        at = np.array([1.0, np.log2(size), np.log2(horizon)])
        return float(at @ of_lr), float(at[batch_columns] @ of_batch)

    return choose
