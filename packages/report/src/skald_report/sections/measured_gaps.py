"""How far the models measured here are from European ones of their class, and what others published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from skald_report.landscape.protocol import TASK_KINDS
from skald_report.page.blocks import Block, Cell, Claims, Grid, Paragraph
from skald_report.page.formatting import interval, join, language_name, number, of, p_value
from skald_report.sections.context import Context
from skald_report.sections.measured_words import PLACES
from skald_report.sections.published_gaps import tokens_cell
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.table import MACRO

_GAPS, _BESIDE = "measured_gaps", "published_beside"


def measured_blocks(context: Context) -> Iterator[Block]:
    """Yield the gaps of the models measured here, or what was not measured and how to."""
    table = context.tables.get(_GAPS)
    if table is None:
        yield Paragraph(_not_measured(context), "gap")
    else:
        frame = table.frame
        yield Claims(context.remarks.measured_gaps)
        yield _grid(frame)
    beside = context.tables.get(_BESIDE)
    if beside is not None:
        yield _beside(beside.frame)


def _not_measured(context: Context) -> str:
    models = context.tables.get("models")
    own = models.frame[models.frame["role"] == "baseline"] if models is not None else pd.DataFrame()
    who = "Of this report's models"
    if len(own):
        sizes = join(dict.fromkeys(size or "an unknown size" for size in own["size_class"]))
        who = f"Of this report's models (size class {sizes})"
    return (
        f"{who} no distance is given: no European model of their size class was measured here, and published scores "
        "follow another protocol. `skald evaluate --models eu-small` (evals/models.yaml) measures such models on "
        "the same items; the next report then has the gaps, and their price in tokens."
    )


def _grid(frame: pd.DataFrame) -> Grid:
    rows = []
    for index, row in frame.iterrows():
        at = int(str(index))
        place = "mean over languages" if row["scope"] == MACRO else language_name(row["scope"])
        mark = {"behind": "worse", "ahead": "better"}.get(row["verdict"], "")
        rows.append((
            Cell(str(row["model"]), f"{place}, {PLACES[row['measure']]}"),
            Cell(number(row["score"], ".3f"), of=of(_GAPS, at, "score")),
            Cell(number(row["best_score"], ".3f"), str(row["best"]), of=of(_GAPS, at, "best_score")),
            Cell(number(row["gap"], "+.3f"), interval(row["low"], row["high"], "+.3f"), mark,
                 of=of(_GAPS, at, "gap", "low", "high")),
            _verdict(row, at),
            tokens_cell(row, at, _GAPS),
        ))  # fmt: skip
    return Grid(
        "measured-gaps",
        "Models measured here against the best measured European model of their class",
        "Same items, same prompts. Positive: the rival leads. Of a language: two independent means, interval and p "
        "corrected (Bonferroni) over languages and rivals; of the mean: paired over keys, interval corrected over "
        "rivals, p over them and all pairs. The best of several is best partly by luck: its lead is rather too large. "
        "Tokens: the loss law of the sweep, at the horizon at which its loss is lower by the gap's share of the "
        "model's own bits per byte; learning rate and batch are taken to be the best at both horizons.",
        ("model", "score", "best European model of its class", "gap (95 % together)", "beyond noise?",
         "tokens to close (90 %)"),
        tuple(rows),
        "tables/measured_gaps.csv",
        folded=True,
    )  # fmt: skip


def _verdict(row: pd.Series[Any], at: int) -> Cell:
    if not row["verdict"]:
        return Cell("–", "not tested: no interval")
    told = {"tie": "no"}.get(row["verdict"], f"yes, {row['verdict']}")
    return Cell(told, p_value(row["p_corrected"]), of=of(_GAPS, at, "p_corrected"))


def _beside(frame: pd.DataFrame) -> Grid:
    kinds = {kind: kind.replace("-", "_") for kind in TASK_KINDS}
    rows = []
    for index, row in frame.iterrows():
        at = int(str(index))
        cells = [Cell(str(row["model"]), language_name(row["language"]))]
        for measure in (TASKS, TEXT):
            cells.append(
                Cell("–", "not measured")
                if pd.isna(row[measure])
                else Cell(
                    number(row[measure], ".3f"),
                    interval(row[f"{measure}_low"], row[f"{measure}_high"]),
                    of=of(_BESIDE, at, measure, f"{measure}_low", f"{measure}_high"),
                )
            )
        cells += [
            Cell("–", "not published")
            if pd.isna(row[name])
            else Cell(number(row[name], ".1f"), of=of(_BESIDE, at, name))
            for name in kinds.values()
        ]
        rows.append(tuple(cells))
    return Grid(
        "published-beside",
        "Measured here, and published by others",
        "Two protocols, in columns of their own; no column compares them. Measured here: the likeliest of the given "
        "continuations on this report's items, chance-corrected mean over tasks (0 to 1), and bits per byte (lower is "
        "better). Published: EuroEval's few-shot prompts that ask for an answer label, Matthews correlation or F1 "
        f"x 100, on other items; snapshots of {join(sorted({d for s in frame['source_date'] for d in s.split('; ')}))}.",
        ("model", "measured: tasks", "measured: bits per byte",
         *(f"published: {title}" for title in TASK_KINDS.values())),
        tuple(rows),
        "tables/published_beside.csv",
        folded=True,
    )  # fmt: skip
