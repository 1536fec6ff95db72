"""Which differences are beyond noise."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import (
    interval,
    join,
    number,
)
from skald_report.sections.context import Context
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import KIND_NAMES, LOWER_IS_BETTER

_SYMBOLS = {"better": "▲", "worse": "▼", "tie": "="}


def difference_blocks(context: Context) -> Iterator[Block]:
    """Show which differences between models are beyond noise."""
    tables = context.tables
    if "differences" not in tables:
        yield Paragraph("Fewer than two models share an item, so nothing is compared.", "gap")
        return
    frame = tables["differences"].frame
    models = tables["models"].frame
    baselines = list(models.loc[models["role"] == "baseline", "model"])
    among = frame["reference"].isin(baselines)
    if among.any():
        yield _difference_grid(frame[among], "baselines", "Between the baselines", False)
    if not among.all():
        title = "Baselines against controls"
        yield _difference_grid(frame[~among], "controls", title, bool(among.any()))


def _difference_grid(frame: pd.DataFrame, name: str, title: str, folded: bool) -> Grid:
    tags = list(dict.fromkeys(frame["language"]))
    body = []
    for (model, reference, _, label), rows in frame.groupby(
        ["model", "reference", "suite", "label"], sort=False
    ):
        at = rows.set_index("language")
        cells = [
            Cell(
                f"{_SYMBOLS[at['verdict'][tag]]} {number(at['difference'][tag], '+.3f')}",
                interval(at["low"][tag], at["high"][tag], "+.3f"),
                at["verdict"][tag],
            )
            if tag in at.index
            else Cell("–")
            for tag in tags
        ]
        body.append((Cell(f"{model} − {reference}", str(label)), *cells))
    lower = join(KIND_NAMES[kind] for kind in LOWER_IS_BETTER)
    return Grid(
        f"differences-{name}",
        title,
        "First model minus second on the same items, with its 95 % interval. ▲ better and ▼ worse "
        f"beyond noise, = tied: decided by p values of the {join(dict.fromkeys(frame['test']))}, "
        f"Holm-corrected below {LEVEL} within a pair of models; the intervals themselves are not "
        f"corrected. For {lower} a negative difference is the better one.",
        ("difference", *tags),
        tuple(body),
        "tables/differences.csv",
        folded,
    )
