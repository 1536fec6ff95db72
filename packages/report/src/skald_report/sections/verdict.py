"""Which model is better, by how much and how sure, in sentences that follow from the tables.

Two models are compared outright. Of more, the page says who leads and who is not told apart from the
leader: their pairs are too many to be said one by one. A tie is an outcome, and comes with the smallest
difference that would have been found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.page.formatting import capital, counted, interval, join, number, some
from skald_report.sections.cell_words import belongs, by_cell
from skald_report.sections.leader import of_many
from skald_report.sections.pair_words import (
    MAX_NAMED,
    among,
    detectable_words,
    difference_words,
    seed_words,
)
from skald_report.sections.rivals import (
    MEASURES,
    Measure,
    by_model,
    cells_of,
    contestants,
    english,
    means,
    seed_groups,
    seen_from,
    siblings,
)
from skald_report.tables.table import Table


def verdicts(tables: Mapping[str, Table]) -> list[str]:
    """Return which model is better, in the order a reader asks.

    Args:
        tables: `models`, and where present `overall`, `pairwise` and `differences`.
    """
    named = contestants(tables["models"])
    if not named:
        return ["No model but controls was evaluated, so there is none to rank."]
    if len(named) == 1:
        return [_alone(tables.get("overall"), named[0])]
    seeds = list(_seeds(tables, named))
    if siblings(tables["models"], named[0]) >= set(named):
        return ["Only one baseline was evaluated, so none is better than another.", *seeds]
    compared = [
        measure for measure in MEASURES if len(among(tables.get("pairwise"), measure, named))
    ]
    if not compared:
        return [
            f"{_all(named)} share no task with a known chance level and no text, so no mean compares them."
        ]
    said = _of_two(tables, named, compared) if len(named) == 2 else of_many(tables, named, compared)
    return [*said, *_not_ranked(compared), *seeds]


def _seeds(tables: Mapping[str, Table], named: Sequence[str]) -> Iterator[str]:
    """Say which models are one baseline, and how far its seeds lie apart."""
    for own in seed_groups(tables["models"]):
        parts = []
        for measure in MEASURES:
            scores = means(tables.get("overall"), measure, own)["score"]
            if len(scores) > 1:
                lowest, highest = (number(v, ".3f") for v in (scores.min(), scores.max()))
                parts.append(f"{lowest} to {highest} {measure.place}")
        text = (
            f"{some(own, 'models')} are one baseline trained with {len(own)} seeds and not compared"
        )
        yield f"{text}: their means are {join(parts)}." if parts else f"{text}."


def _not_ranked(compared: Sequence[Measure]) -> Iterator[str]:
    lacking = {measure.name for measure in MEASURES} - {measure.name for measure in compared}
    if "tasks" in lacking:
        yield "No task with a known chance level was answered by two models: tasks rank none of them."
    if "text" in lacking:
        yield "No text was scored for two models: bits per byte rank none of them."


def _alone(overall: Table | None, model: str) -> str:
    parts = [
        f"{number(row['score'], '.3f')} {measure.place} (95 % interval "
        f"{interval(row['low'], row['high'])})"
        for measure in MEASURES
        for row in means(overall, measure, [model]).to_dict("records")
    ]
    text = f"Only one model was evaluated, {model}, so none is better than another"
    return f"{text}; its mean is {join(parts)}." if parts else f"{text}."


def _of_two(
    tables: Mapping[str, Table], named: Sequence[str], compared: Sequence[Measure]
) -> Iterator[str]:
    pairs = {
        m.name: seen_from(tables["pairwise"], m, named[:1], named[1:]).iloc[0] for m in compared
    }
    decided = [pair["verdict"] for pair in pairs.values() if pair["verdict"] != "tie"]
    first, second = (named[1], named[0]) if decided[:1] == ["worse"] else (named[0], named[1])
    if first != named[0]:
        pairs = {
            m.name: seen_from(tables["pairwise"], m, [first], [second]).iloc[0] for m in compared
        }
    places = {
        verdict: [m.place for m in compared if pairs[m.name]["verdict"] == verdict]
        for verdict in ("better", "worse", "tie")
    }
    if not decided:
        yield f"{first} and {second} are tied {join(places['tie'])}: no mean difference is beyond noise."
    else:
        parts = [f"better than {second} {join(places['better'])}"]
        parts += [f"worse {join(places['worse'])}"] if places["worse"] else []
        parts += [f"tied with it {join(places['tie'])}"] if places["tie"] else []
        yield f"{first} is {join(parts)}."
    for measure in compared:
        yield _mean_sentence(tables, measure, pairs[measure.name])
        cells = cells_of(tables.get("differences"), first, second)
        yield from by_cell(cells[belongs(cells, measure)], measure, first)


def _mean_sentence(tables: Mapping[str, Table], measure: Measure, pair: pd.Series[Any]) -> str:
    """Say both means with their difference, or the difference alone where a model lacks cells."""
    named = [str(pair["model"]), str(pair["reference"])]
    rows = means(tables.get("overall"), measure, named)
    at = by_model(rows, "score")
    told = f"{capital(measure.place)} ({measure.scale})"
    if len(at) < 2 or rows["n_languages"].nunique() > 1:
        over = f"the {counted(int(pair['n_cells']), 'pair')} of task and language that both have"
        return f"{told}, {join(named)} differ by {difference_words(pair)} over {over}{detectable_words(pair)}{seed_words(pair)}."
    n_languages = int(rows["n_languages"].iloc[0])
    where = f"in {english(_only_language(tables, measure))}"
    over = f"over {n_languages} languages" if n_languages > 1 else where
    first, second = (number(at[name], ".3f") for name in named)
    scored = f"{named[0]} has {first} and {named[1]} {second}"
    return f"{told}, {scored} {over}: a difference of {difference_words(pair)}{detectable_words(pair)}{seed_words(pair)}."


def _only_language(tables: Mapping[str, Table], measure: Measure) -> str:
    frame = tables["overall"].frame
    rows = frame[(frame["measure"] == measure.name) & (frame["scope_kind"] == "language")]
    return str(rows["scope"].iloc[0]) if len(rows) else "one language"


def _all(named: Sequence[str]) -> str:
    return join(named) if len(named) <= MAX_NAMED else f"The {len(named)} models"
