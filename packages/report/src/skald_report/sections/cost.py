"""What the models cost: work planned by formula, time and energy as measured, machines as assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import join, of
from skald_report.sections.context import Context
from skald_report.tables.cost import sweeps
from skald_report.tables.table import Table

#: What planned operations are. Standing: derived; the planner's count.
FLOPS = (
    "Operations by formula: six a token and multiplying parameter, and attention at full context (arXiv "
    "2204.02311, appendix B)"
)


def cost_blocks(context: Context) -> Iterator[Block]:
    """Yield the section."""
    tables = context.tables
    if "cost" not in tables:
        yield Paragraph("No plan was given, so this page cannot say what training took.", "gap")
        return
    yield _models(tables["cost"])
    yield from _gaps(context, tables["cost"].frame)
    if "stations" in tables:
        yield _stations(tables["stations"])
    if "cost_sites" in tables:
        yield _sites(tables["cost_sites"])
    else:
        yield _no_sites(context)


def _models(table: Table) -> Grid:
    swept = bool(table.frame["flops_sweep"].notna().any())
    rows = tuple(
        (
            Cell(str(r["model"]), r["hardware"], note=r["layout"]),
            Cell(f"{r['tokens']:,}", of=of("cost", i, "tokens")),
            _cell(r, i, "flops_train"),
            *([_cell(r, i, "flops_sweep", "not in the plan")] if swept else []),
            _cell(r, i, "wall_seconds", r["measured"], ".1f"),
            _cell(r, i, "cpu_seconds", r["measured"], ".1f"),
            _cell(r, i, "energy_kwh", r["measured"] or "not measured", detail=r["energy_of"]),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )
    header = ("model and machine", "training tokens", "planned FLOPs", *(["of the sweep"] if swept else []),
              "wall, s", "processors, s", "energy, kWh")  # fmt: skip
    of_sweep = (
        "the sweep for the learning rate comes on top and serves all models of its family"
        if swept
        else "those of the sweep for the learning rate, which come on top, are not in the plans"
    )
    caption = (
        f"{FLOPS}; {of_sweep}. Seconds and energy: the run's manifest (seconds: of its last start), what this machine "
        "took and not what the method costs."
    )
    return Grid("cost", "What training took", caption, header, rows, "tables/cost.csv")


def _cell(
    row: Mapping[Any, Any],
    number: int,
    column: str,
    missing: str = "",
    digits: str = ".3g",
    detail: str = "",
) -> Cell:
    """Return a number of the table of costs, or a dash and why there is none."""
    if pd.isna(row[column]):
        return Cell("–", missing)
    return Cell(f"{row[column]:{digits}}", detail, of=of("cost", number, column))


def _gaps(context: Context, frame: pd.DataFrame) -> Iterator[Block]:
    for why, rows in frame[frame["measured"] != ""].groupby("measured", sort=False):
        yield Paragraph(
            f"Time and energy of {join(rows['model'])} are not known: {why}. A manifest is written by "
            "`skald train` beside the artifacts.",
            "gap",
        )
    measured = frame[frame["measured"] == ""]
    unknown = list(measured.loc[measured["energy_kwh"].isna(), "model"])
    if unknown:
        yield Paragraph(
            f"Energy of {join(unknown)} was not measured: no counter of energy could be read where it was trained, and "
            "this page estimates none.",
            "gap",
        )
    missing = [
        summary.suite
        for summary in context.sources.summaries
        if ("evaluate", summary.suite) not in context.sources.manifests
    ]
    if missing:
        yield Paragraph(f"What evaluating {join(missing)} took is not known: no manifest.", "gap")
    swept = sweeps(context.sources)
    if len(swept) > 1:
        names = join(manifest.name for manifest in swept)
        yield Paragraph(
            f"Manifests of {len(swept)} sweeps are there ({names}) and nothing says which of them the "
            "learning rates come from, so none is shown.",
            "gap",
        )
    elif not swept and len(context.sources.sweep):
        yield Paragraph("What the sweep took is not known: no manifest.", "gap")


def _stations(table: Table) -> Grid:
    rows = tuple(
        (
            Cell(str(r["what"])),
            Cell("–") if pd.isna(r["tokens"])
            else Cell(f"{r['tokens']:,}", of=of("stations", i, "tokens")),
            Cell(f"{r['wall_seconds']:.1f}", of=of("stations", i, "wall_seconds")),
            Cell(f"{r['cpu_seconds']:.1f}", of=of("stations", i, "cpu_seconds")),
            Cell(str(r["hardware"])),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        f"{len(rows)} stations, each once, by its manifest. The evaluation's time is that of its last run: answers "
        "that an earlier one had stored are not asked again."
    )
    header = ("station", "tokens trained", "wall, s", "processors, s", "on")
    return Grid(
        "stations", "What each station took", caption, header, rows, "tables/stations.csv", True
    )


def _sites(table: Table) -> Grid:
    rows = tuple(
        (
            Cell(f"{r['model']}, {r['site']}", f"{r['n_devices']} {r['device']}",
                 of=of("cost_sites", i, "model", "site", "n_devices", "device")),
            Cell(f"{r['gpu_hours']:,.0f}", of=of("cost_sites", i, "gpu_hours")),
            Cell(f"{r['days']:.1f}", of=of("cost_sites", i, "days")),
            Cell(f"{r['energy_mwh']:.3g}", of=of("cost_sites", i, "energy_mwh")),
            Cell(f"{r['mfu']:.2f}", of=of("cost_sites", i, "mfu")),
            Cell(str(r["note"]) or "–"),
        )
        for i, r in enumerate(table.frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        "Planned, not measured. GPU-hours are the planned operations over the device's peak at a utilisation that is "
        "assumed; energy is that of the boards at their limit, without host, network and cooling. Queues, "
        "failures and restarts come on top."
    )
    header = (
        "model and machine",
        "GPU-hours",
        "days",
        "energy, MWh",
        "assumed utilisation",
        "note",
    )
    return Grid("cost-sites", "What it would take on known machines", caption, header, rows,
                "tables/cost_sites.csv", len(rows) > 6)  # fmt: skip


def _no_sites(context: Context) -> Paragraph:
    plans = context.sources.plans
    unpriced = [n for n, plan in plans.items() if plan.outlook is None or plan.outlook.cost is None]
    if unpriced:
        return Paragraph(f"The plan of {join(unpriced)} says nothing of cost, so no GPU-hours are shown.", "gap")  # fmt: skip
    dtypes = join(dict.fromkeys(plan.identity.dtype for plan in plans.values()))
    return Paragraph(
        f"No plan names GPU-hours: machines are known by their peak in bfloat16, and these models train in {dtypes}.",
        "gap",
    )
