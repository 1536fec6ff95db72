"""The tables of time transfer: what the sweep showed, what was fitted, what the plans chose.

Knows fit.json and the plans' outlooks, one data frame each; nothing here draws, words or formats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from skald_specs.plan import Plan, Quantity
from skald_specs.timefit import Estimate, TimeFit

from skald_report.reading.inputs import Sources
from skald_report.tables.published_exponents import EXPONENTS
from skald_report.tables.table import Table, or_nan

#: What names a model shape, horizon and batch.
CELL = ("width", "depth", "n_params_non_embedding", "horizon_tokens", "global_batch_tokens")


def transfer_tables(sources: Sources) -> dict[str, Table]:
    """Return every table of time transfer by name; one without rows is left out."""
    made = [
        sweep_points(sources),
        *([] if sources.fit is None else fit_tables(sources.fit)),
        transfers(sources.plans, sources.validation),
        published_laws(sources),
    ]
    return {table.name: table for table in made if len(table.frame)}


def fit_tables(fit: TimeFit) -> list[Table]:
    """Return the tables that fit.json alone gives."""
    return [
        optima(fit),
        exponents(fit),
        families(fit),
        sensitivities(fit),
        critical(fit),
        held_out(fit),
    ]


def sweep_points(sources: Sources) -> Table:
    """Return the sweep's runs."""
    return _points(sources.sweep, sources.fit.table.loss_unit if sources.fit else "bits/byte")


def points_of(fit: TimeFit) -> Table:
    """Return the runs of a fit's table."""
    return _points(pd.DataFrame([run.model_dump() for run in fit.runs]), fit.table.loss_unit)


def _points(runs: pd.DataFrame, unit: str) -> Table:
    frame = runs.assign(loss=pd.to_numeric(runs["loss"]).astype(float))
    return Table("sweep_points", (*CELL, "lr", "seed"), {"loss": unit}, frame)


def optima(fit: TimeFit) -> Table:
    """Return the best learning rate of each size, horizon and batch by its own runs, in log2.

    One that is not bracketed has a bound and no value.
    """
    rows = []
    for best in fit.local:
        low, high = best.interval or (math.nan, math.nan)
        rows.append(
            {name: getattr(best, name) for name in CELL}
            | {
                "log2_lr": or_nan(best.log2_lr),
                "low": low,
                "high": high,
                "loss": or_nan(best.loss),
                "rise_at_one_octave": or_nan(best.rise_at_one_octave),
                "bound": best.bound or "",
                "bound_log2_lr": or_nan(best.bound_log2_lr),
            }
        )
    units = dict.fromkeys(("log2_lr", "low", "high", "bound_log2_lr"), "log2 lr") | {
        "loss": fit.table.loss_unit,
        "rise_at_one_octave": "per octave^2",
    }
    return Table("optima", CELL, units, pd.DataFrame(rows))


def exponents(fit: TimeFit) -> Table:
    """Return the fitted exponents; one that the table cannot show is left out."""
    found: dict[str, Estimate | None] = {
        "horizon": fit.horizon_exponent,
        "batch": fit.batch_exponent,
        "best_batch": fit.best_batch_exponent,
        "critical": fit.critical_exponent,
        "overhead": fit.overhead_exponent,
        "sensitivity": fit.sensitivity_exponent,
        "size": fit.size_drift,
    }
    rows = [
        {
            "quantity": name,
            "value": estimate.value,
            "low": estimate.interval[0],
            "high": estimate.interval[1],
            "p": or_nan(fit.size_drift_p_value) if name == "size" else math.nan,
            "published": EXPONENTS[name][1],
        }
        for name, estimate in found.items()
        if estimate is not None
    ]
    units = dict.fromkeys(("value", "low", "high"), "exponent") | {"p": "p"}
    return Table("exponents", ("quantity",), units, pd.DataFrame(rows))


def families(fit: TimeFit) -> Table:
    """Return the forms that were fitted, with the error of each at horizons left out, and weights."""
    rows = [
        {
            "family": family.kind,
            "held_out_error": or_nan(family.held_out_error),
            "weight": family.weight,
        }
        for family in fit.families
    ]
    units = {"held_out_error": "log loss", "weight": "share"}
    return Table("families", ("family",), units, pd.DataFrame(rows))


def sensitivities(fit: TimeFit) -> Table:
    """Return how much log loss grows an octave away from the best learning rate, by horizon."""
    rows = [
        {
            "horizon_tokens": found.horizon_tokens,
            "rise_at_one_octave": found.rise_at_one_octave,
            "low": found.interval[0],
            "high": found.interval[1],
        }
        for found in fit.sensitivities
    ]
    units = dict.fromkeys(("rise_at_one_octave", "low", "high"), "per octave^2")
    return Table("sensitivities", ("horizon_tokens",), units, pd.DataFrame(rows))


def critical(fit: TimeFit) -> Table:
    """Return the critical batch sizes, in log2 of tokens."""
    rows = [
        {
            "definition": found.definition,
            "horizon_tokens": found.horizon_tokens,
            "log2_batch": math.log2(found.tokens),
            "low": _log2(found.interval[0]) if found.interval else math.nan,
            "high": _log2(found.interval[1]) if found.interval else math.nan,
        }
        for found in fit.critical
    ]
    units = dict.fromkeys(("log2_batch", "low", "high"), "log2 tokens")
    return Table("critical", ("definition", "horizon_tokens"), units, pd.DataFrame(rows))


def held_out(fit: TimeFit) -> Table:
    """Return, for horizons left out of the fit, the optimum predicted and the one measured, in log2."""
    rows = [
        {
            "n_params_non_embedding": found.n_params_non_embedding,
            "horizon_tokens": found.horizon_tokens,
            "global_batch_tokens": found.global_batch_tokens,
            "predicted": found.predicted_log2_lr,
            "predicted_low": found.predicted_interval[0],
            "predicted_high": found.predicted_interval[1],
            "measured": found.measured_log2_lr,
            "measured_low": found.measured_interval[0],
            "measured_high": found.measured_interval[1],
        }
        for found in fit.held_out
    ]
    units = dict.fromkeys(
        (f"{what}{end}" for what in ("predicted", "measured") for end in ("", "_low", "_high")),
        "log2 lr",
    )
    keys = ("n_params_non_embedding", "horizon_tokens", "global_batch_tokens")
    return Table("held_out", keys, units, pd.DataFrame(rows))


def transfers(plans: Mapping[str, Plan], validation: pd.DataFrame | None = None) -> Table:
    """Return what each plan was given and what it expects, beside the loss its run reached.

    Args:
        plans: By the baseline's name.
        validation: Validations of the baselines' runs; None: none were given.

    Returns:
        A row for each plan. Learning rates are log2; `reached` is the mean over languages of the last
        validation, NaN without rows.
    """
    rows = [_transfer(name, plan, validation) for name, plan in plans.items()]
    units = {
        "horizon_tokens": "count", "log2_lr": "log2 lr", "low": "log2 lr", "high": "log2 lr",
        "log2_batch": "log2 tokens", "batch_low": "log2 tokens", "batch_high": "log2 tokens",
        "horizon_octaves": "octaves", "batch_octaves": "octaves", "size_octaves": "octaves",
        "regret": "log loss", "regret_low": "log loss", "regret_high": "log loss",
        "prior_share": "share", "expected": "bits/byte", "expected_low": "bits/byte",
        "expected_high": "bits/byte", "reached": "bits/byte",
    }  # fmt: skip
    return Table("transfers", ("model",), units, pd.DataFrame(rows))


def _transfer(name: str, plan: Plan, validation: pd.DataFrame | None) -> dict[str, Any]:
    identity, outlook = plan.identity, plan.outlook
    base_lr, batch = identity.optimizer.base_lr, identity.global_batch_tokens
    distance = outlook.distance if outlook else None
    expected = outlook.final_loss if outlook else None
    shares = [p for p in (outlook.priors if outlook else ()) if p.quantity == "base_lr"]
    return {
        "model": name,
        "horizon_tokens": identity.horizon_tokens.value,
        **_logged(base_lr, "log2_lr", ""),
        **_ends(base_lr, "lr"),
        "lr": base_lr.value,
        "standing": base_lr.standing,
        "source": base_lr.source,
        "batch": batch.value,
        **_logged(batch, "log2_batch", "batch_"),
        **_ends(batch, "batch_tokens"),
        "batch_standing": batch.standing,
        "horizon_octaves": distance.horizon_octaves if distance else math.nan,
        "batch_octaves": distance.batch_octaves if distance else math.nan,
        "size_octaves": distance.size_octaves if distance else math.nan,
        **_estimate(outlook.regret if outlook else None, "regret"),
        "prior_share": max((p.share for p in shares), default=0.0) if outlook else math.nan,
        "prior": "; ".join(p.prior for p in shares),
        **_estimate(expected, "expected"),
        "loss_unit": outlook.loss_unit if outlook else "",
        "reached": math.nan if validation is None else reached(validation, name),
    }


def reached(validation: pd.DataFrame, model: str) -> float:
    """Return the mean over languages of a model's last validation.

    Args:
        validation: Columns model, step, language, bits_per_byte.
        model: Its name there.

    Returns:
        Bits per byte; NaN where it was never validated.
    """
    last = final_validation(validation, model)
    return float(last.mean()) if len(last) else math.nan


def final_validation(validation: pd.DataFrame, model: str) -> pd.Series[float]:
    """Return what a model had at its last validation.

    Args:
        validation: Columns model, step, language, bits_per_byte.
        model: Its name there.

    Returns:
        Bits per byte by language, in alphabetical order.
    """
    own = validation[validation["model"] == model]
    last = own[own["step"] == own["step"].max()]
    by_language: pd.Series[float] = last.set_index("language")["bits_per_byte"].astype(float)
    return by_language.sort_index()


def published_laws(sources: Sources) -> Table:
    """Return what published laws say beside each plan, comparable ones first."""
    rows = [
        {"model": name, **said.model_dump()}
        for name, plan in sources.plans.items()
        for said in sorted(
            plan.outlook.published if plan.outlook else (), key=lambda said: not said.comparable
        )
    ]
    keys = ("model", "law", "quantity")
    return Table("published_laws", keys, {"octaves": "octaves"}, pd.DataFrame(rows))


def _logged(quantity: Quantity[Any], name: str, prefix: str) -> dict[str, float]:
    low, high = quantity.interval or (math.nan, math.nan)
    return {
        name: math.log2(quantity.value),
        f"{prefix}low": _log2(low),
        f"{prefix}high": _log2(high),
    }


def _ends(quantity: Quantity[Any], name: str) -> dict[str, float]:
    low, high = quantity.interval or (math.nan, math.nan)
    return {f"{name}_low": low, f"{name}_high": high}


def _estimate(estimate: Estimate | None, name: str) -> dict[str, float]:
    ends: Sequence[float] = estimate.interval if estimate else (math.nan, math.nan)
    value = estimate.value if estimate else math.nan
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def _log2(value: float) -> float:
    return math.log2(value) if value > 0 else math.nan
