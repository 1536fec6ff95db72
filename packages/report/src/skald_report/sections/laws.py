"""What was fitted on the sweep, and what published laws would say in its place: tables for who asks."""

from __future__ import annotations

import math

import pandas as pd
from skald_specs.plan import COVERED

from skald_report.page.blocks import Cell, Grid
from skald_report.page.formatting import interval, number, of, p_value
from skald_report.tables.published_exponents import EXPONENTS

_QUANTITIES = {
    "lr": "learning rate",
    "global_batch_tokens": "batch in tokens",
    "tau_ema": "tau_EMA",
    "weight_decay": "weight decay",
}


def exponents_grid(frame: pd.DataFrame) -> Grid:
    """Return the fitted exponents beside published ones."""
    rows = []
    for i, r in enumerate(frame.to_dict("records")):
        bounds = interval(r["low"], r["high"], "+.2f")
        known = ("exponents", i, "low", "high") if bounds != "no interval" else None
        p = Cell(EXPONENTS[r["quantity"]][0])
        if not math.isnan(r["p"]):
            p = Cell(p.text, f"{p_value(r['p'])} against no drift")
        rows.append((p, Cell(number(r["value"], "+.2f"), of=of("exponents", i, "value")),
                     Cell(bounds, of=of(*known) if known else ""), Cell(str(r["published"]))))  # fmt: skip
    caption = (
        "The e in y ~ x^e. Published values hold for other optimisers, schedules and data: they say what "
        "to expect, not what is right here."
    )
    header = ("exponent", "here", f"{COVERED} interval", "published")
    return Grid("exponents", "Exponents that were fitted", caption, header, tuple(rows),
                "tables/exponents.csv", True)  # fmt: skip


def families_grid(frame: pd.DataFrame) -> Grid:
    """Return the forms of the best learning rate that were fitted."""
    rows = tuple(
        (
            Cell(str(r["family"])),
            Cell("–") if math.isnan(r["held_out_error"])
            else Cell(f"{100 * r['held_out_error']:.3f} %", of=of("families", i, "held_out_error")),
            Cell(f"{r['weight']:.2f}", of=of("families", i, "weight")),
        )
        for i, r in enumerate(frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        "Forms of the best learning rate over horizon and batch. Error: root mean square of log loss at "
        "horizons left out of the fit. Weight: share in predictions."
    )
    header = ("family", "held-out error", "weight")
    return Grid(
        "families", "Forms that explain it", caption, header, rows, "tables/families.csv", True
    )


def published_laws_grid(frame: pd.DataFrame) -> Grid:
    """Return what published laws answer to each plan."""
    rows = tuple(
        (
            Cell(str(r["law"]), f"{r['model']}; {r['source']}"),
            Cell(_QUANTITIES[r["quantity"]]),
            Cell(f"{r['theirs']:.3g}", of=of("published_laws", i, "theirs")),
            Cell(f"{r['ours']:.3g}", of=of("published_laws", i, "ours")),
            Cell(number(r["octaves"], "+.1f"), "" if r["comparable"] else "not comparable",
                 of=of("published_laws", i, "octaves")),
            Cell(str(r["note"])),
        )
        for i, r in enumerate(frame.to_dict("records"))
    )  # fmt: skip
    caption = (
        "What published laws answer to each plan's size, horizon and batch. Octaves: log2 of ours over "
        "theirs. Where the two do not mean the same thing, the note says what differs."
    )
    header = ("law", "quantity", "theirs", "ours", "octaves", "note")
    return Grid("published-laws", "What published laws would say", caption, header, rows,
                "tables/published_laws.csv", True)  # fmt: skip
