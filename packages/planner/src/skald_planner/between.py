"""How far the optimum of a cell lies off the surface: what a few cells cannot average away.

Run noise alone would let three cells fix a trend to a hundredth of an octave. Real optima scatter about any
smooth form, from cell to cell; that spread is estimated, joined with an assumed one where cells are few, and
carried into the covariance of the parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skald_planner.cells import Floats, Points
from skald_planner.joint import Solution, without_levels

#: Spread of a cell's optimum about the surface, in octaves of learning rate, where a table cannot show its
#: own; counts for this many degrees of freedom. Assumed, of the order that sweeps with many cells show.
SPREAD_PRIOR, SPREAD_PRIOR_DF = 0.07, 2.0


class Covariance(NamedTuple):
    """Of a surface's parameters.

    Attributes:
        matrix: Run noise and spread between cells together.
        spread: Standard deviation between cells, octaves of learning rate.
        degrees_of_freedom: Of the whole, by Satterthwaite; what a Student quantile should use.
    """

    matrix: Floats
    spread: float
    degrees_of_freedom: float


def covariance_of(solution: Solution, points: Points) -> Covariance:
    """Return the covariance of a fit, with the spread between cells in it.

    Args:
        solution: The fit.
        points: Its runs.

    Source: moment estimator of a variance between groups (DerSimonian & Laird 1986) on each cell's own
        shift of the ridge; Satterthwaite 1946 for the degrees of freedom.
    Standing: fitted, joined with `SPREAD_PRIOR`.
    """
    surface, weights = solution.surface, solution.weights
    slopes = surface.jacobian(solution.values[None], points)[0]
    shift = slopes[:, surface.names.index("level")]
    cells = np.unique(points.cell, return_inverse=True)[1]
    # One column for each cell: what a shift of its ridge alone would do to its losses.
    shifts = shift[:, None] * (cells[:, None] == np.arange(cells.max() + 1))
    everything = np.column_stack(
        [slopes, shifts, points.log_loss - surface.values(solution.values[None], points)[0]]
    )
    centred = without_levels(points, weights[None], everything[None])[0]
    n = slopes.shape[1]
    slopes, shifts, misfit = centred[:, :n], centred[:, n:-1], centred[:, -1]
    precision = ((shifts.T * weights) * shifts.T).sum(axis=1) / solution.noise_sd**2
    seen = precision > 1e-9
    found = (shifts.T * weights)[seen] @ misfit / solution.noise_sd**2 / precision[seen]
    trend = {"level", "horizon", "size"} & set(surface.names)
    df = int(seen.sum()) - len(trend)
    spread2 = SPREAD_PRIOR**2
    if df > 0:
        w = precision[seen]
        scale = w.sum() - (w**2).sum() / w.sum()
        own = (float((w * found**2).sum()) - df) / scale
        spread2 = max(0.0, (df * own + SPREAD_PRIOR_DF * spread2) / (df + SPREAD_PRIOR_DF))
    # How the parameters answer to a shift of one cell.
    answers = solution.covariance @ (slopes.T * weights) @ shifts / solution.noise_sd**2
    between = spread2 * answers @ answers.T
    at = surface.names.index("level")
    share = between[at, at] / (between[at, at] + solution.covariance[at, at])
    df_between = max(df, 0) + SPREAD_PRIOR_DF
    total_df = 1 / (share**2 / df_between + (1 - share) ** 2 / solution.degrees_of_freedom)
    return Covariance(solution.covariance + between, float(np.sqrt(spread2)), float(total_df))
