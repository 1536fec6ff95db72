"""Claims in words, derived from the tables: no sentence here is true by being written.

Knows when an interval clears another and when a difference is beyond noise; says which languages
are exceptions by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from skald_specs.languages import BY_TAG

from skald_report.cells import CELL, LOWER_IS_BETTER
from skald_report.tables import LEVEL, MACRO, Table


def language_name(tag: str) -> str:
    """Return a language's English name with its own name: Danish (dansk)."""
    known = BY_TAG.get(tag)
    if known is None:
        return tag
    own = f" ({known.endonym})" if known.endonym != known.english else ""
    return f"{known.english}{own}"


def join(words: Iterable[str], last: str = "and") -> str:
    """Join words as English does: a, b and c."""
    listed = list(words)
    return f" {last} ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def claims(models: Table, scores: Table, differences: Table | None) -> list[str]:
    """Return what the measured scores allow to say, in the order a reader asks.

    Args:
        models: The evaluated models.
        scores: Scores with intervals.
        differences: Paired differences, or None without two models.
    """
    frame = models.frame
    baselines = list(frame.loc[frame["role"] == "baseline", "model"])
    controls = list(frame.loc[frame["role"] == "control", "model"])
    said = clearances(scores, baselines, controls)
    if not controls:
        said.append("No control was evaluated, so no score can be set against chance or counting.")
    if len(baselines) < 2:
        said.append("Only one baseline was evaluated, so no two baselines are compared.")
    elif differences is not None:
        frame = differences.frame
        among = frame[frame["model"].isin(baselines) & frame["reference"].isin(baselines)]
        for pair, rows in among.groupby(["model", "reference"], sort=False):
            said.append(comparison(str(pair[0]), str(pair[1]), rows))
    return [*said, *gaps(scores)]


def clearances(scores: Table, baselines: Sequence[str], controls: Sequence[str]) -> list[str]:
    """Say where each baseline's interval lies on the better side of each control's.

    Controls that every baseline beats everywhere share one sentence.
    """
    beaten: dict[str, list[str]] = {}
    others: list[str] = []
    for control in controls:
        found = _standings(scores, baselines, control)
        if not len(found):
            others.append(f"No baseline shares a task with {control}, so they are not compared.")
        elif (found["standing"] == "ahead").all():
            labels = join(dict.fromkeys(found["label"]))
            asked = scores.frame.loc[scores.frame["language"] != MACRO, CELL].drop_duplicates()
            shared = "" if len(found) == len(asked) * len(baselines) else " that both have"
            beaten.setdefault(f"every language{shared} on {labels}", []).append(control)
        else:
            others.append(_partly(found, baselines, control))
    verb = "beats" if len(baselines) == 1 else "beat"
    clear = [
        f"{_all_of(baselines)} {verb} {join(named)} in {where}: the 95 % intervals do not overlap."
        for where, named in beaten.items()
    ]
    return clear + others


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


def _partly(found: pd.DataFrame, baselines: Sequence[str], control: str) -> str:
    who = f"{baselines[0]} is" if len(baselines) == 1 else "the baselines are"
    ahead = int((found["standing"] == "ahead").sum())
    text = (
        f"Against {control}, {who} clearly ahead in {ahead} of {len(found)} "
        "comparisons of language and task"
    )
    for standing, words in (
        ("unclear", "the 95 % intervals overlap for"),
        ("behind", "clearly behind is"),
    ):
        rows = found[found["standing"] == standing]
        if len(rows):
            named = "; ".join(
                f"{model} ({_where(own)})" for model, own in rows.groupby("model", sort=False)
            )
            text += f"; {words} {named}"
    return text + "."


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


def gaps(scores: Table) -> list[str]:
    """Name the models that lack a language others have, and the means that leave languages out."""
    found = []
    table = scores.frame[scores.frame["language"] != MACRO]
    for (_, _, label), rows in table.groupby(["suite", "task", "label"], sort=False):
        tags = list(dict.fromkeys(rows["language"]))
        for model, own in rows.groupby("model", sort=False):
            lacking = [tag for tag in tags if tag not in set(own["language"])]
            if lacking:
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


def _all_of(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return "Both baselines" if len(names) == 2 else f"All {len(names)} baselines"
