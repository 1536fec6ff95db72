"""The fit: from the run table to the law of the optimal learning rate over horizons.

Near its optimum, log loss is a parabola in log2 of the learning rate. One linear least-squares fit
joins all horizons: every (horizon, seed) has its own level, every horizon its own vertex, and all
share one curvature, which a single horizon's few points could not fix. A second fit puts the
vertices on a line in log2 horizon, whose slope is the g of `lr_opt ~ horizon_tokens^g`.

Knows which points tell what; refuses to extrapolate a vertex beyond the swept learning rates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from skald_specs.errors import ClaimError
from skald_specs.law import Law, LawPoint, Optimum

from skald_planner.exponent import describe, flat_line, measured_line, weigh
from skald_planner.law import t_quantile
from skald_planner.parabola import Floats, LeastSquares, least_squares, vertex_interval
from skald_planner.table import checked
from skald_planner.window import near_optimum, require_minimum


def fit_law(table: pd.DataFrame) -> Law:
    """Fit the law on a run table.

    Args:
        table: Rows of `skald_specs.runtable.RunRow` of one width, depth, batch and family,
            seeds paired, with at least three finite learning rates at every horizon.

    Returns:
        The law, with all points (diverged ones too, marked) for the report.

    Raises:
        UserInputError: The table cannot be used, or has too few points.
        ClaimError: A horizon's lowest loss lies at the edge of its grid, or the losses have no
            minimum within it; the message says what to extend.

    Source: joint quadratic with shared curvature; Fieller's theorem for the optima, the delta
        method for the line, Student quantiles for both.
    Standing: fitted; the window and the two priors are assumed.
    """
    rows = checked(table)
    near = {
        horizon: near_optimum(rows[rows["horizon_tokens"] == horizon])
        for horizon in sorted(set(rows["horizon_tokens"].tolist()))
    }
    rows["in_fit"] = [
        lr in near[t] for t, lr in zip(rows["horizon_tokens"], rows["lr"], strict=True)
    ]
    used = rows[rows["in_fit"]]
    x = np.log2(used["lr"].to_numpy(dtype=np.float64))
    t = np.log2(used["horizon_tokens"].to_numpy(dtype=np.float64))
    y = np.log(used["loss"].to_numpy(dtype=np.float64))
    # Centring keeps the columns of the design from being nearly parallel.
    x_mid, t_mid = float(x.mean()), float(np.log2(list(near)).mean())
    x, t = x - x_mid, t - t_mid
    levels = _indicators(list(zip(used["horizon_tokens"], used["seed"], strict=True)))

    slopes = _indicators(list(used["horizon_tokens"])) * x[:, None]
    free = least_squares(np.column_stack([x**2, slopes, levels]), y)
    optima = tuple(_optima(free, rows, near, x_mid))
    if len(near) > 1:
        joint = least_squares(np.column_stack([x**2, x, x * t, levels]), y)
        measured = measured_line(joint)
        line = weigh(measured, joint.degrees_of_freedom)
    else:
        joint, measured = free, None
        line = flat_line(joint)
    (var_a, cov), (_, var_g) = line.covariance.tolist()
    return Law(
        schema_version=1,
        points=tuple(_point(row) for row in rows.to_dict("records")),
        optima=optima,
        horizon_exponent=describe(measured, line, joint.degrees_of_freedom),
        log2_lr_at_centre=line.optimum + x_mid,
        log2_horizon_centre=t_mid,
        covariance=((var_a, cov), (cov, var_g)),
        degrees_of_freedom=joint.degrees_of_freedom,
        noise_sd=joint.noise_sd,
        width=int(rows["width"].iloc[0]),
        depth=int(rows["depth"].iloc[0]),
        global_batch_tokens=int(rows["global_batch_tokens"].iloc[0]),
        schedule=str(rows["schedule"].iloc[0]),
        family=json.loads(rows["family"].iloc[0]),
    )


def _indicators(keys: Sequence[Hashable]) -> Floats:
    """Return one 0/1 column for each distinct key, in the order of first appearance."""
    distinct = list(dict.fromkeys(keys))
    return np.array([[float(key == other) for other in distinct] for key in keys])


def _optima(
    fit: LeastSquares, rows: pd.DataFrame, near: Mapping[int, Sequence[float]], x_mid: float
) -> Iterator[Optimum]:
    curvature = float(fit.coefficients[0])
    require_minimum(curvature)
    n_seeds = rows["seed"].nunique()
    for number, horizon in enumerate(sorted(near)):
        at = 1 + number
        slope = float(fit.coefficients[at])
        levels = fit.coefficients[1 + len(near) + number * n_seeds :][:n_seeds]
        vertex = -slope / (2 * curvature) + x_mid
        swept = np.log2(rows.loc[rows["horizon_tokens"] == horizon, "lr"].to_numpy())
        if not swept.min() < vertex < swept.max():
            side = "smaller" if vertex <= swept.min() else "larger"
            raise ClaimError(
                f"horizon_tokens = {horizon}: the fitted optimum lr = {2.0**vertex:g} lies outside "
                f"the swept learning rates. Extend sweep.base_lrs by {side} values"
            )
        interval = vertex_interval(
            curvature,
            slope,
            fit.covariance[np.ix_([0, at], [0, at])],
            t_quantile(fit.degrees_of_freedom),
        )
        # A curvature that cannot be told from zero leaves what the window encloses.
        low, high = (
            (interval[0] + x_mid, interval[1] + x_mid)
            if interval
            else (math.log2(near[horizon][0]), math.log2(near[horizon][-1]))
        )
        yield Optimum(
            horizon_tokens=horizon,
            log2_lr=vertex,
            interval=(low, high),
            loss=math.exp(levels.mean() - slope**2 / (4 * curvature)),
            curvature=curvature,
        )


def _point(row: Mapping[Hashable, Any]) -> LawPoint:
    loss = float(row["loss"])
    return LawPoint(
        horizon_tokens=int(row["horizon_tokens"]),
        lr=float(row["lr"]),
        seed=int(row["seed"]),
        loss=loss if math.isfinite(loss) else None,
        diverged=bool(row["diverged"]),
        in_fit=bool(row["in_fit"]),
    )
