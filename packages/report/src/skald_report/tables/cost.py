"""What the models cost: planned by formula in the plans, measured in the run manifests.

A measured column has no unit, because a unit says that two reports can be compared by it, and two runs never
take the same time. Whatever was not measured stays missing; nothing is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from skald_specs.manifest import RunManifest
from skald_specs.plan import Plan

from skald_report.reading.inputs import Sources
from skald_report.tables.table import Table, or_nan

_JOULES_PER_KWH = 3.6e6
#: Columns of a run as its manifest has it.
_MEASURED = ("wall_seconds", "cpu_seconds", "energy_kwh", "energy_of", "hardware")


def cost_tables(sources: Sources) -> dict[str, Table]:
    """Return the tables of cost by name; one without rows is left out."""
    made = [cost(sources), stations(sources), cost_sites(sources)]
    return {table.name: table for table in made if len(table.frame)}


def cost(sources: Sources) -> Table:
    """Return what each baseline's training was planned to take and took.

    `measured` is empty, or says why the run has no measurement. `sweep_share` is the sweep's work over the
    training's; the sweep serves every baseline of its family.
    """
    rows = []
    for name, plan in sources.plans.items():
        planned = plan.outlook.cost if plan.outlook else None
        manifest, why = run_manifest(sources, name, plan)
        rows.append(
            {
                "model": name,
                "tokens": trained_tokens(plan),
                "flops_train": planned.training_flops if planned else math.nan,
                "flops_sweep": or_nan(planned.sweep_flops if planned else None),
                "sweep_share": or_nan(planned.sweep_share if planned else None),
                **_measured(manifest),
                "layout": _layout(manifest),
                "measured": why,
            }
        )
    units = {"tokens": "count", "flops_train": "flops", "flops_sweep": "flops"}
    return Table("cost", ("model",), units, pd.DataFrame(rows))


def stations(sources: Sources) -> Table:
    """Return what each station took whose manifest is there and belongs to this report."""
    return Table("stations", ("station", "name"), {}, pd.DataFrame(_stations(sources)))


def _stations(sources: Sources) -> Iterator[dict[str, Any]]:
    swept = sweeps(sources)
    if len(swept) == 1:
        yield _station("sweep of the proxies", swept[0])
    for name, plan in sources.plans.items():
        manifest, _ = run_manifest(sources, name, plan)
        if manifest is not None:
            yield _station(f"training of {name}", manifest)
    for name, plan in sources.untransferred.items():
        manifest, _ = run_manifest(sources, plan.name, plan)
        if manifest is not None:
            yield _station(f"training of the control of {name}", manifest)
    for summary in sources.summaries:
        manifest = sources.manifests.get(("evaluate", summary.suite))
        if manifest is not None:
            yield _station(f"evaluation of all models on {summary.suite}", manifest)


def _station(what: str, manifest: RunManifest) -> dict[str, Any]:
    return {
        "station": manifest.station,
        "name": manifest.name,
        "what": what,
        "tokens": manifest.tokens_seen or pd.NA,
        **_measured(manifest),
        "git_commit": manifest.git_commit,
    }


def cost_sites(sources: Sources) -> Table:
    """Return what each plan would take on known machines, at a utilisation that is assumed."""
    rows = [
        {
            "model": name,
            **site.model_dump(exclude={"layout"}),
            "layout": "x".join(map(str, site.layout)) if site.layout else "",
        }
        for name, plan in sources.plans.items()
        for site in (plan.outlook.cost.sites if plan.outlook and plan.outlook.cost else ())
    ]
    units = {"gpu_hours": "GPU-hours", "days": "days", "energy_mwh": "MWh", "n_devices": "count"}
    return Table("cost_sites", ("model", "site"), units, pd.DataFrame(rows))


def trained_tokens(plan: Plan) -> int:
    """Return the tokens a run trains on: whole batches of the horizon."""
    return plan.identity.schedule.n_steps.value * plan.identity.global_batch_tokens.value


def run_manifest(sources: Sources, name: str, plan: Plan) -> tuple[RunManifest | None, str]:
    """Return a run's manifest, or None and why.

    Args:
        sources: The manifests.
        name: The run's name.
        plan: What was trained; a manifest of another plan under the same name is not this run's.
    """
    found = sources.manifests.get(("train", name))
    if found is None:
        return None, "no manifest"
    if found.plan_fingerprint != plan.fingerprint:
        return None, "the manifest is of another plan"
    return found, ""


def sweeps(sources: Sources) -> list[RunManifest]:
    """Return the manifests of sweeps; nothing but being alone ties one to the report's table of runs."""
    return [m for (station, _), m in sources.manifests.items() if station == "sweep"]


def _measured(manifest: RunManifest | None) -> dict[str, Any]:
    if manifest is None:
        return dict(zip(_MEASURED, (math.nan, math.nan, math.nan, "", ""), strict=True))
    energy = manifest.energy_joules
    kwh = math.fsum(energy.values()) / _JOULES_PER_KWH if energy else math.nan
    values = (manifest.wall_seconds, manifest.cpu_seconds, kwh, " and ".join(sorted(energy)))
    return dict(zip(_MEASURED, (*values, manifest.hardware), strict=True))


def _layout(manifest: RunManifest | None) -> str:
    layout = manifest.layout if manifest else {}
    return " ".join(f"{name}={size}" for name, size in sorted(layout.items()))
