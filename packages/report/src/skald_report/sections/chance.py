"""Controlled tasks (facts, skills, copying) on the page: their scores against chance, and what a canary above it means.

Each language has few items, so the mean over languages is what is judged, once for each baseline, with
Holm's correction over all such judgements of the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from skald_report.page.blocks import Grid
from skald_report.page.formatting import (
    MAX_ROWS,
    capital,
    counted,
    interval,
    join,
    p_value,
    score_cells,
    span,
    task_cell,
    with_mean_last,
)
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import AGAINST_CHANCE, KIND_NAMES
from skald_report.tables.table import MACRO, Table

_MEANING = {
    "number": "pairs of a number and a noun's form, balanced so that a model that always prefers one form "
    "is at chance",
    "transfer": "the training text of other languages states the fact, with the name spelt otherwise, "
    "never that of the language asked in",
    "skill": "weekdays, dates and sums with operands that no language was trained on",
    "calendar": "which day or month comes next or before, and how this language spells it",
    "copy": "what the context says is repeated or looked up: above chance, a model copies from its "
    "context, whatever the language",
    "canary": "stated nowhere, so the score must stay at chance: above it beyond noise, items have leaked",
}


#: Models that a sentence names one by one.
_MAX_NAMED = 4


def chance_claims(scores: Table, baselines: Sequence[str]) -> list[str]:
    """Say where the baselines stand against chance, one sentence a task.

    Args:
        scores: Scores with intervals.
        baselines: Models to judge.
    """
    frame = scores.frame
    rows = frame[frame["kind"].isin(AGAINST_CHANCE)]
    said = [
        _claim(str(kind), str(label), own, baselines)
        for (_, kind, label), own in rows.groupby(["suite", "kind", "label"], sort=False)
        if own["model"].isin(baselines).any()
    ]
    n_judged = int(rows["p_chance_holm"].notna().sum())
    if n_judged:
        said.append(
            f"Above or below chance: Holm-corrected p < {LEVEL} over the "
            f"{counted(n_judged, 'comparison')} of a baseline's task with chance; the intervals are not corrected."
        )
    return said


def _claim(kind: str, label: str, rows: pd.DataFrame, baselines: Sequence[str]) -> str:
    chance = float(rows["chance"].dropna().mean())
    judged = rows[rows["model"].isin(baselines) & rows["p_chance_holm"].notna()]
    if judged.empty:
        return (
            f"On {label} no baseline is judged against chance: there is no mean over languages with an interval, "
            "and a language alone has few items."
        )
    tags = list(dict.fromkeys(judged["language"]))
    where = "mean over languages" if tags == [MACRO] else join(tags)
    standings, leaks = [], False
    for row in judged.to_dict("records"):
        standing = "at chance"
        if row["p_chance_holm"] < LEVEL:
            standing = "above chance" if row["score"] > chance else "below chance"
        leaks |= kind == "canary" and standing == "above chance"
        scored = f"{row['score']:.3f} ({interval(row['low'], row['high'])}, {p_value(row['p_chance_holm'])})"
        standings.append((str(row["model"]), standing, scored))
    text = f"On {label} ({where}, chance {chance:.2f}) {join(_parts(standings))}"
    if kind != "canary":
        return f"{text}."
    return f"{text}: {'items have leaked' if leaks else 'no sign of a leak'}."


def _parts(standings: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return where each model stands with its score; of many, how many stand there."""
    if len(standings) <= _MAX_NAMED:
        return [f"{model} is {standing} with {scored}" for model, standing, scored in standings]
    counts = Counter(standing for _, standing, _ in standings)
    return [f"{n} of {len(standings)} models are {standing}" for standing, n in counts.items()]


def chance_grids(frame: pd.DataFrame, roles: Mapping[str, str]) -> Iterator[Grid]:
    """Yield one table a suite: every model on every task that is set against chance.

    Args:
        frame: The rows of the scores table.
        roles: Each model's role; controls have a table of their own.
    """
    trained = frame["model"].map(roles) != "control"
    rows = frame[frame["kind"].isin(AGAINST_CHANCE) & trained]
    for suite, own in rows.groupby("suite", sort=False):
        tags = with_mean_last(own["language"])
        if own[["task", "model"]].drop_duplicates().shape[0] > MAX_ROWS:
            continue
        body = tuple(
            (task_cell(str(model), scored), *score_cells(scored, tags))
            for (_, model), scored in own.groupby(["task", "model"], sort=False)
        )
        kinds = [kind for kind in KIND_NAMES if kind in set(own["kind"])]
        meanings = ". ".join(f"{capital(KIND_NAMES[kind])}: {_MEANING[kind]}" for kind in kinds)
        single = own[own["language"] != MACRO]
        chance = join(f"{c:.2f}" for c in sorted(single["chance"].dropna().unique()))
        yield Grid(
            f"{suite}-chance",
            f"Controlled tasks of suite {suite}, against chance",
            f"How often the right choice is the likeliest; chance is {chance}. "
            f"{meanings}. Score and 95 % interval, {span(single['n_items'])} items a "
            "language, so the mean is what is judged, with Holm's correction. These tasks enter none of the differences "
            "below.",
            ("model", *tags),
            body,
            "tables/scores.csv",
            True,
        )
