"""Time transfer: from a table of runs to `fit.json`.

Knows the order of the steps and what a table cannot show; each step has a module of its own.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from scipy.stats import pearsonr
from skald_specs.errors import ClaimError
from skald_specs.timefit import (
    CriticalBatch,
    Estimate,
    FamilyFit,
    FittedRun,
    LocalOptimum,
    TableFacts,
    TimeFit,
)

from skald_planner.fitting.best_losses import loss_law_of
from skald_planner.fitting.bootstrap import cluster_draws
from skald_planner.fitting.cells import Floats, Points, is_grid, near_best, points_of
from skald_planner.fitting.critical import growth, overhead_batches
from skald_planner.fitting.families import Fitted, fit_families, normal_quantile
from skald_planner.fitting.held_out import held_out_predictions
from skald_planner.fitting.joint import solve
from skald_planner.fitting.local import local_optima, sensitivities
from skald_planner.fitting.mixture import at_point, by_weight, interval_of
from skald_planner.fitting.surface import PROFILE, surface_of

#: Size enters the ridge where its drift differs from zero at this level, or the table names no rules.
SIZE_LEVEL = 0.05
#: Sizes and horizons correlated beyond this are not told apart.
TOGETHER = 0.95
#: A parabola over the batch has to open upwards in this share of draws to be believed.
OPENS = 0.95
#: A critical batch is told when its interval is no wider than this, in octaves.
KNEE_OCTAVES = 6.0
#: A knee is told when the families that have one weigh this much together. Assumed: more likely than not.
BENDS = 0.5
N_HELD_OUT_DRAWS = 200


def fit_time(
    table: pd.DataFrame,
    source: str,
    loss_unit: str,
    sha256: str = "",
    n_draws: int = 1000,
    seed: int = 0,
) -> TimeFit:
    """Fit everything that a table of runs says of learning rate and batch over horizons.

    Args:
        table: Checked runs (`runs.read_runs`).
        source: Where the table comes from, for the reader.
        loss_unit: Unit of its losses.
        sha256: Hash of the table's file.
        n_draws: Draws of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        The fit; `offered` says, one sentence each, what the table could not show.

    Raises:
        UserInputError: No level has enough learning rates.
        ClaimError: The learning rates enclose no optimum.
    """
    rng = np.random.default_rng(seed)
    local = local_optima(table)
    # In a scattered design a few rates share a batch by chance, and need not enclose anything.
    bounds = _bounds(local) if is_grid(table) else []
    weight = near_best(table)
    points = points_of(table, weight)
    drift, p_value = _size_drift(points, rng)
    family = json.loads(str(table["family"].iloc[0]) or "{}")
    # Where no rules are known to hold the optimum still, it may move whatever the test can show.
    size_terms = p_value is not None and (not family or p_value < SIZE_LEVEL)
    families, offered = _sober(fit_families(points, size_terms, n_draws, rng))
    if points.scattered:
        _require_within(points, families[0])
    power = next((family for family in families if family.kind == "power"), None)
    risings, rising_exponent = sensitivities(table)
    held_out, form_sd = held_out_predictions(points, families[0], size_terms, local, rng)
    overheads = overhead_batches(table)
    knees = _knees(points, families)
    offered += [] if knees else [_no_knee(families)]
    offered += [*bounds, *overheads.missing]
    law = loss_law_of(table, local, n_draws, rng)
    return TimeFit(
        schema_version=1,
        table=_facts(table, source, loss_unit, sha256, int((weight > 0).sum())),
        runs=tuple(
            _run(row, w > 0) for row, w in zip(table.to_dict("records"), weight, strict=True)
        ),
        centre=points.centre,
        families=tuple(_family(family) for family in families),
        spread_octaves=families[0].spread,
        size_terms=size_terms,
        size_drift=drift,
        size_drift_p_value=p_value,
        horizon_exponent=_slope(power, "horizon"),
        batch_exponent=_slope(power, "batch"),
        best_batch_exponent=_best_batch_exponent(families),
        local=local,
        sensitivities=risings,
        sensitivity_exponent=rising_exponent,
        held_out=held_out,
        extrapolation_sd_per_octave=form_sd,
        critical=(*knees, *overheads.found),
        critical_exponent=_critical_exponent(knees, families),
        overhead_exponent=growth(
            [one.horizon_tokens for one in overheads.found], [one.tokens for one in overheads.found]
        ),
        loss_law=law,
        noise_sd=families[0].solution.noise_sd,
        offered=tuple(offered) + _missing(points),
        family=family,
    )


def _bounds(local: Sequence[LocalOptimum]) -> list[str]:
    """Refuse a table that encloses no optimum; say how many of the others are bounds."""
    bounds = [one for one in local if one.log2_lr is None]
    missing = {"at_least": "larger", "at_most": "smaller"}
    sides = [missing[one.bound] for one in bounds if one.bound in missing]
    if sides and len(bounds) == len(local):
        asked = " and ".join(sorted(set(sides)))
        raise ClaimError(
            f"at none of {len(local)} sizes, horizons and batches do the learning rates enclose "
            f"the lowest loss, so there is no optimum to carry. Sweep {asked} learning rates"
        )
    if not bounds:
        return []
    return [
        f"{len(bounds)} of {len(local)} optima: {len(sides)} lie beyond an edge of their learning rates, "
        f"{len(bounds) - len(sides)} have losses too level to tell"
    ]


def _require_within(points: Points, main: Fitted) -> None:
    """Refuse a scattered table whose fitted optimum lies outside the rates of every cell."""
    surface, values = main.solution.surface, main.solution.values
    for cell in np.unique(points.cell):
        own = points.where(points.cell == cell)
        y = float(np.average(own.y, weights=own.weight))
        at, _ = at_point(main.kind, surface.names, values, values[None], y, own.t[0], own.n[0])
        if own.x.min() <= at <= own.x.max():
            return
    raise ClaimError(
        "run table: at no size and horizon does the fitted optimum lie among the learning rates that were "
        "run, so there is no optimum to carry. Sweep learning rates on both sides of the lowest loss"
    )


def _size_drift(points: Points, rng: np.random.Generator) -> tuple[Estimate | None, float | None]:
    """Return how the ridge moves for each octave of size, and the p-value of its standing still."""
    surface = surface_of("power", points, size_terms=True)
    if surface is None or "size" not in surface.names:
        return None, None
    solution = solve(surface, points)
    draws, _ = cluster_draws(solution, points, N_HELD_OUT_DRAWS, rng)
    at = surface.names.index("size")
    value, moved = float(solution.values[at]), draws[:, at]
    low, high = interval_of(moved)
    sd = (high - low) / (2 * normal_quantile())
    p_value = 2 * float(ndtr(-abs(value) / sd))
    return Estimate(value=value, interval=(low, high)), p_value


def _sober(families: tuple[Fitted, ...]) -> tuple[tuple[Fitted, ...], list[str]]:
    """Drop the parabola over the batch where it does not open upwards."""
    kept, offered = [], []
    for family in families:
        if "profile" not in family.names:
            offered.append(
                "the best batch: no size and horizon has three batches near its lowest loss"
            )
            kept.append(family)
            continue
        at = family.names.index("profile")
        if family.values[at] > 0 and (family.draws[:, at] > 0).mean() >= OPENS:
            kept.append(family)
            continue
        offered.append("the best batch: losses do not rise on both sides of it")
        if family.solution.surface.names == family.names:
            kept.append(family)
            continue
        stay = [i for i, name in enumerate(family.names) if name not in PROFILE]
        kept.append(
            family._replace(
                names=tuple(family.names[i] for i in stay),
                values=family.values[stay],
                draws=family.draws[:, stay],
            )
        )
    return tuple(kept), sorted(set(offered))


def _slope(power: Fitted | None, name: str) -> Estimate | None:
    if power is None or name not in power.names:
        return None
    at = power.names.index(name)
    return Estimate(value=float(power.values[at]), interval=interval_of(power.draws[:, at]))


def _best_batch_exponent(families: Sequence[Fitted]) -> Estimate | None:
    main = families[0]
    if not {"profile", "profile_horizon"} <= set(main.names):
        return None
    k, slope = main.names.index("profile"), main.names.index("profile_horizon")
    if main.values[k] <= 0:
        return None
    opening = main.draws[:, k] > 0
    moved = -main.draws[opening, slope] / (2 * main.draws[opening, k])
    value = -main.values[slope] / (2 * main.values[k])
    return Estimate(value=float(value), interval=interval_of(moved))


def _bent(families: Sequence[Fitted]) -> list[Fitted]:
    """Return the families that have a knee, where the table prefers them to the power law."""
    bent = [family for family in families if family.kind != "power"]
    return bent if sum(one.weight for one in bent) >= BENDS else []


def _knees(points: Points, families: Sequence[Fitted]) -> tuple[CriticalBatch, ...]:
    """Return the knee at each horizon where the swept batches can show it."""
    bent = _bent(families)
    if not bent:
        return ()
    found = []
    for t in np.unique(points.t):
        knees = [_column(one, "knee") + _column(one, "knee_horizon") * t for one in bent]
        draws = by_weight([one.weight for one in bent], knees)
        low, high = interval_of(draws)
        # A knee that lies wholly outside the batches is a straight line's, continued.
        if high - low > KNEE_OCTAVES or high < points.y.min() or low > points.y.max():
            continue
        at = 2.0**points.centre.log2_batch
        found.append(
            CriticalBatch(
                definition="knee",
                horizon_tokens=round(2.0 ** (points.centre.log2_horizon + t)),
                tokens=float(at * 2.0 ** np.median(draws)),
                interval=(at * 2.0**low, at * 2.0**high),
            )
        )
    return tuple(found)


def _no_knee(families: Sequence[Fitted]) -> str:
    if all(family.kind == "power" for family in families):
        return "the critical batch's knee: it takes three batches and three horizons"
    if not _bent(families):
        return "the critical batch's knee: a power law predicts held-out horizons as well or better"
    return (
        f"the critical batch's knee: its interval is wider than {KNEE_OCTAVES:g} octaves or lies outside "
        "the swept batches"
    )


def _critical_exponent(
    knees: Sequence[CriticalBatch], families: Sequence[Fitted]
) -> Estimate | None:
    bent = [one for one in _bent(families) if "knee_horizon" in one.names]
    if len(knees) < 2 or not bent:
        return None
    draws = by_weight([one.weight for one in bent], [_column(one, "knee_horizon") for one in bent])
    return Estimate(value=float(np.median(draws)), interval=interval_of(draws))


def _column(family: Fitted, name: str) -> Floats:
    return (
        family.draws[:, family.names.index(name)]
        if name in family.names
        else 0 * family.draws[:, 0]
    )


def _facts(
    table: pd.DataFrame, source: str, loss_unit: str, sha256: str, n_in_fit: int
) -> TableFacts:
    def distinct(column: str) -> tuple[int, ...]:
        return tuple(int(value) for value in sorted(set(table[column])))

    return TableFacts(
        sha256=sha256,
        source=source,
        loss_unit=loss_unit,
        n_runs=len(table),
        n_diverged=int(table["diverged"].sum()),
        n_in_fit=n_in_fit,
        widths=distinct("width"),
        depths=distinct("depth"),
        n_params_non_embedding=distinct("n_params_non_embedding"),
        horizons_tokens=distinct("horizon_tokens"),
        global_batches_tokens=distinct("global_batch_tokens"),
        lr_range=(float(table["lr"].min()), float(table["lr"].max())),
        seeds=distinct("seed"),
        schedule=str(table["schedule"].iloc[0]),
    )


def _run(row: Mapping[Hashable, Any], in_fit: bool) -> FittedRun:
    names = [name for name in FittedRun.model_fields if name not in ("loss", "in_fit")]
    loss = None if row["diverged"] else row["loss"]
    return FittedRun.model_validate(
        {**{name: row[name] for name in names}, "loss": loss, "in_fit": in_fit}
    )


def _family(family: Fitted) -> FamilyFit:
    # Six digits: far below what the draws differ by, and a tenth of the bytes.
    return FamilyFit(
        kind=family.kind,
        names=family.names,
        values=tuple(float(value) for value in family.values),
        draws=tuple(tuple(float(f"{v:.6g}") for v in draw) for draw in family.draws),
        held_out_error=family.held_out_error,
        weight=family.weight,
    )


def _missing(points: Points) -> tuple[str, ...]:
    """Say which terms the table is too small for."""
    found = []
    if np.unique(points.t).size == 1:
        found.append(
            "the horizon exponent: one horizon; published exponents stand in when asked beyond it"
        )
    elif np.unique(points.t).size == 2:
        found.append(
            "the form of the ridge: two horizons leave none to judge it on; the power law is used"
        )
    if np.unique(points.y).size == 1:
        found.append("the batch exponent: one batch; published exponents stand in at other batches")
    elif np.unique(points.y).size == 2:
        found.append("the form of the ridge over the batch: two batches; the power law is used")
    cells = np.unique(np.column_stack([points.n, points.t]).round(6), axis=0).T
    sizes, horizons = cells
    if np.ptp(sizes) > 0 and np.ptp(horizons) > 0 and abs(pearsonr(sizes, horizons)[0]) > TOGETHER:
        found.append(
            "size and horizon apart: they grow together, so which moves the optimum is open"
        )
    if np.unique(points.n).size == 1:
        found.append(
            "whether the optimum moves with size: one size; the rules say that it does not"
        )
    return tuple(found)
