"""Which model is better, by how much and how sure, in sentences that follow from the tables.

Two models are compared outright. Of more, the page says who leads and who is not told apart from the
leader: their pairs are too many to be said one by one. A tie is an outcome, and comes with the smallest
difference that would have been found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.page.formatting import counted, interval, join, number, p_value, some
from skald_report.sections.rivals import (
    MEASURES,
    Measure,
    by_model,
    cells_of,
    contestants,
    english,
    means,
    seen_from,
)
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import Table

#: A sentence says once what stands behind its figures; captions repeat no method.
_FOUND = "would have been found with 80 % power"
_WORDS = {"better": "better", "worse": "worse", "tie": "tied"}
#: Cells or models that a sentence names one by one.
_MAX_NAMED = 6


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
    compared = [
        measure for measure in MEASURES if len(_pairs_among(tables.get("pairwise"), measure, named))
    ]
    if not compared:
        return [
            f"{_all(named)} share no task with a known chance level and no text, so no mean compares them."
        ]
    said = (
        _of_two(tables, named, compared) if len(named) == 2 else _of_many(tables, named, compared)
    )
    return [*said, *_not_ranked(compared)]


def _not_ranked(compared: Sequence[Measure]) -> Iterator[str]:
    lacking = {measure.name for measure in MEASURES} - {measure.name for measure in compared}
    if "tasks" in lacking:
        yield "No task with a known chance level was answered by two models: tasks rank none of them."
    if "text" in lacking:
        yield "No text was scored for two models: bits per byte rank none of them."


def _pairs_among(pairwise: Table | None, measure: Measure, named: Sequence[str]) -> pd.DataFrame:
    if pairwise is None:
        return pd.DataFrame()
    frame = pairwise.frame
    among = frame["model"].isin(named) & frame["reference"].isin(named)
    return frame[among & (frame["measure"] == measure.name)]


def _alone(overall: Table | None, model: str) -> str:
    parts = [
        f"{number(row['score'], '.3f')} {measure.place} (95 % interval "
        f"{interval(row['low'], row['high'])})"
        for measure in MEASURES
        for row in means(overall, measure, [model]).to_dict("records")
    ]
    text = f"Only one model was evaluated, {model}, so none is better than another"
    return f"{text}; its mean is {join(parts)}." if parts else f"{text}."


# --- two models


def _of_two(
    tables: Mapping[str, Table], named: Sequence[str], compared: Sequence[Measure]
) -> Iterator[str]:
    pairs = {
        m.name: seen_from(tables["pairwise"], m, named[0], named[1:]).iloc[0] for m in compared
    }
    decided = [pair["verdict"] for pair in pairs.values() if pair["verdict"] != "tie"]
    first, second = (named[1], named[0]) if decided[:1] == ["worse"] else (named[0], named[1])
    if first != named[0]:
        pairs = {
            m.name: seen_from(tables["pairwise"], m, first, [second]).iloc[0] for m in compared
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
        yield from _by_cell(cells[_belongs(cells, measure)], measure, first)


def _mean_sentence(tables: Mapping[str, Table], measure: Measure, pair: pd.Series[Any]) -> str:
    """Say both means with their difference, or the difference alone where a model lacks cells."""
    named = [str(pair["model"]), str(pair["reference"])]
    rows = means(tables.get("overall"), measure, named)
    at = by_model(rows, "score")
    told = f"{_begin(measure.place)} ({measure.scale})"
    if len(at) < 2 or rows["n_languages"].nunique() > 1:
        over = f"the {counted(int(pair['n_cells']), 'pair')} of task and language that both have"
        return (
            f"{told}, {join(named)} differ by {_difference(pair)} over {over}{_detectable(pair)}."
        )
    n_languages = int(rows["n_languages"].iloc[0])
    where = f"in {english(_only_language(tables, measure))}"
    over = f"over {n_languages} languages" if n_languages > 1 else where
    first, second = (number(at[name], ".3f") for name in named)
    scored = f"{named[0]} has {first} and {named[1]} {second}"
    return f"{told}, {scored} {over}: a difference of {_difference(pair)}{_detectable(pair)}."


def _only_language(tables: Mapping[str, Table], measure: Measure) -> str:
    frame = tables["overall"].frame
    rows = frame[(frame["measure"] == measure.name) & (frame["scope_kind"] == "language")]
    return str(rows["scope"].iloc[0]) if len(rows) else "one language"


def _difference(pair: pd.Series[Any]) -> str:
    between = f"95 % interval {interval(pair['low'], pair['high'], '+.3f')}"
    return f"{number(pair['difference'], '+.3f')} ({between}, Holm-corrected {p_value(pair['p_holm'])})"


def _detectable(pair: pd.Series[Any]) -> str:
    if pair["verdict"] != "tie":
        return ""
    if math.isnan(pair["mde"]):
        return "; how small a difference would have been found is not known"
    return f"; a true difference of {pair['mde']:.3f} {_FOUND}"


def _belongs(cells: pd.DataFrame, measure: Measure) -> pd.Series[bool]:
    text = cells["kind"] == "text"
    return text if measure.name == "text" else ~text & ~cells["kind"].isin(AGAINST_CHANCE)


def _by_cell(cells: pd.DataFrame, measure: Measure, model: str) -> Iterator[str]:
    """Say in which languages a pair differs, task by task."""
    if len(cells) < 2:
        return
    n = {verdict: int((cells["verdict"] == verdict).sum()) for verdict in _WORDS}
    what = "languages" if not cells["language"].duplicated().any() else "pairs of task and language"
    whole = [verdict for verdict in _WORDS if n[verdict] == len(cells)]
    if whole == ["tie"]:
        yield f"One by one, all {len(cells)} {what} are tied {measure.place}."
    elif whole:
        yield (
            f"One by one, {model} is {whole[0]} {measure.place} in all {len(cells)} {what}"
            f"{_extremes(cells)}."
        )
    else:
        parts = [f"{word} in {n[v]}{_where(cells, v)}" for v, word in _WORDS.items()]
        where = f"of {len(cells)} {what} {measure.place}"
        yield f"One by one, {where} {model} is {join(parts)}."


def _where(cells: pd.DataFrame, verdict: str) -> str:
    own = cells[cells["verdict"] == verdict]
    if verdict == "tie" or not 0 < len(own) <= _MAX_NAMED:
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


# --- more than two models


def _of_many(
    tables: Mapping[str, Table], named: Sequence[str], compared: Sequence[Measure]
) -> Iterator[str]:
    for measure in compared:
        ranked = means(tables.get("overall"), measure, named)
        among = _pairs_among(tables["pairwise"], measure, named)
        if (among["verdict"] == "tie").all():
            yield (
                f"{_begin(measure.place)}, all {len(named)} models are tied: none of {len(among):,} "
                f"differences between two of them is beyond noise{_largest_detectable(among)}."
            )
        elif ranked.empty:
            yield f"{_begin(measure.place)}, no model has all the cells that a mean is taken over."
        else:
            yield from _leader(tables, named, measure, ranked)
    yield from _size_classes(tables, named, compared)


def _leader(
    tables: Mapping[str, Table], named: Sequence[str], measure: Measure, ranked: pd.DataFrame
) -> Iterator[str]:
    leader = ranked.iloc[0]
    name, others = str(leader["model"]), [m for m in named if m != leader["model"]]
    pairs = seen_from(tables["pairwise"], measure, name, others)
    by = {verdict: list(rows["reference"]) for verdict, rows in pairs.groupby("verdict")}
    better, tied, above = by.get("better", []), by.get("tie", []), by.get("worse", [])
    text = (
        f"{_begin(measure.place)}, {name} leads with {number(leader['score'], '.3f')} (95 % interval "
        f"{interval(leader['low'], leader['high'])}): "
    )
    parts = [f"better than {_count(len(better), len(others))} {_of_others(len(better), others)}"]
    parts += [f"tied with {some(tied, 'others')}"] if tied else []
    yield f"{text}{join(parts)} (Holm-corrected p < {LEVEL} over all pairs)."
    if above:
        yield (
            f"{some(above, 'models')}, without a mean over all cells, {_are(above)} better than {name} "
            "on the cells that both have."
        )
    yield from _lead(pairs, ranked, name)
    yield from _best_by_language(tables, measure, name)


def _count(number_: int, total: int) -> str:
    return "all" if number_ == total else f"{number_}"


def _of_others(n_better: int, others: Sequence[str]) -> str:
    if n_better == len(others):
        return f"{len(others)} others"
    return f"of {len(others)} others"


def _lead(pairs: pd.DataFrame, ranked: pd.DataFrame, name: str) -> Iterator[str]:
    """Say by how much the first is ahead of the second."""
    if len(ranked) < 2:
        return
    second = str(ranked["model"].iloc[1])
    found = pairs[pairs["reference"] == second]
    if found.empty:
        return
    pair = found.iloc[0]
    yield f"The second is {second}: {name} minus {second} is {_difference(pair)}{_detectable(pair)}."


def _best_by_language(tables: Mapping[str, Table], measure: Measure, name: str) -> Iterator[str]:
    frame = tables["overall"].frame
    rows = frame[(frame["measure"] == measure.name) & (frame["scope_kind"] == "language")]
    rows = rows[rows["model"].isin(contestants(tables["models"])) & rows["score"].notna()]
    if rows["scope"].nunique() < 2:
        return
    ordered = rows.sort_values("score", ascending=measure.lower_is_better, kind="stable")
    best = ordered.drop_duplicates("scope")
    ahead = int((best["model"] == name).sum())
    apart = best[best["model"] != name]
    if apart.empty:
        yield f"{name} has the best score in each of {len(best)} languages {measure.place}."
        return
    elsewhere = "; ".join(
        f"{model} in {join(english(tag) for tag in own['scope'])}"
        for model, own in apart.groupby("model", sort=False)
    )
    yield (
        f"{name} has the best score in {ahead} of {len(best)} languages {measure.place}"
        f"{f'; elsewhere {elsewhere}' if apart['model'].nunique() <= _MAX_NAMED else ''}."
    )


def _size_classes(
    tables: Mapping[str, Table], named: Sequence[str], compared: Sequence[Measure]
) -> Iterator[str]:
    """Name the best of each size class, where there is more than one class."""
    frame = tables["models"].frame
    classes = dict(zip(frame["model"], frame["size_class"], strict=True))
    for measure in compared:
        ranked = means(tables.get("overall"), measure, named)
        ranked = ranked.assign(size=ranked["model"].map(classes))
        best = ranked[ranked["size"] != ""].drop_duplicates("size")
        if len(best) < 2:
            continue
        order = list(dict.fromkeys(frame.sort_values("n_params_total")["size_class"]))
        placed = sorted(best.to_dict("records"), key=lambda row: order.index(row["size"]))
        listed = [f"{r['size']}: {r['model']} ({number(r['score'], '.3f')})" for r in placed]
        yield f"Best mean of each size class {measure.place}: {'; '.join(listed)}."


def _largest_detectable(among: pd.DataFrame) -> str:
    known = among["mde"].dropna()
    if known.empty:
        return ""
    return f"; a true difference of {known.max():.3f} {_FOUND} in every pair"


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _all(named: Sequence[str]) -> str:
    return join(named) if len(named) <= _MAX_NAMED else f"The {len(named)} models"
