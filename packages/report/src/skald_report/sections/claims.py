"""Claims in words, derived from the tables: no sentence here is true by being written.

Knows when an interval clears another and when a difference is beyond noise; says which languages
are exceptions by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from skald_specs.controls import RANDOM_INIT

from skald_report.page.formatting import join
from skald_report.sections.chance import chance_claims
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import AGAINST_CHANCE, CELL, LOWER_IS_BETTER
from skald_report.tables.models import task_checks
from skald_report.tables.table import MACRO, Table

#: Unclear comparisons that a sentence names one by one; more are counted, and the tables show which.
MAX_NAMED = 6


def claims(models: Table, scores: Table, differences: Table | None) -> list[str]:
    """Return what the measured scores allow to say, in the order a reader asks.

    Args:
        models: The evaluated models.
        scores: Scores with intervals.
        differences: Paired differences, or None without two models.
    """
    frame = models.frame
    baselines = list(frame.loc[frame["role"] == "baseline", "model"])
    controls = list(frame.loc[(frame["role"] == "control") & ~task_checks(frame), "model"])
    contest = ~scores.frame["kind"].isin(AGAINST_CHANCE)
    said = clearances(scores._replace(frame=scores.frame[contest]), baselines, controls)
    if not controls:
        said.append("No control was evaluated, so no score can be set against chance or counting.")
    if len(baselines) < 2:
        said.append("Only one baseline was evaluated, so no two baselines are compared.")
    elif differences is not None:
        frame = differences.frame
        among = frame[frame["model"].isin(baselines) & frame["reference"].isin(baselines)]
        for pair, rows in among.groupby(["model", "reference"], sort=False):
            said.append(comparison(str(pair[0]), str(pair[1]), rows))
    return [*said, *chance_claims(scores, baselines), *gaps(models, scores)]


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


def comparison(model: str, reference: str, rows: pd.DataFrame) -> str:
    """Say where one model is better, worse or tied with another, after Holm's correction."""
    counts = {verdict: rows[rows["verdict"] == verdict] for verdict in ("better", "worse", "tie")}
    n = {verdict: len(found) for verdict, found in counts.items()}
    if n["tie"] == len(rows):
        return (
            f"{model} and {reference} are tied in all {len(rows)} comparisons of language and "
            f"task: no difference is beyond noise."
        )
    parts = [
        f"{verdict} in {n[verdict]}" + (f" ({_where(counts[verdict])})" if n[verdict] else "")
        for verdict in ("better", "worse")
    ]
    return (
        f"Against {reference}, {model} is {parts[0]}, {parts[1]} and tied in {n['tie']} of "
        f"{len(rows)} comparisons of language and task (paired on the same items, Holm-corrected "
        f"p < {LEVEL})."
    )


def gaps(models: Table, scores: Table) -> list[str]:
    """Name the models that lack a language others have, and the means that leave languages out."""
    found = []
    roles = dict(models.frame[["model", "role"]].itertuples(index=False, name=None))
    table = scores.frame[scores.frame["language"] != MACRO]
    for (_, _, label), rows in table.groupby(["suite", "task", "label"], sort=False):
        tags = list(dict.fromkeys(rows["language"]))
        for model, own in rows.groupby("model", sort=False):
            lacking = [tag for tag in tags if tag not in set(own["language"])]
            if lacking and roles[model] == "control":
                found.append(f"{model} has no score on {label} for {join(lacking)} and no mean.")
            elif lacking:
                found.append(
                    f"{model} has no score on {label} for {join(lacking)}; means "
                    f"over languages leave {'it' if len(lacking) == 1 else 'them'} out for all."
                )
    return found


def _where(rows: pd.DataFrame) -> str:
    by_label: Mapping[str, list[str]] = {
        str(label): list(own["language"]) for label, own in rows.groupby("label", sort=False)
    }
    return "; ".join(f"{label}: {', '.join(tags)}" for label, tags in by_label.items())


def _all_of(names: Sequence[str], kind: str) -> str:
    if len(names) == 1:
        return names[0]
    return f"both {kind}" if len(names) == 2 else f"all {len(names)} {kind}"
