"""What the controls say of the tasks: one compact table, and each flag in words.

Knows scores and the flags that the evaluation wrote; what a control is there to show is
`skald_specs.controls`, what counts as a flag is the harness'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from skald_specs.controls import (
    BYTE_NGRAM,
    BYTE_UNIGRAM,
    LONGEST,
    MAJORITY,
    ORACLE,
    SHORTEST,
    what_it_shows,
)
from skald_specs.records import ControlFlag

from skald_report.page.blocks import Block, Cell, Claims, Grid, Paragraph
from skald_report.page.formatting import MAX_OPEN, join, numbered, of
from skald_report.reading.inputs import Sources
from skald_report.tables.controls import UNTRAINED, flags_by_task
from skald_report.tables.table import Table

_ORDER = (UNTRAINED, BYTE_NGRAM, BYTE_UNIGRAM, LONGEST, SHORTEST, MAJORITY, ORACLE)


def control_blocks(sources: Sources, table: Table | None) -> Iterator[Block]:
    """Say what was flagged, and show every control on every task.

    Args:
        sources: Its summaries have the flags that the evaluations raised.
        table: `controls`, a row a control, task and language; None where no control was evaluated.
    """
    if table is None:
        yield Paragraph(
            "No control was evaluated, so no score can be set against chance, counting or a rule.",
            "gap",
        )
        return
    frame = table.frame
    yield Paragraph(
        "They know nothing that a task asks for: they are an untrained network, byte counts of the training text, "
        "and rules that look at the length or the label of the answers alone. A task that one of them passes "
        "above chance (exact binomial test of single items, Holm-corrected below .01 within a suite) can be "
        "passed that far without what it is named for. The oracle knows every answer."
    )
    yield Claims(tuple(control_sentences(sources, table)))
    for suite, rows in frame.groupby("suite", sort=False):
        yield _grid(str(suite), rows)


def control_sentences(sources: Sources, table: Table | None) -> list[str]:
    """Return each flag in words, or that there is none; nothing without controls.

    Args:
        sources: Its summaries have the flags that the evaluations raised.
        table: `controls`; None where no control was evaluated.
    """
    if table is None:
        return []
    frame = table.frame
    judged = len(frame.loc[frame["chance"].notna(), ["suite", "task"]].drop_duplicates())
    return list(_sentences(frame, flags_by_task(sources))) or [
        f"No control is above chance on any of {judged} kinds of task, and the oracle is always right."
    ]


def _sentences(
    frame: pd.DataFrame, flagged: dict[tuple[str, str, str, str], list[ControlFlag]]
) -> Iterator[str]:
    for row in frame[frame["flagged"] != ""].to_dict("records"):
        tags = row["flagged"].split()
        flags = [
            flag for tag in tags for flag in flagged[row["suite"], row["task"], row["control"], tag]
        ]
        where = f"all {len(tags)} languages" if len(tags) == row["n_languages"] > 1 else join(tags)
        scored = _span([flag.score for flag in flags])
        who = "an untrained network" if row["control"] == UNTRAINED else row["control"]
        against = "where 1 is due" if row["control"] == ORACLE else (
            f"where chance is {_span([flag.chance for flag in flags])}"
        )  # fmt: skip
        shown = what_it_shows(flags[0].control)
        yield f"On {row['label']} in {where} {who} has {scored} {against}: {shown}."


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _grid(suite: str, rows: pd.DataFrame) -> Grid:
    columns = [name for name in _ORDER if name in set(rows["control"])]
    columns += sorted(set(rows["control"]) - set(_ORDER))
    body = []
    for _, own in rows.groupby("task", sort=False):
        label = str(own["label"].iloc[0]).removesuffix(f" of suite {suite}")
        at = {str(row["control"]): row for row in numbered(own)}
        chance = float(own["chance"].mean())
        known = "no chance level" if math.isnan(chance) else f"chance {chance:.2f}"
        head = Cell(label, known if own["kind"].iloc[0] != "text" else "")
        body.append((head, *(_cell(at.get(name)) for name in columns)))
    return Grid(
        f"{suite}-controls",
        f"Controls on suite {suite}",
        "Mean score over languages, and under it the smallest and the largest of the languages (and of "
        "the untrained networks). ⚑ flagged, and where; a dash: the control "
        "cannot be asked.",
        ("task", *columns),
        tuple(body),
        "tables/controls.csv",
        len(body) > MAX_OPEN,
    )


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("–")
    alone = row["low"] == row["high"]
    spread = "" if alone else f"{row['low']:.2f}–{row['high']:.2f}"
    where = of("controls", row["row"], "score", *(() if alone else ("low", "high")))
    if not row["flagged"]:
        return Cell(f"{row['score']:.2f}", spread, of=where)
    tags = row["flagged"].split()
    said = "every language" if len(tags) == row["n_languages"] > 1 else join(tags)
    return Cell(f"⚑ {row['score']:.2f}", spread, "worse", f"flagged in {said}", where)
