"""The loss law of a run table: fitted to the lowest loss of each size and horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from skald_specs.timefit import LocalOptimum, LossLaw

from skald_planner.fitting.bootstrap import cluster_weights
from skald_planner.fitting.cells import CELL
from skald_planner.fitting.loss_law import fit_loss_law

#: Draws of the law; its five numbers are few, and five hundred would say no more.
MOST_DRAWS = 400


class Best(NamedTuple):
    """Lowest loss of a cell over learning rates and batches, and the cell."""

    size: int
    horizon_tokens: int
    loss: float


def loss_law_of(
    table: pd.DataFrame, local: Sequence[LocalOptimum], n_draws: int, rng: np.random.Generator
) -> LossLaw | None:
    """Fit the loss law of a table.

    Args:
        table: Checked runs.
        local: Its optima; the fitted loss at an enclosed one counts where it is below the lowest measured.
        n_draws: Draws of the bootstrap over cells, at most `MOST_DRAWS`.
        rng: Their source.

    Returns:
        The law; None with one size and one horizon.
    """
    finite = table[~table["diverged"]]
    means = finite.groupby([*CELL, "global_batch_tokens", "lr"], as_index=False)["loss"].mean()
    lowest = means.groupby(CELL, as_index=False)["loss"].min()
    fitted: dict[tuple[int, ...], float] = {}
    for one in local:
        key = (one.width, one.depth, one.n_params_non_embedding, one.horizon_tokens)
        if one.loss is not None:
            fitted[key] = min(one.loss, fitted.get(key, np.inf))
    best = []
    for row in lowest.to_dict("records"):
        cell = tuple(int(row[name]) for name in CELL)
        # An enclosed optimum may be a worse batch's than the one that was measured lowest.
        loss = min(fitted.get(cell, np.inf), float(row["loss"]))
        best.append(Best(cell[2], cell[3], loss))
    cells = np.arange(len(best))
    return fit_loss_law(
        [one.size for one in best],
        [one.horizon_tokens for one in best],
        [one.loss for one in best],
        cluster_weights(cells, 0 * cells, min(n_draws, MOST_DRAWS), rng),
    )
