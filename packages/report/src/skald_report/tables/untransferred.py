"""The table of baselines against their controls: the same run with the proxies' optimum as it is.

Knows how the two are paired. The controls are no baselines: no other table has them.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from skald_specs.plan import Plan

from skald_report.reading.inputs import Sources
from skald_report.statistics.comparison import paired_mean
from skald_report.tables.table import MACRO, Table
from skald_report.tables.transfer import final_validation

#: Fields of a plan's identity in which a baseline and its control have to agree.
_SAME = ("model", "horizon_tokens", "data", "dtype", "model_seed")


def untransferred(sources: Sources) -> Table:
    """Return final bits per byte of each baseline and its control, by language and as their mean.

    The mean's interval is that of the paired difference over languages. Where the sweep was fitted in
    bits per byte, `run_scale` is how far two runs of one seed come to lie apart by the scatter of losses
    about the fitted surface alone (one standard deviation).
    """
    rows: list[dict[str, Any]] = []
    for name, plan in sources.plans.items():
        control = sources.untransferred.get(name)
        if control is None or unlike(plan, control):
            continue
        own = final_validation(sources.validation, name)
        other = final_validation(sources.untransferred_validation, name)
        tags = [tag for tag in own.index if tag in other.index]
        if not tags:
            continue
        found = paired_mean(own[tags], other[tags])
        common = {"model": name, **_values(plan, ""), **_values(control, "control_")}
        for tag in tags:
            rows.append(common | {"language": tag, "transferred": own[tag], "control": other[tag],
                                  "difference": own[tag] - other[tag]})  # fmt: skip
        mean = float(own[tags].mean())
        rows.append(
            common
            | {
                "language": MACRO,
                "transferred": mean,
                "control": float(other[tags].mean()),
                "difference": found.estimate,
                "low": found.low,
                "high": found.high,
                "n_languages": found.n_pairs,
                "run_scale": _run_scale(sources, mean),
            }
        )
    units = dict.fromkeys(("transferred", "control", "difference", "low", "high"), "bits/byte")
    return Table("untransferred", ("model", "language"), units, pd.DataFrame(rows))


def _values(plan: Plan, prefix: str) -> dict[str, float]:
    return {
        f"{prefix}log2_lr": math.log2(plan.identity.optimizer.base_lr.value),
        f"{prefix}batch": plan.identity.global_batch_tokens.value,
    }


def _run_scale(sources: Sources, loss: float) -> float:
    fit = sources.fit
    if fit is None or fit.table.loss_unit != "bits/byte":
        return math.nan
    return math.sqrt(2) * fit.noise_sd * loss


def unlike(plan: Plan, control: Plan) -> list[str]:
    """Return the fields in which a baseline and its control differ and must not.

    Args:
        plan: The baseline's.
        control: That of the run with the proxies' optimum as it is.
    """
    one, other = plan.identity.model_dump(), control.identity.model_dump()
    return [name for name in _SAME if _plain(one[name]) != _plain(other[name])]


def _plain(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) and "standing" in value else value
