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
from scipy.special import ndtr, ndtri
from skald_specs.loss_law import GapCost, Score, tokens_to_reach
from skald_specs.published import PublishedModels

from skald_report.landscape.protocol import TASK_KINDS
from skald_report.statistics.comparison import LEVEL
from skald_report.statistics.spread import NORMAL_95
from skald_report.tables.table import MACRO, Table

TIE = "tie"
#: A mean is over as many data sets at least.
FEWEST_CELLS = 2
#: What stands for the version of a harness that a snapshot does not name.
NOT_STATED = "not stated"
#: Why there is no mean of a kind of task.
ONE_CELL = "one data set"
NO_RIVAL = "no rival of its class has all of its data sets"
#: Why a gap has no price in tokens.
AHEAD = "no gap"
NOISE = "the gap is not beyond noise"
ONE = "one checkpoint is published"
FLOOR = "a score at the protocol's floor"
NO_GROWTH = "no growth between the checkpoints beyond noise"
NEVER = "at no horizon"
FEW_CELLS = "fewer than two data sets in which both checkpoints are above the floor"
NOISE_THERE = "the gap is not beyond noise where both checkpoints are above the floor"
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
#: Where and with what a score was made; two that differ in it may differ by it.
_ORIGIN = ("source_date", "harness_version")
_COLUMNS = (
    "model", "language", "task", "page_language", "task_kind", "column", "label", "highlight", "size_class",
    "model_type", "floor", "source_date", "harness_version", "score", "standard_error", "best", "best_label",
    "best_score", "best_source_date", "best_harness_version", "n_rivals", "gap", "low", "high",
    "interval_level", "p", "p_corrected", "n_family", "verdict", "n_cells", "languages", "n_floors",
    "gap_without_floors", "tokens_seen", "earlier", "n_cells_price", "languages_price", "earlier_score", "growth", "tokens",
    "tokens_low", "tokens_high", "why_no_tokens",
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

    A gap is the rival's score less the model's, in points: positive where the model is behind. The best
    of many rivals is best by luck too, so p and interval hold for all `n_family` comparisons at once, every
    rival in every task of a language: `p_corrected` is Bonferroni's, and the interval of two independent
    scores stands at `interval_level`, 1 - 0.05 / n_family, so that it leaves zero out just where the verdict
    is no tie. The gap itself is not corrected, and is rather too large. `n_rivals` are those of one task.

    Rows of language `mean` are means over all data sets of one kind of task that the model has, floors
    counted as the scores they are; rivals are the models that have all of them. `gap_without_floors` is that
    to the same rival where the model's own score is not at the floor. A mean is priced over `n_cells_price`
    cells, those in which both checkpoints are above it. Where the run did not grow beyond noise there is no
    estimate in tokens, and `tokens_low` is a lower bound alone.

    Args:
        published: The landscape.
        known: Which models are checkpoints of one run.
    """
    frame, earlier = _compared_models(published), _earlier(known)
    means = [row for row in _means(frame, earlier, known) if "why_no_mean" not in row]
    rows = list(_in_languages(frame, earlier, known)) + means
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
        "gap_without_floors",
    )
    counts = ("n_rivals", "n_family", "n_cells", "n_floors", "n_cells_price")
    units = dict.fromkeys(points, "points") | dict.fromkeys(("p", "p_corrected"), "p")
    units |= dict.fromkeys(counts, "count") | {"interval_level": "share"}
    units["tokens_seen"] = "count"
    units |= dict.fromkeys(("tokens", "tokens_low", "tokens_high"), "tokens by a law")
    return Table("published_gaps", ("model", "language", "task"), units, table)


def without_mean(published: Table, known: PublishedModels) -> Table:
    """Return the kinds of task in which a highlighted model has no mean gap, and why.

    Args:
        published: The table `published`, all languages.
        known: What `models.yaml` says; earlier checkpoints of a run are no models of their own.

    Returns:
        `published_without_mean`; empty where every highlighted model has its means.
    """
    frame = _compared_models(published)
    rows = [row for row in _means(frame, _earlier(known), known) if "why_no_mean" in row]
    columns = ["model", "task_kind", "label", "n_cells", "languages", "why_no_mean"]
    table = pd.DataFrame(rows, columns=columns)
    return Table("published_without_mean", ("model", "task_kind"), {"n_cells": "count"}, table)


def _compared_models(published: Table) -> pd.DataFrame:
    frame = published.frame
    frame = frame[frame["shown"] & frame["eu"].eq(True) & (frame["size_class"] != "")]
    frame = frame[frame["standard_error"].notna()]
    return frame.assign(harness_version=frame["harness_version"].replace("", NOT_STATED))


def _in_languages(frame: pd.DataFrame, earlier: Earlier, known: PublishedModels) -> Iterator[Row]:
    kept = [*_SAME, "model", "label", "score", "standard_error", *_ORIGIN]
    pairs = frame.merge(frame[kept], on=_SAME, suffixes=("", "_rival"))
    pairs = _tested(pairs[_rivals(pairs["model"], pairs["model_rival"], known)])
    family = pairs.groupby(["model", "page_language"], sort=False)
    pairs = _corrected(pairs.assign(n_family=family["p"].transform("size")))
    at = {
        (model, *map(str, cell)): _Earlier(Score(score, error), bool(floor))
        for model, score, error, floor, *cell in zip(
            *(
                frame[name].tolist()
                for name in ("model", "score", "standard_error", "floor", *_CELL)
            ),
            strict=True,
        )
    }
    for best in _bests(pairs, ["model", *_CELL]):
        model, *cell = (str(best[name]) for name in ("model", *_CELL))
        row = _row(best)
        row |= {"n_cells": 1, "languages": cell[0], "n_floors": int(row["floor"])}
        before = earlier.get(model)
        first = at.get((before.model, *cell)) if before else None
        row |= {} if first is None else {"n_cells_price": 1, "languages_price": cell[0]}
        yield row | _price(row, before, first)


def _means(frame: pd.DataFrame, earlier: Earlier, known: PublishedModels) -> Iterator[Row]:
    """Yield the means of the highlighted models over the data sets of a kind of task.

    A row without a gap says in `why_no_mean` why there is none.
    """
    for key, own in frame[frame["highlight"]].groupby(["model", "task_kind"], sort=False):
        model, kind = map(str, key)
        of_kind = frame[frame["task_kind"] == kind]
        mine, head = own.set_index(_CELL), own.iloc[0]
        cells = mine.index
        others = of_kind[
            of_kind["size_class"].eq(head["size_class"])
            & of_kind["model_type"].eq(head["model_type"])
            & _rivals(of_kind["model"], pd.Series(model, of_kind.index), known)
        ]
        rivals = {
            str(name): theirs
            for name, rows in others.groupby("model", sort=False)
            if cells.isin((theirs := rows.set_index(_CELL)).index).all()
        }
        common = {"model": model, "task": kind, "n_cells": len(cells), "languages": _tags(cells)}
        common |= {name: head[name] for name in ("label", "highlight", "size_class", "model_type")}
        common |= {"task_kind": kind, "column": TASK_KINDS[kind]}
        if len(cells) < FEWEST_CELLS or not rivals:
            yield common | {"why_no_mean": NO_RIVAL if len(cells) >= FEWEST_CELLS else ONE_CELL}
            continue
        common |= {"page_language": MACRO, "language": MACRO, "floor": False}
        compared = [_compared(mine, theirs, cells) | common for theirs in rivals.values()]
        pairs = _tested(pd.DataFrame(compared))
        (told,) = _bests(_corrected(pairs.assign(n_family=len(pairs))), ["model"])
        row = _row(told)
        best = rivals[row["best"]]
        clear = cells[~mine["floor"]]
        row["n_floors"] = len(cells) - len(clear)
        if len(clear):
            row["gap_without_floors"] = _mean(best, clear).value - _mean(mine, clear).value
        before = earlier.get(model)
        first = of_kind[of_kind["model"] == (before.model if before else "")].set_index(_CELL)
        yield row | _price_of_mean(row, before, mine, first, best)


def _compared(mine: pd.DataFrame, theirs: pd.DataFrame, cells: pd.Index[Any]) -> Row:
    """Return both means over some cells, under the names of a pair of rows."""
    found: Row = {"model_rival": theirs["model"].iloc[0], "label_rival": theirs["label"].iloc[0]}
    for rows, end in ((mine, ""), (theirs, "_rival")):
        mean = _mean(rows, cells)
        found |= {f"score{end}": mean.value, f"standard_error{end}": mean.standard_error}
        found |= {f"{name}{end}": _joined(rows.loc[cells, name]) for name in _ORIGIN}
    return found


def _mean(rows: pd.DataFrame, cells: pd.Index[Any]) -> Score:
    chosen = rows.loc[cells]
    error = math.sqrt(float((chosen["standard_error"] ** 2).sum())) / len(cells)
    return Score(float(chosen["score"].mean()), error)


def _joined(values: pd.Series[Any]) -> str:
    return "; ".join(sorted(set(values)))


def _tags(cells: pd.Index[Any]) -> str:
    return " ".join(cell[0] for cell in cells)


def _price_of_mean(
    row: Row, before: _Before | None, mine: pd.DataFrame, first: pd.DataFrame, best: pd.DataFrame
) -> Row:
    """Price a gap of means over the cells in which both checkpoints are above the floor.

    The gap is that of all cells; only what the two checkpoints gained has need of cells of both.
    """
    if before is None:
        return _price(row, None, None)
    cells = mine.index[~mine["floor"]].intersection(first.index[~first["floor"]], sort=False)
    found: Row = {"n_cells_price": len(cells), "languages_price": _tags(cells)}
    if len(cells) < FEWEST_CELLS:
        return found | {"why_no_tokens": _no_price(row, None) if row["gap"] <= 0 or row["verdict"]
                        == TIE else FEW_CELLS}  # fmt: skip
    there = _tested(pd.DataFrame([_compared(mine, best, cells)]))
    (pair,) = _corrected(there.assign(n_family=row["n_family"])).to_dict("records")
    narrowed = row | _row({str(name): value for name, value in pair.items()})
    told = _price(narrowed, before, _Earlier(_mean(first, cells), floor=False))
    if row["gap"] <= 0 or row["verdict"] == TIE:
        told = {name: told[name] for name in ("earlier", "earlier_score", "growth")}
        told["why_no_tokens"] = _no_price(row, None)
    elif told["why_no_tokens"] in (AHEAD, NOISE):
        told["why_no_tokens"] = NOISE_THERE
    return found | told


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
    return pairs.assign(gap=gap, error=error, p=2 * ndtr(-z))


def _corrected(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pairs with p and interval corrected for as many comparisons as `n_family` says."""
    level = 1 - LEVEL / pairs["n_family"]
    half = pairs["error"] * ndtri((1 + level) / 2)
    return pairs.assign(
        interval_level=level,
        low=pairs["gap"] - half,
        high=pairs["gap"] + half,
        p_corrected=np.minimum(1.0, pairs["p"] * pairs["n_family"]),
    )


def _bests(pairs: pd.DataFrame, keys: list[str]) -> Iterator[Row]:
    """Yield the pair with the best rival for each key, in the order of the keys' first pairs."""
    numbered = pairs.assign(
        first=pairs.groupby(keys, sort=False).ngroup(),
        n_rivals=pairs.groupby(keys, sort=False)["score_rival"].transform("size"),
    )
    best = numbered.sort_values("score_rival", ascending=False, kind="stable")
    for row in best.drop_duplicates("first").sort_values("first").to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def _row(best: Row) -> Row:
    """Return a model's row against the best of its rivals in one cell."""
    own = {name: best[name] for name in _COLUMNS if name in best}
    return own | {
        "best": best["model_rival"],
        "best_label": best["label_rival"],
        "best_score": best["score_rival"],
        "best_error": best["standard_error_rival"],
        **{f"best_{name}": best[f"{name}_rival"] for name in _ORIGIN},
        "verdict": verdict(best["gap"], best["p_corrected"]),
    }


def verdict(gap: float, p_corrected: float) -> str:
    """Return on which side of the best rival a model is beyond noise; empty where that was not tested.

    Args:
        gap: How far the best rival is ahead; negative where the model is.
        p_corrected: Of the gap, after the correction for all rivals and tasks; NaN: not tested.
    """
    if math.isnan(p_corrected):
        return ""
    return TIE if p_corrected >= LEVEL else "behind" if gap > 0 else "ahead"


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
    if row["verdict"] == TIE:
        return NOISE
    if row["floor"] or (first is not None and first.floor):
        return FLOOR
    if first is None:
        return ONE
    error = math.hypot(row["standard_error"], first.score.standard_error)
    if row["score"] - first.score.value <= NORMAL_95 * error:
        return NO_GROWTH
    return ""
