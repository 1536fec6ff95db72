"""On which tasks the baselines' intervals clear the controls', language by language.

Knows when an interval clears another; names the exceptions.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from skald_specs.controls import RANDOM_INIT

from skald_report.page.formatting import join
from skald_report.tables.cells import CELL, LOWER_IS_BETTER
from skald_report.tables.table import MACRO, Table

#: Unclear comparisons that a sentence names one by one; more are counted, and the tables show which.
MAX_NAMED = 6


def clearances(scores: Table, baselines: Sequence[str], controls: Sequence[str]) -> list[str]:
    """Say on which tasks the baselines' intervals lie on the better side of the controls'.

    The randomly initialised models are one kind of control and share a sentence.
    """
    untrained = [control for control in controls if control.startswith(RANDOM_INIT)]
    groups = [untrained] if untrained else []
    groups += [[control] for control in controls if control not in untrained]
    return [_clearance(scores, baselines, group) for group in groups]


def _clearance(scores: Table, baselines: Sequence[str], controls: Sequence[str]) -> str:
    rivals = _all_of(controls, "randomly initialised models")
    who, are = _all_of(baselines, "baselines"), "is" if len(baselines) == 1 else "are"
    # A model's name keeps its letters, a sentence begins with a capital.
    who = who if len(baselines) == 1 else who.capitalize()
    found = pd.concat([_standings(scores, baselines, control) for control in controls])
    if found.empty:
        return f"No baseline shares a task with {rivals}, so they are not compared."
    measured = scores.frame[scores.frame["language"] != MACRO]
    everywhere: list[str] = []
    partly: list[tuple[str, str]] = []
    for label, rows in found.groupby("label", sort=False):
        n_cells = len(measured.loc[measured["label"] == label, CELL].drop_duplicates())
        complete = len(rows) == n_cells * len(baselines) * len(controls)
        if complete and (rows["standing"] == "ahead").all():
            everywhere.append(f"on {label}")
        else:
            partly.append((f"on {label}", _partly(rows)))
    apart = "(95 % intervals do not overlap)"
    if not everywhere:
        tasks = "; ".join(f"{place} {counted}" for place, counted in partly)
        return f"{who} {are} ahead of {rivals} {apart} {tasks}."
    text = f"{who} {are} ahead of {rivals} in every language {join(everywhere)} {apart}"
    they = "it is" if len(baselines) == 1 else "they are"
    return "; ".join([text, *(f"{place} {they} {counted}" for place, counted in partly)]) + "."


def _standings(scores: Table, baselines: Sequence[str], control: str) -> pd.DataFrame:
    measured = scores.frame[scores.frame["language"] != MACRO]
    both = measured[measured["model"].isin(baselines)].merge(
        measured[measured["model"] == control], on=CELL, suffixes=("", "_rival")
    )
    lower = both["kind"].isin(LOWER_IS_BETTER)
    above, below = both["low"] > both["high_rival"], both["high"] < both["low_rival"]
    both["standing"] = "unclear"
    both.loc[(above & ~lower) | (below & lower), "standing"] = "ahead"
    both.loc[(below & ~lower) | (above & lower), "standing"] = "behind"
    return both


def _partly(rows: pd.DataFrame) -> str:
    """Count the comparisons that are won, and name where the others were."""
    ahead = int((rows["standing"] == "ahead").sum())
    text = f"in {ahead or 'none'} of {len(rows)} comparisons of baseline, control and language"
    named = [
        f"{words} {join(_in_languages(found))}"
        for standing, words in (("unclear", "intervals overlap for"), ("behind", "behind is"))
        if (found := rows[rows["standing"] == standing]).size
        and (standing == "behind" or len(found) <= MAX_NAMED)
    ]
    return f"{text} ({'; '.join(named)})" if named else text


def _in_languages(rows: pd.DataFrame) -> list[str]:
    return [
        f"{model} in {', '.join(dict.fromkeys(own['language']))}"
        for model, own in rows.groupby("model", sort=False)
    ]


def _all_of(names: Sequence[str], kind: str) -> str:
    if len(names) == 1:
        return names[0]
    return f"both {kind}" if len(names) == 2 else f"all {len(names)} {kind}"
