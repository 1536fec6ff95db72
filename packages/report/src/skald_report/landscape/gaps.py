"""How far a model is from the best European one of its size class, in each language and task.

Knows only figures of one protocol: the same data set, split, shots, metric and model type. Errors of two
models are taken as independent: that they answered the same items is not published, so a gap that is
called noise here might be more. A gap is priced in tokens where a run has two published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr
from skald_specs.loss_law import GapCost, Score, tokens_to_reach
from skald_specs.published import PublishedModels

from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import NORMAL_95
from skald_report.statistics.families import holm
from skald_report.tables.table import MACRO, Table

#: Claims are made below this p value, Holm-corrected within a model and language.
LEVEL = 0.05
#: Why a gap has no price in tokens.
AHEAD = "no gap"
NOISE = "the gap is not beyond noise"
ONE = "one checkpoint is published"
FLOOR = "a score at the protocol's floor"
NO_GROWTH = "no growth between the checkpoints beyond noise"
NEVER = "at no horizon"
_SAME = [
    "page_language",
    "language",
    "task",
    "metric",
    "split",
    "shots",
    "model_type",
    "size_class",
]
_COLUMNS = (
    "model", "language", "task", "page_language", "task_kind", "column", "label", "highlight", "size_class",
    "model_type", "floor", "source_date", "score", "standard_error", "best", "best_label", "best_score",
    "best_source_date", "n_rivals", "gap", "low", "high", "p", "p_holm", "n_family", "verdict", "n_cells",
    "languages", "tokens_seen", "earlier", "earlier_score", "growth", "tokens", "tokens_low", "tokens_high", "why_no_tokens",
)  # fmt: skip
#: What tells one cell of the boards from another; figures of two cells are not compared.
_CELL = ["language", "task", "metric", "split", "shots"]
Row = dict[str, Any]


Earlier = Mapping[str, "_Before"]


class _Before(NamedTuple):
    """The checkpoint before a model in its run, its tokens, and the model's own."""

    model: str
    tokens: float
    own_tokens: float


class _Earlier(NamedTuple):
    """That checkpoint's score in one cell."""

    score: Score
    floor: bool


def published_gaps(published: Table, known: PublishedModels) -> Table:
    """Return each European model's distance to the best European rival of its class.

    A gap is the rival's score less the model's, in points: positive where the model is behind. Its
    interval is the 95 % one of two independent scores, p that of a gap of zero, and `p_holm` counts
    every rival in every task of a language, because the best of many is best by luck too. Rows of
    language `mean` are means over the languages of one kind of task in which neither the model, nor its
    earlier checkpoint where there is one, is at the floor; their rival has all of these cells. Where the
    run did not grow beyond noise there is no estimate in tokens, and `tokens_low` is a lower bound alone.

    Args:
        published: The landscape.
        known: Which models are checkpoints of one run.
    """
    frame = published.frame
    frame = frame[frame["shown"] & (frame["eu"] == True) & (frame["size_class"] != "")]  # noqa: E712  # None is neither
    frame = frame[frame["standard_error"].notna()]
    earlier = _earlier(known)
    rows = list(_in_languages(frame, earlier, known)) + list(_means(frame, earlier, known))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    seen = {c.model: float(c.tokens) for c in known.checkpoints}
    table["tokens_seen"] = table["model"].map(seen).astype(float)
    points = (
        "score",
        "standard_error",
        "best_score",
        "gap",
        "low",
        "high",
        "earlier_score",
        "growth",
    )
    units = dict.fromkeys(points, "points") | dict.fromkeys(("p", "p_holm"), "p")
    units |= dict.fromkeys(("n_rivals", "n_family", "n_cells"), "count")
    units["tokens_seen"] = "tokens"
    units |= dict.fromkeys(("tokens", "tokens_low", "tokens_high"), "tokens by a law")
    return Table("published_gaps", ("model", "language", "task"), units, table)


def _in_languages(frame: pd.DataFrame, earlier: Earlier, known: PublishedModels) -> Iterator[Row]:
    kept = [*_SAME, "model", "label", "score", "standard_error", "source_date"]
    pairs = frame.merge(frame[kept], on=_SAME, suffixes=("", "_rival"))
    pairs = _tested(pairs[_rivals(pairs["model"], pairs["model_rival"], known)])
    at = frame.set_index(["model", *_CELL]).sort_index()
    family = pairs.groupby(["model", "page_language"], sort=False)
    pairs["p_holm"] = family["p"].transform(lambda p: holm(list(p)))
    pairs["n_family"] = family["p"].transform("size")
    for best in _best(pairs, ["model", *_CELL]):
        model, *cell = (str(best[name]) for name in ("model", *_CELL))
        row = _row(best) | {"n_cells": 1, "languages": cell[0]}
        before = earlier.get(model)
        yield row | _price(row, before, _in_cell(at, before.model, cell) if before else None)


def _in_cell(at: pd.DataFrame, model: str, cell: list[str]) -> _Earlier | None:
    key: Any = (model, *cell)
    if key not in at.index:
        return None
    row: Any = at.loc[key]
    return _Earlier(Score(float(row["score"]), float(row["standard_error"])), bool(row["floor"]))


def _means(frame: pd.DataFrame, earlier: Earlier, known: PublishedModels) -> Iterator[Row]:
    """Yield the means of the highlighted models over the languages of a kind of task."""
    for key, own in frame[frame["highlight"]].groupby(["model", "task_kind"], sort=False):
        model, kind = map(str, key)
        of_kind = frame[frame["task_kind"] == kind]
        mine = own.set_index(_CELL)
        cells, before = mine.index[~mine["floor"]], None
        if model in earlier:
            before = of_kind[of_kind["model"] == earlier[model].model].set_index(_CELL)
            cells = cells.intersection(before.index[~before["floor"]])
        head = own.iloc[0]
        others = of_kind[
            of_kind["size_class"].eq(head["size_class"])
            & of_kind["model_type"].eq(head["model_type"])
            & _rivals(of_kind["model"], pd.Series(model, of_kind.index), known)
        ]
        rivals = [
            (theirs, rival)
            for _, rows in others.groupby("model", sort=False)
            if cells.isin((theirs := rows.set_index(_CELL)).index).all()
            and (rival := _mean(theirs, cells))
        ] if len(cells) > 1 else []  # fmt: skip
        if not rivals:
            continue
        mean = _mean(mine, cells)
        pairs = _tested(pd.DataFrame([
            {
                "model": model, "page_language": MACRO, "language": MACRO, "task": kind,
                "task_kind": kind, "column": TASK_KINDS[kind], "floor": False,
                "source_date": _dates(mine, cells), "source_date_rival": _dates(theirs, cells),
                "model_rival": theirs["model"].iloc[0], "label_rival": theirs["label"].iloc[0],
                "score": mean.value, "standard_error": mean.standard_error,
                "score_rival": rival.value, "standard_error_rival": rival.standard_error,
                **{name: head[name] for name in ("label", "highlight", "size_class", "model_type")},
            }
            for theirs, rival in rivals
        ]))  # fmt: skip
        pairs["p_holm"], pairs["n_family"] = holm(list(pairs["p"])), len(pairs)
        (best,) = _best(pairs, ["model"])
        row = _row(best)
        row |= {"n_cells": len(cells), "languages": " ".join(cell[0] for cell in cells)}
        first = None if before is None else _Earlier(_mean(before, cells), floor=False)
        yield row | _price(row, earlier.get(model), first)


def _mean(rows: pd.DataFrame, cells: pd.Index[Any]) -> Score:
    chosen = rows.loc[cells]
    error = math.sqrt(float((chosen["standard_error"] ** 2).sum())) / len(cells)
    return Score(float(chosen["score"].mean()), error)


def _dates(rows: pd.DataFrame, cells: pd.Index[Any]) -> str:
    return "; ".join(sorted(set(rows.loc[cells, "source_date"])))


def _rivals(
    model: pd.Series[Any], other: pd.Series[Any], known: PublishedModels
) -> pd.Series[bool]:
    """Return which pairs are two models and not checkpoints of one run."""
    run = {checkpoint.model: checkpoint.run for checkpoint in known.checkpoints}
    return model.map(lambda m: run.get(m, m)) != other.map(lambda m: run.get(m, m))


def _tested(pairs: pd.DataFrame) -> pd.DataFrame:
    gap = pairs["score_rival"] - pairs["score"]
    error = np.hypot(pairs["standard_error"], pairs["standard_error_rival"])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, np.abs(gap) / error, np.where(gap == 0, 0.0, np.inf))
    half = NORMAL_95 * error
    return pairs.assign(gap=gap, low=gap - half, high=gap + half, p=2 * ndtr(-z))


def _best(pairs: pd.DataFrame, names: list[str]) -> list[Row]:
    """Return of the pairs with the same names the one with the best rival, and how many there are."""
    rivals = pairs.groupby(names, sort=False)["score_rival"]
    counted = pairs.assign(n_rivals=rivals.transform("size"))
    rows: Any = counted.loc[rivals.idxmax()].to_dict("records")
    return list(rows)


def _row(best: Row) -> Row:
    """Return a model's row against the best of its rivals in one cell."""
    own = {name: best[name] for name in _COLUMNS if name in best}
    beyond = best["p_holm"] < LEVEL
    return own | {
        "best": best["model_rival"],
        "best_label": best["label_rival"],
        "best_score": best["score_rival"],
        "best_source_date": best["source_date_rival"],
        "best_error": best["standard_error_rival"],
        "verdict": ("behind" if best["gap"] > 0 else "ahead") if beyond else "tie",
    }


def _earlier(known: PublishedModels) -> dict[str, _Before]:
    found = {}
    for own in known.checkpoints:
        before = [c for c in known.checkpoints if c.run == own.run and c.tokens < own.tokens]
        if before:
            last = max(before, key=lambda c: c.tokens)
            found[own.model] = _Before(last.model, last.tokens, own.tokens)
    return found


def _price(row: Row, before: _Before | None, first: _Earlier | None) -> Row:
    """Return what closing a gap takes in tokens, or why that is not known."""
    found: Row = {}
    if before is not None and first is not None:
        growth = row["score"] - first.score.value
        found = {"earlier": before.model, "earlier_score": first.score.value, "growth": growth}
    why = _no_price(row, first)
    if before is None or first is None or why not in ("", NO_GROWTH):
        return found | {"why_no_tokens": why}
    cost = tokens_to_reach(
        first.score,
        Score(row["score"], row["standard_error"]),
        Score(row["best_score"], row["best_error"]),
        before.tokens,
        before.own_tokens,
    )
    if why:
        return found | {"why_no_tokens": why, "tokens_low": cost.at_least}
    return found | _tokens(cost)


def _tokens(cost: GapCost) -> Row:
    return {
        "tokens": cost.tokens,
        "tokens_low": cost.at_least,
        "tokens_high": cost.at_most,
        "why_no_tokens": NEVER if cost.tokens is None else "",
    }


def _no_price(row: Row, first: _Earlier | None) -> str:
    if row["gap"] <= 0:
        return AHEAD
    if row["verdict"] == "tie":
        return NOISE
    if row["floor"] or (first is not None and first.floor):
        return FLOOR
    if first is None:
        return ONE
    error = math.hypot(row["standard_error"], first.score.standard_error)
    if row["score"] - first.score.value <= NORMAL_95 * error:
        return NO_GROWTH
    return ""
