"""Worst languages and branches of the models, in sentences from the table `overall`."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.page.formatting import capital, counted, interval, join, number
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
    told = False
    for measure in MEASURES:
        own = rows[(rows["measure"] == measure.name) & rows["score"].notna()]
        worst = own[own["scope"] == WORST]
        if worst.empty:
            continue
        languages = own[own["scope_kind"] == "language"]
        n_languages = languages["scope"].nunique()
        if n_languages < 2:
            yield f"{capital(measure.place)} only {english(own['language'].iloc[0])} was asked."
            continue
        yield f"The worst language {measure.place} is {_worst(worst, languages, named)}."
        yield from _branches(own, measure, named)
        told = True
    if told:
        yield "Languages of a model count as told apart here where their intervals do not overlap."


def _worst(worst: pd.DataFrame, languages: pd.DataFrame, named: Sequence[str]) -> str:
    """Say every model's worst language, how sure it is, and who has none."""
    alike = {
        row["model"]: _overlapping(row, languages[languages["model"] == row["model"]])
        for row in worst.to_dict("records")
    }
    said = {
        row[
            "model"
        ]: f"{number(row['score'], '.3f')}, {_interval(row)}, {_apart(alike[row['model']])}"
        for row in worst.to_dict("records")
    }
    text = _grouped(worst, "language", named, said)
    without = [name for name in named if name not in said]
    text += f"; {_lack(without)}" if without else ""
    unsure = sum(n > 0 for n in alike.values())
    if len(said) > _MAX_NAMED:
        text += f"; for {unsure or 'none'} of them it is not told apart from another language"
    return text


def _overlapping(worst: Mapping[Hashable, Any], own: pd.DataFrame) -> int:
    """Count the other languages whose interval overlaps that of the worst; a missing one tells nothing apart."""
    apart = (own["low"] > worst["high"]) | (own["high"] < worst["low"])
    return int((~apart & (own["scope"] != worst["language"])).sum())


def _interval(row: Mapping[Hashable, Any]) -> str:
    text = interval(row["low"], row["high"])
    return text if pd.isna(row["low"]) else f"interval {text}"


def _apart(n_alike: int) -> str:
    return f"not told apart from {counted(n_alike, 'other')}" if n_alike else "told apart from all others"  # fmt: skip


def _lack(models: Sequence[str]) -> str:
    if len(models) > _MAX_NAMED:
        return f"{len(models)} models lack a language and have none"
    return f"{join(models)} {'lacks' if len(models) == 1 else 'lack'} a language and {'has' if len(models) == 1 else 'have'} none"


def _branches(own: pd.DataFrame, measure: Measure, named: Sequence[str]) -> Iterator[str]:
    """Say which branch has the best and which the worst mean of every model that has all of them."""
    rows = own[own["scope_kind"] == "branch"]
    n_branches = rows["scope"].nunique()
    rows = rows[rows.groupby("model")["scope"].transform("nunique") == n_branches]
    if n_branches < 2 or rows.empty:
        return
    best = rows.sort_values("score", ascending=measure.lower_is_better, kind="stable")
    first, last = (
        _grouped(
            end,
            "scope",
            named,
            {r["model"]: number(r["score"], ".3f") for r in end.to_dict("records")},
            False,
        )
        for end in (best.drop_duplicates("model"), best.drop_duplicates("model", keep="last"))
    )
    yield (
        f"{capital(measure.place)}, the best branch is {first} and the worst branch is {last}; these are means, "
        "not tested against each other."
    )


def _grouped(
    rows: pd.DataFrame,
    column: str,
    named: Sequence[str],
    said: Mapping[str, str],
    always: bool = True,
) -> str:
    """Say what applies to which models, what applies to most first.

    Args:
        rows: One a model.
        column: What applies.
        named: All models, in the order of the page.
        said: What a sentence says of each model that it names.
        always: Whether it says so also where the same applies to all models.
    """
    by = {
        str(value): [name for name in named if name in set(models)]
        for value, models in rows.groupby(column, sort=False)["model"]
    }
    ordered = sorted(by.items(), key=lambda item: (-len(item[1]), item[0]))
    return join(
        f"{english(value)} {_who(models, len(named), said, always)}".rstrip()
        for value, models in ordered
    )


def _who(models: Sequence[str], total: int, said: Mapping[str, str], always: bool) -> str:
    if total == 1:
        return f"({said[models[0]]})" if always else ""
    if len(models) > _MAX_NAMED:
        return (
            f"for all {total} models"
            if len(models) == total
            else f"for {len(models)} of {total} models"
        )
    if len(models) == total and not always:
        return "for both models" if total == 2 else f"for all {total} models"
    return "for " + join(f"{name} ({said[name]})" for name in models)
