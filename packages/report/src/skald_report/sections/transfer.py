"""The section on time transfer: what the sweep shows, what was fitted, what the plans made of it.

Knows in which order that is said, and which sentence stands where a part is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from skald_specs.exponents import (
    BJORCK_HORIZON,
    JSC_BEST_BATCH_HORIZON,
    JSC_LR_BATCH,
    JSC_LR_HORIZON,
    STEPLAW_BATCH_HORIZON,
    STEPLAW_LR_HORIZON,
    STEPLAW_LR_SIZE,
    Constant,
)
from skald_specs.files import write_text
from skald_specs.plan import COVERED, Plan
from skald_specs.timefit import TimeFit

from skald_report.figures.style import Drawing, Look, looks, tokens
from skald_report.figures.surface import learning_rates, loss_surface
from skald_report.figures.transfer import (
    BATCH_FIGURE,
    batch_over_horizon,
    held_out_optima,
    optimum_over_horizon,
    sensitivity,
)
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.page.formatting import interval, join, number
from skald_report.reading.inputs import Sources
from skald_report.sections.untransferred import compared
from skald_report.tables.table import Table
from skald_report.tables.timefit import main_batch, main_size
from skald_report.tables.transfer import fit_tables, points_of, transfers


def _quoted(one: Constant) -> str:
    error = "" if one.sd is None else f" ± {one.sd:.2f}"
    return f"{number(one.value, '.2f')}{error}"


#: What each exponent is of, and what published work found for it. Standing: quoted, as cited.
_EXPONENTS = {
    "horizon": (
        "best learning rate over the horizon, at one batch",
        f"{_quoted(JSC_LR_HORIZON)} (arXiv 2510.03871), {_quoted(BJORCK_HORIZON)} (2409.19913); "
        "at the best batch of each horizon "
        f"−0.28 ± 0.07 (2510.03871) or +{_quoted(STEPLAW_LR_HORIZON)} (2503.04715)",
    ),
    "batch": (
        "best learning rate over the batch",
        f"{_quoted(JSC_LR_BATCH)} (2510.03871); 0.5 far below the critical batch, where Adam's rate grows as the "
        "square root (2405.14578)",
    ),
    "best_batch": (
        "best batch over the horizon",
        f"{_quoted(JSC_BEST_BATCH_HORIZON)} (2510.03871), {_quoted(STEPLAW_BATCH_HORIZON)} (2503.04715)",
    ),
    "critical": (
        "critical batch over the horizon, by the knee of the learning rate",
        "1, in proportion (2410.05838)",
    ),
    "overhead": (
        "critical batch over the horizon, by 20 % overhead",
        "0.46 (from the step counts of 2410.21676)",
    ),
    "sensitivity": (
        "rise of loss at one octave over the horizon",
        "negative: the optimum flattens as training gets longer (2410.05838)",
    ),
    "size": (
        "best learning rate over non-embedding parameters",
        f"0 where muP holds (2203.03466); {_quoted(STEPLAW_LR_SIZE)} without it (2503.04715)",
    ),
}
_QUANTITIES = {
    "lr": "learning rate",
    "global_batch_tokens": "batch in tokens",
    "tau_ema": "tau_EMA",
    "weight_decay": "weight decay",
}


def time_transfer(
    sources: Sources, tables: Mapping[str, Table], look: Mapping[str, Look]
) -> Iterator[Block]:
    """Yield the blocks of the section."""
    yield from _sweep(sources, tables, look)
    for name in ("exponents", "families", "transfers", "published_laws"):
        if name in tables:
            yield _GRIDS[name](tables[name].frame)
        if name == "transfers" and name in tables:
            yield from _origins(tables[name].frame)
    for warning, names in _warnings(sources).items():
        yield Paragraph(f"The plan of {join(names)} says: {warning}", "important")
    if sources.plans:
        yield from compared(sources, tables.get("untransferred"))


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
    if fit.offered:
        yield Paragraph(f"What this table of runs cannot show: {'; '.join(fit.offered)}.", "gap")
    size, given = main_size(fit), tables.get("transfers")
    batch = main_batch(fit, size, _batches(given))
    drawings = fit_drawings(fit, given, look)
    yield Gallery(tuple(drawings), _caption(fit, frame, size, batch))
    if BATCH_FIGURE not in {made.name for made in drawings}:
        yield Paragraph(
            "Neither a best batch nor a critical one follows from this table, so none is drawn.",
            "gap",
        )


def fit_drawings(
    fit: TimeFit,
    transfers: Table | None = None,
    look: Mapping[str, Look] | None = None,
    prefix: str = "",
) -> list[Drawing]:
    """Return the figures of a fit, those that its table has data for.

    Args:
        fit: The fit.
        transfers: What baselines were given (`transfer_tables.transfers`), or None.
        look: Colour and shape of each baseline.
        prefix: Begins the name of every figure, where two fits share a page.

    Returns:
        Loss over learning rate; loss over learning rate and batch, the best rate over the horizon,
        batch sizes, sensitivity, and held-out optima.
    """
    tables = {table.name: table for table in fit_tables(fit) if len(table.frame)}
    shape, look = main_size(fit), look or {}
    points = points_of(fit)
    own = points.frame[points.frame["n_params_non_embedding"] == shape.n_params_non_embedding]
    at_batch = own[own["global_batch_tokens"] == main_batch(fit, shape, _batches(transfers))]
    optima = tables.get("optima")
    made = []
    if np.isfinite(at_batch.loc[~at_batch["diverged"], "loss"]).any():
        here = None if optima is None else optima._replace(frame=_like(optima.frame, at_batch))
        made.append(learning_rates(points._replace(frame=at_batch), here, transfers, look))
    if own["global_batch_tokens"].nunique() > 1 and np.isfinite(own["loss"]).any():
        here = None if optima is None else optima._replace(
            frame=optima.frame[
                optima.frame["n_params_non_embedding"] == shape.n_params_non_embedding
            ]
        )  # fmt: skip
        made.append(loss_surface(fit, points._replace(frame=own), here, shape))
    if optima is not None:
        made.append(optimum_over_horizon(fit, optima, transfers, shape, look))
    batches = batch_over_horizon(fit, tables.get("critical"), transfers, shape, look)
    made += [] if batches is None else [batches]
    if "sensitivities" in tables:
        made.append(sensitivity(fit, tables["sensitivities"]))
    if "held_out" in tables:
        made.append(held_out_optima(tables["held_out"]))
    return [d._replace(name=prefix + d.name) for d in made]


def write_drawings(fit: TimeFit, folder: Path, plans: Sequence[Plan] = ()) -> list[Path]:
    """Draw every figure of a fit into a folder, as SVG; for proofs and documentation.

    Args:
        fit: Any fit.
        folder: Where to, made where it is missing.
        plans: Plans whose learning rates (and batches, where fitted) the figures show.

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, given = [], transfers({plan.name: plan for plan in plans})
    roles = pd.DataFrame({"model": [plan.name for plan in plans], "role": "baseline"})
    for made in fit_drawings(fit, given if plans else None, looks(roles)):
        path = folder / f"{made.name}.svg"
        write_text(path, made.svg + "\n")
        written.append(path)
    return written


def _batches(transfers: Table | None) -> tuple[int, ...]:
    return () if transfers is None else tuple(transfers.frame["batch"].tolist())


def _like(optima: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    shape = ["width", "depth", "n_params_non_embedding", "global_batch_tokens"]
    return optima.merge(runs[shape].drop_duplicates(), on=shape)


def _caption(fit: TimeFit, frame: pd.DataFrame, size: Any, batch: int) -> str:
    n_seeds, batches = len(fit.table.seeds), fit.table.global_batches_tokens
    sizes = fit.table.n_params_non_embedding
    text = (
        f"{fit.table.n_runs} runs with {n_seeds} seed{'s' * (n_seeds != 1)} "
        f"({fit.table.n_diverged} diverged, {fit.table.n_in_fit} near enough to "
        f"the lowest to be fitted). Whiskers are {COVERED} intervals; an arrow is a "
        "bound where the lowest loss lies at the edge of what was swept."
    )
    if len(sizes) > 1 or len(batches) > 1:
        text += (
            f" Loss curves: {size.n_params_non_embedding:,} non-embedding parameters, "
            f"{tokens(batch)} tokens a batch."
        )
    if len(sizes) > 1:
        text += (
            " The best rate moves with size here, so lines and optima are those of that size."
            if fit.size_terms
            else " The best rate does not move with size here, so optima of all sizes are shown."
        )
    return f"{text} Learning rates are expressed at the base shape, so muP uses one number at every width."


def _warnings(sources: Sources) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, plan in sources.plans.items():
        for warning in plan.outlook.warnings if plan.outlook else ():
            found.setdefault(warning, []).append(name)
    return found


def _exponents(frame: pd.DataFrame) -> Grid:
    rows = []
    for r in frame.to_dict("records"):
        what, published = _EXPONENTS[r["quantity"]]
        p = "" if math.isnan(r["p"]) else f"p {r['p']:.2g} that it stays"
        rows.append((Cell(what, p), Cell(number(r["value"], "+.2f")),
                     Cell(interval(r["low"], r["high"], "+.2f")), Cell(published)))  # fmt: skip
    caption = (
        "The e in y ~ x^e. Published values hold for other optimisers, schedules and data: they say what "
        "to expect, not what is right here."
    )
    header = ("exponent", "here", f"{COVERED} interval", "published")
    return Grid(
        "exponents", "What was fitted", caption, header, tuple(rows), "tables/exponents.csv"
    )


def _families(frame: pd.DataFrame) -> Grid:
    rows = tuple(
        (
            Cell(str(r["family"])),
            Cell("–" if math.isnan(r["held_out_error"]) else f"{100 * r['held_out_error']:.3f} %"),
            Cell(f"{r['weight']:.2f}"),
        )
        for r in frame.to_dict("records")
    )
    caption = (
        "Forms of the best learning rate over horizon and batch. Error: root mean square of log loss at "
        "horizons left out of the fit. Weight: share in predictions."
    )
    header = ("family", "held-out error", "weight")
    return Grid("families", "Which forms explain it", caption, header, rows, "tables/families.csv")


def _transfers(frame: pd.DataFrame) -> Grid:
    rows = tuple(
        (
            Cell(str(r["model"]), f"{tokens(r['horizon_tokens'])} tokens"),
            Cell(f"{2 ** r['log2_lr']:.4g}", _powers(r["low"], r["high"])),
            Cell(f"{r['batch']:,}", str(r["batch_standing"]) if math.isnan(r["batch_low"])
                 else _powers(r["batch_low"], r["batch_high"])),
            _octaves(r),
            _share(r["regret"], r["regret_low"], r["regret_high"], ".2f"),
            Cell("–" if math.isnan(r["prior_share"]) else f"{100 * r['prior_share']:.0f} %"),
            _expected(r),
            Cell("–" if math.isnan(r["reached"]) else f"{r['reached']:.3f}", _against(r)),
            Cell(str(r["standing"])),
        )
        for r in frame.to_dict("records")
    )  # fmt: skip
    caption = (
        f"Learning rates are expressed at the base shape; intervals cover {COVERED}. Octaves beyond the "
        "sweep: of the horizon, below it of batch and size. Regret: expected excess of "
        "loss over the best learning rate. Prior: what a published law contributed to the "
        "learning rate. Expected loss: on the sweep's validation text; reached: mean over languages at the "
        "last validation, which may read more of it."
    )
    header = ("model", "base learning rate", "batch, tokens", "octaves beyond", "regret", "prior",
              "expected loss", "reached", "standing")  # fmt: skip
    return Grid("transfers", "What each plan chose", caption, header, rows, "tables/transfers.csv")


def _origins(frame: pd.DataFrame) -> Iterator[Block]:
    """Yield where the learning rates come from, once for plans that say the same."""
    told = frame[frame["source"] != ""]
    for (standing, source), rows in told.groupby(["standing", "source"], sort=False):
        yield Paragraph(f"Learning rate of {join(rows['model'])}, {standing}: {source}.")
    for prior in dict.fromkeys(told.loc[told["prior"] != "", "prior"]):
        yield Paragraph(f"The prior is {prior}.")


def _powers(low: float, high: float) -> str:
    return "no interval" if math.isnan(low) else interval(2**low, 2**high, ".3g")


def _octaves(row: Mapping[Any, Any]) -> Cell:
    if math.isnan(row["horizon_octaves"]):
        return Cell("–")
    more = f"batch {row['batch_octaves']:.1f}, size {row['size_octaves']:.1f}"
    return Cell(f"{row['horizon_octaves']:.1f}", more)


def _share(value: float, low: float, high: float, digits: str) -> Cell:
    if math.isnan(value):
        return Cell("–")
    return Cell(f"{100 * value:{digits}} %", interval(100 * low, 100 * high, digits))


def _expected(row: Mapping[Any, Any]) -> Cell:
    if math.isnan(row["expected"]):
        return Cell("–")
    return Cell(f"{row['expected']:.3f}", interval(row["expected_low"], row["expected_high"]))


def _against(row: Mapping[Any, Any]) -> str:
    """Say where the loss reached lies against the interval expected, where the two are one unit."""
    ends = (row["expected_low"], row["expected_high"])
    if row["loss_unit"] != "bits/byte" or any(math.isnan(v) for v in (*ends, row["reached"])):
        return ""
    if ends[0] <= row["reached"] <= ends[1]:
        return "inside"
    return "below the interval" if row["reached"] < ends[0] else "above the interval"


def _published_laws(frame: pd.DataFrame) -> Grid:
    rows = tuple(
        (
            Cell(str(r["law"]), f"{r['model']}; {r['source']}"),
            Cell(_QUANTITIES[r["quantity"]]),
            Cell(f"{r['theirs']:.3g}"),
            Cell(f"{r['ours']:.3g}"),
            Cell(number(r["octaves"], "+.1f"), "" if r["comparable"] else "not comparable"),
            Cell(str(r["note"])),
        )
        for r in frame.to_dict("records")
    )
    caption = (
        "What published laws answer to each plan's size, horizon and batch. Octaves: log2 of ours over "
        "theirs. Where the two do not mean the same thing, the note says what differs."
    )
    header = ("law", "quantity", "theirs", "ours", "octaves", "note")
    return Grid("published-laws", "What published laws would say", caption, header, rows,
                "tables/published_laws.csv", len(rows) > 8)  # fmt: skip


_GRIDS = {
    "exponents": _exponents,
    "families": _families,
    "transfers": _transfers,
    "published_laws": _published_laws,
}
