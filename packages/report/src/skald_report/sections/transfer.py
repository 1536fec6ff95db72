"""The section on time transfer: which learning rate was carried over, from what, how sure, and whether it helped.

Knows in which order that is said, and which sentence stands where a part is missing. What a reader needs
first is in words; fitted laws and published ones are folded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from skald_specs.plan import COVERED

from skald_report.figures.style import Look, tokens
from skald_report.figures.surface import learning_rates
from skald_report.figures.transfer import BATCH_FIGURE
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Notes, Paragraph
from skald_report.page.formatting import capital, interval, join, of
from skald_report.reading.inputs import Sources
from skald_report.sections.fit_figures import batches_of, caption_of, fit_drawings
from skald_report.sections.laws import exponents_grid, families_grid, published_laws_grid
from skald_report.sections.untransferred import compared
from skald_report.tables.table import Table
from skald_report.tables.timefit import main_batch, main_size

#: Plans whose learning rate is said in words; of more the table tells.
_NAMED = 4
#: Columns of intervals in the units of their quantity; the table has some as log2, too.
_ENDS = {
    "lr": ("lr_low", "lr_high"),
    "batch": ("batch_tokens_low", "batch_tokens_high"),
    "expected": ("expected_low", "expected_high"),
}
_FOLDED = {
    "exponents": exponents_grid,
    "families": families_grid,
    "published_laws": published_laws_grid,
}


def time_transfer(
    sources: Sources, tables: Mapping[str, Table], look: Mapping[str, Look]
) -> Iterator[Block]:
    """Yield the blocks of the section.

    Args:
        sources: The plans, and the fit; without plans no control of the transfer is missed.
        tables: Those of the fit and of the plans; what is absent gets a sentence.
        look: Colours and shapes by model.
    """
    given = tables.get("transfers")
    if given is not None and len(given.frame) <= _NAMED:
        yield from _carried(sources, given.frame)
    verdicts, details = (
        compared(sources, tables.get("untransferred")) if sources.plans else ((), ())
    )
    yield from verdicts
    yield from _sweep(sources, tables, look)
    if given is not None:
        yield _transfers(given.frame)
    for warning, names in _warnings(sources).items():
        yield Paragraph(f"The plan of {join(names)} says: {warning}", "important")
    yield from details
    if given is not None and (origins := tuple(_origins(given.frame))):
        yield Notes("Where the learning rates come from", origins)
    for name, grid in _FOLDED.items():
        if name in tables:
            yield grid(tables[name].frame)
    if sources.fit is not None and sources.fit.offered:
        yield Notes(
            "What this table of runs cannot show",
            tuple(f"{capital(offered)}." for offered in sources.fit.offered),
        )


def _carried(sources: Sources, frame: pd.DataFrame) -> Iterator[Paragraph]:
    """Say for each plan which learning rate it has, from where, and how sure that is."""
    n_runs = 0 if sources.fit is None else sources.fit.table.n_runs
    for r in frame.to_dict("records"):
        known = f"{COVERED} interval {_powers(r['low'], r['high'])}"
        text = f"{r['model']} trains at a base learning rate of {2 ** r['log2_lr']:.3g}"
        if math.isnan(r["low"]):
            yield Paragraph(f"{text}, {r['standing']}, without an interval.")
            continue
        text += f" ({known})"
        if n_runs and not math.isnan(r["horizon_octaves"]):
            longer = _times(r["horizon_octaves"], "the longest horizon")
            larger = _times(r["size_octaves"], "the largest size")
            text += f", carried over from {n_runs:,} short proxy runs to {longer} and {larger} that was swept"
        if r["prior_share"] > 0:
            text += f"; {100 * r['prior_share']:.0f} % of that step is what published exponents say"
        if not math.isnan(r["regret"]):
            low, high = 100 * r["regret_low"], 100 * r["regret_high"]
            text += (
                f". A better rate is expected to lower the loss by {100 * r['regret']:.2g} % ({low:.2g} % to "
                f"{high:.2g} %)"
            )
        yield Paragraph(f"{text}.")


def _times(octaves: float, what: str) -> str:
    return f"{2**octaves:.2g} times {what}" if octaves >= 0.05 else f"no more than {what}"


def _sweep(
    sources: Sources, tables: Mapping[str, Table], look: Mapping[str, Look]
) -> Iterator[Block]:
    points, fit = tables.get("sweep_points"), sources.fit
    if points is None:
        yield Paragraph(
            "No learning-rate sweep was given: the learning rates below were written in the "
            "recipes, and this page cannot say how far they are from the best.",
            "gap",
        )
        return
    frame = points.frame
    if not np.isfinite(frame.loc[~frame["diverged"], "loss"]).any():
        yield Paragraph("Every run of the sweep diverged, so it shows no best rate.", "gap")
        return
    if fit is None:
        yield Paragraph("The sweep was not fitted, so no optimum is shown.", "gap")
        usable = frame[~frame["diverged"] & np.isfinite(frame["loss"])]
        own = frame
        for name in ("n_params_non_embedding", "global_batch_tokens"):
            own = own[own[name] == usable[name].mode()[0]]
            usable = usable[usable[name] == usable[name].mode()[0]]
        curves = learning_rates(points._replace(frame=own), None, tables.get("transfers"), look)
        yield Gallery((curves,), f"{len(own)} of {len(frame)} proxy runs: one size and batch.")
        return
    size, given = main_size(fit), tables.get("transfers")
    drawings = fit_drawings(fit, given, look)
    yield Gallery(tuple(drawings), caption_of(fit, size, main_batch(fit, size, batches_of(given))))
    if BATCH_FIGURE not in {made.name for made in drawings}:
        yield Paragraph(
            "Neither a best batch nor a critical one follows from this table, so none is drawn.",
            "gap",
        )


def _warnings(sources: Sources) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, plan in sources.plans.items():
        for warning in plan.outlook.warnings if plan.outlook else ():
            found.setdefault(warning, []).append(name)
    return found


def _transfers(frame: pd.DataFrame) -> Grid:
    rows = tuple(
        (
            Cell(str(r["model"]), f"{tokens(r['horizon_tokens'])} tokens"),
            _with_interval(r, i, f"{r['lr']:.4g}", "lr", ".3g")._replace(note=str(r["standing"])),
            _with_interval(r, i, f"{r['batch']:,}", "batch", ".3g", str(r["batch_standing"])),
            _octaves(r, i),
            _regret(r, i),
            Cell("–") if math.isnan(r["prior_share"])
            else Cell(f"{100 * r['prior_share']:.0f} %", of=of("transfers", i, "prior_share")),
            _with_interval(r, i, f"{r['expected']:.3f}", "expected", ".3f"),
            Cell("–") if math.isnan(r["reached"])
            else Cell(f"{r['reached']:.3f}", _against(r), of=of("transfers", i, "reached")),
        )
        for i, r in enumerate(frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        f"Learning rates at the base shape; intervals cover {COVERED}. Octaves beyond the sweep: of the horizon, below "
        "it of batch and size. Regret: expected excess of loss over the best rate. Prior: share of published laws. "
        "Expected loss: on the sweep's validation text; reached: mean over languages at the last validation."
    )
    header = ("model", "base learning rate", "batch, tokens", "octaves beyond", "regret", "prior",
              "expected loss", "reached")  # fmt: skip
    return Grid("transfers", "What each plan chose", caption, header, rows, "tables/transfers.csv")


def _with_interval(
    row: Mapping[Any, Any], number: int, text: str, column: str, digits: str, missing: str = ""
) -> Cell:
    """Return a quantity with its interval below it; a dash where it is not known."""
    ends = _ENDS[column]
    if math.isnan(row[column]):
        return Cell("–")
    if any(math.isnan(row[end]) for end in ends):
        return Cell(text, missing or "no interval", of=of("transfers", number, column))
    below = interval(row[ends[0]], row[ends[1]], digits)
    return Cell(text, below, of=of("transfers", number, column, *ends))


def _origins(frame: pd.DataFrame) -> Iterator[str]:
    """Yield where the learning rates come from, once for plans that say the same."""
    told = frame[frame["source"] != ""]
    for (standing, source), rows in told.groupby(["standing", "source"], sort=False):
        yield f"Learning rate of {join(rows['model'])}, {standing}: {source}."
    for prior in dict.fromkeys(told.loc[told["prior"] != "", "prior"]):
        yield f"Published exponents of the best learning rate: {prior.replace(' -', ' −')}."


def _powers(low: float, high: float) -> str:
    return "no interval" if math.isnan(low) else interval(2**low, 2**high, ".3g")


def _octaves(row: Mapping[Any, Any], number: int) -> Cell:
    if math.isnan(row["horizon_octaves"]):
        return Cell("–")
    more = f"batch {row['batch_octaves']:.1f}, size {row['size_octaves']:.1f}"
    columns = ("horizon_octaves", "batch_octaves", "size_octaves")
    return Cell(f"{row['horizon_octaves']:.1f}", more, of=of("transfers", number, *columns))


def _regret(row: Mapping[Any, Any], number: int) -> Cell:
    if math.isnan(row["regret"]):
        return Cell("–")
    low, high = (100 * row[f"regret_{end}"] for end in ("low", "high"))
    columns = ("regret", "regret_low", "regret_high")
    return Cell(f"{100 * row['regret']:.2f} %", f"{low:.2f} % to {high:.2f} %",
                of=of("transfers", number, *columns))  # fmt: skip


def _against(row: Mapping[Any, Any]) -> str:
    """Say where the loss reached lies against the interval expected, where the two are one unit."""
    ends = (row["expected_low"], row["expected_high"])
    if row["loss_unit"] != "bits/byte" or any(math.isnan(v) for v in (*ends, row["reached"])):
        return ""
    if ends[0] <= row["reached"] <= ends[1]:
        return "inside"
    return "below the interval" if row["reached"] < ends[0] else "above the interval"
