"""Who leads among three models or more, and who is not told apart from the leader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from skald_report.page.formatting import capital, counted, interval, join, number, some
from skald_report.sections.pair_words import (
    FOUND,
    MAX_NAMED,
    among,
    detectable_words,
    difference_words,
    seed_words,
)
from skald_report.sections.rivals import Measure, english, means, seen_from, siblings
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.table import Table


def of_many(
    tables: Mapping[str, Table], named: Sequence[str], compared: Sequence[Measure]
) -> Iterator[str]:
    """Say who leads on each measure, by how much, and who is best of each size class.

    Args:
        tables: `models`, `pairwise` and `overall`.
        named: Three models or more, in the order of the page.
        compared: The measures on which some of them are compared.
    """
    for measure in compared:
        ranked = means(tables.get("overall"), measure, named)
        pairs = among(tables["pairwise"], measure, named)
        if (pairs["verdict"] == "tie").all():
            n_compared = len({*pairs["model"], *pairs["reference"]})
            yield (
                f"{capital(measure.place)}, all {n_compared} models compared are tied: none of {len(pairs):,} "
                f"differences between two of them is beyond noise{_largest_detectable(pairs)}."
            )
        elif ranked.empty:
            yield f"{capital(measure.place)}, no model has all the cells that a mean is taken over."
        else:
            yield from _leader(tables, named, measure, ranked)
    yield from _size_classes(tables, named, compared)


def _leader(
    tables: Mapping[str, Table], named: Sequence[str], measure: Measure, ranked: pd.DataFrame
) -> Iterator[str]:
    leader = ranked.iloc[0]
    name = str(leader["model"])
    itself = siblings(tables["models"], name)
    ranked = ranked[~ranked["model"].isin(itself) | (ranked["model"] == name)]
    others = [model for model in named if model not in itself]
    pairs = seen_from(tables["pairwise"], measure, [name], others)
    by = {verdict: list(rows["reference"]) for verdict, rows in pairs.groupby("verdict")}
    better, tied, above = by.get("better", []), by.get("tie", []), by.get("worse", [])
    text = (
        f"{capital(measure.place)}, {name} leads with {number(leader['score'], '.3f')} (95 % interval "
        f"{interval(leader['low'], leader['high'])}): "
    )
    parts = [f"better than {_of_others(len(better), len(others))}"]
    parts += [f"tied with {some(tied, 'others')}"] if tied else []
    yield f"{text}{join(parts)} (Holm-corrected p < {LEVEL} over all pairs)."
    if above:
        yield (
            f"{some(above, 'models')}, without a mean over all cells, {_are(above)} better than {name} "
            "on the cells that both have."
        )
    yield from _lead(pairs, ranked, name)
    yield from _best_by_language(tables, measure, name, others)


def _of_others(n_better: int, n_others: int) -> str:
    if n_better == n_others:
        return f"all {n_others} others" if n_others > 1 else "the only other"
    return f"{n_better} of {counted(n_others, 'other')}"


def _lead(pairs: pd.DataFrame, ranked: pd.DataFrame, name: str) -> Iterator[str]:
    """Say by how much the first is ahead of the second."""
    if len(ranked) < 2:
        return
    second = str(ranked["model"].iloc[1])
    found = pairs[pairs["reference"] == second]
    if found.empty:
        return
    pair = found.iloc[0]
    yield (
        f"The second is {second}: {name} minus {second} is {difference_words(pair)}"
        f"{detectable_words(pair)}{seed_words(pair)}."
    )


def _best_by_language(
    tables: Mapping[str, Table], measure: Measure, name: str, others: Sequence[str]
) -> Iterator[str]:
    frame = tables["overall"].frame
    rows = frame[(frame["measure"] == measure.name) & (frame["scope_kind"] == "language")]
    rows = rows[rows["model"].isin([name, *others]) & rows["score"].notna()]
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
        f"{f'; elsewhere {elsewhere}' if apart['model'].nunique() <= MAX_NAMED else ''}."
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
    where = (
        "every pair"
        if len(known) == len(among)
        else f"the {counted(len(known), 'pair')} with one known"
    )
    return f"; a true difference of {known.max():.3f} {FOUND} in {where}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
