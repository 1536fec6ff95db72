"""A pair of models task by task and language by language, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from skald_report.page.formatting import join, number
from skald_report.sections.pair_words import MAX_NAMED
from skald_report.sections.rivals import Measure, english
from skald_report.tables.cells import AGAINST_CHANCE

#: What a sentence calls each verdict.
WORDS = {"better": "better", "worse": "worse", "tie": "tied"}


def belongs(cells: pd.DataFrame, measure: Measure) -> pd.Series[bool]:
    """Return which differences belong to a measure.

    Args:
        cells: Rows of a table with a `kind` of task.
        measure: One of `MEASURES`.

    Returns:
        A mask of the rows; kinds that are set against chance belong to none.
    """
    text = cells["kind"] == "text"
    return text if measure.name == "text" else ~text & ~cells["kind"].isin(AGAINST_CHANCE)


def by_cell(cells: pd.DataFrame, measure: Measure, model: str) -> Iterator[str]:
    """Say in which languages a pair differs, task by task.

    Args:
        cells: Rows of `differences` of one pair and one measure, seen from `model`; nothing is said
            of fewer than two.
        measure: The one that all of them belong to.
        model: Whom signs and verdicts are about.
    """
    if len(cells) < 2:
        return
    n = {verdict: int((cells["verdict"] == verdict).sum()) for verdict in WORDS}
    one_task = not cells["language"].duplicated().any()
    begin = "Language by language" if one_task else "Task by task"
    what = "languages" if one_task else "pairs of task and language"
    whole = [verdict for verdict in WORDS if n[verdict] == len(cells)]
    if whole == ["tie"]:
        yield f"{begin}, all {len(cells)} {what} are tied {measure.place}."
    elif whole:
        told = f"{begin}, {model} is {whole[0]} {measure.place} in all {len(cells)} {what}"
        yield f"{told}{_extremes(cells)}."
    else:
        counts = [f"{word} in {n[v] or 'none'}{where_words(cells, v)}" for v, word in WORDS.items()]
        yield f"{begin}, of {len(cells)} {what} {measure.place} {model} is {join(counts)}."


def where_words(cells: pd.DataFrame, verdict: str) -> str:
    """Return in brackets where a verdict holds; nothing for ties and where it holds too often.

    Args:
        cells: Rows of `differences` of one pair.
        verdict: `better`, `worse` or `tie`.
    """
    own = cells[cells["verdict"] == verdict]
    if verdict == "tie" or not 0 < len(own) <= MAX_NAMED:
        return ""
    one_task = cells[["suite", "task"]].drop_duplicates().shape[0] == 1
    parts = []
    for label, rows in own.groupby("label", sort=False):
        where = join(english(tag) for tag in rows["language"])
        parts.append(where if one_task else f"{label} in {where}")
    return f" ({'; '.join(parts)})"


def _extremes(cells: pd.DataFrame) -> str:
    """Name the largest and the smallest difference of a measure that is one task in many languages."""
    if cells["language"].duplicated().any() or (cells["verdict"] == "tie").any():
        return ""
    ordered = cells.reindex(cells["difference"].abs().sort_values(kind="stable").index)
    least, most = ordered.iloc[0], ordered.iloc[-1]
    return (
        f", most in {english(most['language'])} ({number(most['difference'], '+.3f')}) and least in "
        f"{english(least['language'])} ({number(least['difference'], '+.3f')})"
    )
