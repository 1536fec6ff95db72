"""Every pair of models: the difference of their means, and task by task whether it is beyond noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.figures.pairs import pairwise_matrix
from skald_report.page.blocks import Block, Cell, Gallery, Grid, Paragraph
from skald_report.page.formatting import (
    MAX_OPEN,
    MAX_ROWS,
    bare_p,
    interval,
    join,
    number,
    numbered,
    of,
    span,
)
from skald_report.sections.context import Context
from skald_report.sections.rivals import MEASURES, Measure, contestants, means
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import KIND_NAMES, LOWER_IS_BETTER
from skald_report.tables.pairs import SEEDS
from skald_report.tables.table import Table

SYMBOLS = {"better": "▲", "worse": "▼", "tie": "=", SEEDS: "seeds"}
#: Pairs that a table lists; beyond, those of the leader.
_MAX_PAIRS = 60


def pair_blocks(context: Context) -> Iterator[Block]:
    """Show the difference of every pair of models with what could have been found, then cell by cell."""
    tables = context.tables
    if "pairwise" not in tables and "differences" not in tables:
        yield Paragraph("Fewer than two models share an item, so nothing is compared.", "gap")
        return
    if "pairwise" in tables:
        yield from _matrices(tables["pairwise"])
        for measure in MEASURES:
            yield from _pairs(context, measure)
    if "differences" in tables:
        yield from _by_cell(context)


def _matrices(pairwise: Table) -> Iterator[Gallery]:
    frame = pairwise.frame
    drawn = [m.name for m in MEASURES if (frame["measure"] == m.name).any()]
    yield Gallery(
        tuple(pairwise_matrix(pairwise, name) for name in drawn),
        f"Row minus column: the difference of their means over {span(frame['n_cells'])} cells and "
        f"{span(frame['n_items'])} items that both answered. Blue: better beyond noise, orange: worse, grey: tied "
        f"(Holm-corrected p < {LEVEL} over all pairs of a measure).",
    )


def _pairs(context: Context, measure: Measure) -> Iterator[Block]:
    frame = context.tables["pairwise"].frame
    rows = frame[frame["measure"] == measure.name]
    if rows.empty:
        return
    shown, left = rows, ""
    if len(rows) > _MAX_PAIRS:
        named = contestants(context.tables["models"])
        ranked = means(context.tables.get("overall"), measure, named)
        leader = ranked["model"].iloc[0] if len(ranked) else rows["model"].iloc[0]
        shown = rows[(rows["model"] == leader) | (rows["reference"] == leader)]
        left = (
            f" Of {len(rows):,} pairs these are the {len(shown):,} of {leader}; the file has all."
        )
    n_compared = int((rows["verdict"] != SEEDS).sum())
    tests = join(dict.fromkeys(map(str, rows["test"])))
    yield Grid(
        f"pairs-{measure.name}",
        f"Pairs of models {measure.place}",
        f"First model minus second ({measure.noun}), with its 95 % interval before correction. ▲ better, ▼ worse, "
        f"= tied: p ({tests}) below {LEVEL}, Holm-corrected over {n_compared:,} pairs. Detectable: found with 80 % "
        "power at the strictest step of that correction; – where too few clusters differ. Won, lost, tied: tasks in "
        f"a language.{_seeds(rows)}{left}",
        ("pair", "difference", "corrected p", "detectable", "won–lost–tied", "items"),
        tuple(_row(row) for row in numbered(shown)),
        "tables/pairwise.csv",
        len(shown) > MAX_OPEN,
    )


def _seeds(rows: pd.DataFrame) -> str:
    if not (rows["verdict"] == SEEDS).any():
        return ""
    return " Seeds: one baseline trained more than once, not compared."


def _row(row: Mapping[Any, Any]) -> tuple[Cell, ...]:
    def at(*columns: str) -> str:
        return of("pairwise", row["row"], *columns)

    verdict = str(row["verdict"])
    low, high = row["low"], row["high"]
    known = () if pd.isna(low) else ("low", "high")
    return (
        Cell(f"{row['model']} − {row['reference']}"),
        Cell(
            f"{SYMBOLS[verdict]} {number(row['difference'], '+.3f')}",
            interval(low, high, "+.3f"),
            verdict,
            of=at("difference", *known),
        ),
        Cell(bare_p(row["p_holm"]), of=at("p_holm")),
        _number(row["mde"], ".3f", at("mde")),
        Cell(f"{row['wins']}–{row['losses']}–{row['ties']}", of=at("wins", "losses", "ties")),
        Cell(f"{row['n_items']:,}", of=at("n_items")),
    )


def _number(value: float, digits: str, where: str) -> Cell:
    return Cell("–", "not known") if pd.isna(value) else Cell(number(value, digits), of=where)


def _by_cell(context: Context) -> Iterator[Block]:
    frame = context.tables["differences"].frame
    ranked = set(contestants(context.tables["models"]))
    among = frame["reference"].isin(ranked)
    if among.any():
        yield from _difference_grid(frame[among], "models", "Between the models, task by task")
    if not among.all():
        yield from _difference_grid(frame[~among], "controls", "Against controls, task by task")


def _difference_grid(frame: pd.DataFrame, name: str, title: str) -> Iterator[Block]:
    names = ["model", "reference", "suite", "label"]
    if len(n_rows := frame[names].drop_duplicates()) > MAX_ROWS:
        yield Paragraph(
            f"{title}: {len(n_rows):,} rows of differences are in `tables/differences.csv` and not on this "
            "page."
        )
        return
    tags = list(dict.fromkeys(frame["language"]))
    body = []
    for (model, reference, _, label), rows in frame.groupby(names, sort=False):
        at = {row["language"]: row for row in numbered(rows)}
        cells = [_difference(at[tag]) if tag in at else Cell("–") for tag in tags]
        body.append((Cell(f"{model} − {reference}", str(label)), *cells))
    lower = join(KIND_NAMES[kind] for kind in LOWER_IS_BETTER)
    yield Grid(
        f"differences-{name}",
        title,
        "First model minus second on the same items, with its 95 % interval. ▲ better and ▼ worse "
        f"beyond noise, = tied: decided by p values of the {join(dict.fromkeys(frame['test']))}, "
        f"Holm-corrected below {LEVEL} within a pair of models; the intervals themselves are not "
        f"corrected. For {lower} a negative difference is the better one.",
        ("difference", *tags),
        tuple(body),
        "tables/differences.csv",
        True,
    )


def _difference(row: Mapping[Any, Any]) -> Cell:
    verdict = str(row["verdict"])
    low, high = row["low"], row["high"]
    known = () if pd.isna(low) else ("low", "high")
    return Cell(
        f"{SYMBOLS[verdict]} {number(row['difference'], '+.3f')}",
        interval(low, high, "+.3f"),
        verdict,
        of=of("differences", row["row"], "difference", *known),
    )
