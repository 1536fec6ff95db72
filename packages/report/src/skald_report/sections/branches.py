"""Worst languages and branches of the models, in sentences from the table `overall`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from skald_report.page.formatting import capital, join, number
from skald_report.sections.rivals import MEASURES, Measure, contestants, english
from skald_report.tables.measures import WORST
from skald_report.tables.table import Table

#: Models that a sentence names one by one.
_MAX_NAMED = 3


def language_sentences(tables: Mapping[str, Table]) -> Iterator[str]:
    """Say which language each model is worst in, and which branch is hardest.

    Args:
        tables: `models`, and where present `overall`.
    """
    if "overall" not in tables:
        return
    named = contestants(tables["models"])
    rows = tables["overall"].frame
    rows = rows[rows["model"].isin(named)]
    for measure in MEASURES:
        own = rows[(rows["measure"] == measure.name) & rows["score"].notna()]
        worst = own[own["scope"] == WORST]
        if worst.empty:
            continue
        n_languages = own.loc[own["scope_kind"] == "language", "scope"].nunique()
        if n_languages < 2:
            yield f"{capital(measure.place)} only {english(own['language'].iloc[0])} was asked."
            continue
        yield f"The worst language {measure.place} is {_grouped(worst, 'language', named)}."
        yield from _branches(own, measure, named)


def _who(models: Sequence[str], total: int, scores: Mapping[str, float]) -> str:
    if len(models) == total > 1:
        return "both models" if total == 2 else f"all {total} models"
    if len(models) > _MAX_NAMED:
        return f"{len(models)} of {total} models"
    return join(f"{name} ({number(scores[name], '.3f')})" for name in models)


def _branches(own: pd.DataFrame, measure: Measure, named: Sequence[str]) -> Iterator[str]:
    """Say which branch has the best and which the worst mean of every model."""
    rows = own[own["scope_kind"] == "branch"]
    if rows["scope"].nunique() < 2:
        return
    best = rows.sort_values("score", ascending=measure.lower_is_better, kind="stable")
    first = _grouped(best.drop_duplicates("model"), "scope", named)
    last = _grouped(best.drop_duplicates("model", keep="last"), "scope", named)
    yield (
        f"{capital(measure.place)}, the best branch is {first} and the worst branch is {last}; these are means, "
        "not tested against each other."
    )


def _grouped(rows: pd.DataFrame, column: str, named: Sequence[str]) -> str:
    """Say what applies to which models, what applies to most first."""
    total = rows["model"].nunique()
    scores = dict(zip(rows["model"], rows["score"], strict=True))
    by = {
        str(value): [name for name in named if name in set(models)]
        for value, models in rows.groupby(column, sort=False)["model"]
    }
    ordered = sorted(by.items(), key=lambda item: (-len(item[1]), item[0]))
    return join(
        f"{english(value)} for {_who(models, total, scores)}" if total > 1 else english(value)
        for value, models in ordered
    )
