"""Scores measured here: a table and a figure a suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from skald_report.figures import scores as figures
from skald_report.figures.style import Look
from skald_report.page.blocks import Block, Claims, Gallery, Grid
from skald_report.page.formatting import (
    MAX_ROWS,
    capital,
    join,
    score_cells,
    span,
    task_cell,
    with_mean_last,
)
from skald_report.sections.chance import chance_grids
from skald_report.sections.context import Context
from skald_report.tables.cells import AGAINST_CHANCE, KIND_NAMES, LOWER_IS_BETTER
from skald_report.tables.table import MACRO, Table

_MEASURES = {
    "pairs": "how often the grammatical sentence is the likelier one",
    "cloze": "how often the right continuation is the likeliest",
    "choice": "how often the right choice is the likeliest, by the task's own rule",
    "generate": "the task's own measure of the text that a model writes",
    "text": "lower is better",
}
#: Tasks of a suite that get a figure each; where there are more, the table alone is readable.
_PANELS = 6


#: Models whose scores are drawn in one figure a task.
_MAX_DRAWN = 8


def score_blocks(context: Context) -> Iterator[Block]:
    """Show every model's score on every task, and against chance where that is what counts.

    All of it is folded: it shows rows of the table to search in other orders.
    """
    tables, look = context.tables, context.look
    if "scores" not in tables:
        return
    frame = tables["scores"].frame
    roles = context.roles
    shown = {model for model, role in roles.items() if role != "control"}
    contest = frame[~frame["kind"].isin(AGAINST_CHANCE)]
    for suite, rows in contest[contest["model"].isin(shown)].groupby("suite", sort=False):
        yield from _score_grids(str(suite), rows)
    if context.said.chance:
        yield Claims(context.said.chance, "Controlled tasks against chance, in words")
    yield from chance_grids(frame, roles)
    if len(shown) <= _MAX_DRAWN and len(contest):
        yield from _panels(tables["scores"], contest, look)


def _panels(scores: Table, contest: pd.DataFrame, look: Mapping[str, Look]) -> Iterator[Gallery]:
    suites = [
        (str(suite), list(dict.fromkeys(rows["task"])), rows)
        for suite, rows in contest.groupby("suite", sort=False)
    ]
    drawn = [(suite, tasks, rows) for suite, tasks, rows in suites if len(tasks) <= _PANELS]
    if not drawn:
        return
    drawings = [
        figures.score_panel(scores, suite, task, look)
        for suite, tasks, _ in drawn
        for task in tasks
    ]
    counts = pd.concat([rows for _, _, rows in drawn])
    counts = counts[counts["language"] != MACRO]
    methods = join(dict.fromkeys(counts["method"]))
    yield Gallery(
        tuple(drawings),
        f"Each dot is one model in one language with its 95 % interval, from "
        f"{span(counts['n_items'])} items in {span(counts['n_keys'])} clusters (items that share "
        f"a key). Methods: {methods}. `{MACRO}` is the unweighted mean over languages "
        "(its interval from leaving out one key at a time, in every language that has it; the languages "
        "are fixed). Grey marks are controls.",
        "Scores, task by task",
    )


def _score_grids(suite: str, rows: pd.DataFrame) -> Iterator[Grid]:
    """Yield one table of shares and one of bits per byte: one row a task and model."""
    for name, title, lower in (("scores", "Scores", False), ("bits", "Bits per byte", True)):
        own = rows[rows["kind"].isin(LOWER_IS_BETTER) == lower]
        if len(own) and own[["task", "model"]].drop_duplicates().shape[0] <= MAX_ROWS:
            yield _score_grid(f"{suite}-{name}", f"{title}, suite {suite}", own)


def _score_grid(name: str, title: str, rows: pd.DataFrame) -> Grid:
    tags = with_mean_last(rows["language"])
    body = tuple(
        (task_cell(str(model), own), *score_cells(own, tags))
        for (_, model), own in rows.groupby(["task", "model"], sort=False)
    )
    single = rows[rows["language"] != MACRO]
    kinds = [kind for kind in KIND_NAMES if kind in set(rows["kind"])]
    meant = "; ".join(
        f"{KIND_NAMES[kind]}: {_MEASURES[kind]}{_chance(single[single['kind'] == kind])}"
        for kind in kinds
    )
    worded = (
        " A task asked in several wordings has the mean over them; in brackets the lowest and the "
        "highest of their scores."
        if (rows["n_wordings"] > 1).any()
        else ""
    )
    caption = (
        f"{capital(meant)}. Score and 95 % interval; {span(single['n_items'])} items a task and "
        f"language.{worded}"
    )
    return Grid(name, title, caption, ("model", *tags), body, "tables/scores.csv", folded=True)


def _chance(rows: pd.DataFrame) -> str:
    levels = sorted({f"{chance:.2f}" for chance in rows["chance"].dropna()})
    if not levels:
        return ""
    return (
        f" (chance {levels[0]})" if len(levels) == 1 else f" (chance {levels[0]} to {levels[-1]})"
    )
