"""What records lack, in words: models without items, tasks answered in part, means that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from skald_report.page.formatting import counted, join
from skald_report.tables.cells import CELL
from skald_report.tables.models import cast_of
from skald_report.tables.table import MACRO, Table

_MEASURES = {"tasks": "tasks", "text": "bits per byte"}
#: Models or tasks that a sentence names; of more it says how many.
_NAMED = 6
#: Gaps that the summary names one by one.
_MAX_GAPS = 2


def lacking(tables: Mapping[str, Table]) -> list[str]:
    """Return a sentence for each thing that cannot be said because records lack."""
    models, scores = tables["models"].frame, tables["scores"].frame
    single = scores[scores["language"] != MACRO]
    return [*_silent(models, single), *_partial(single), *_without_mean(models, tables)]


def in_short(gaps: Sequence[str]) -> list[str]:
    """Return what the summary says of all that lacks: each gap, or how many there are."""
    if len(gaps) <= _MAX_GAPS:
        return list(gaps)
    return [f"{counted(len(gaps), 'score')} of a model on a task are missing or partial; the section "
            "on trust names them."]  # fmt: skip


def _silent(models: pd.DataFrame, scores: pd.DataFrame) -> Iterator[str]:
    silent = list(models.loc[~models["model"].isin(scores["model"]), "model"])
    if silent:
        yield f"{_some(silent)} answered no item of any task, so nothing is said of {_it(silent)}."


def _partial(scores: pd.DataFrame) -> Iterator[str]:
    most = scores.groupby(CELL)["n_items"].transform("max")
    parts = scores[scores["n_items"] < most]
    for (model, label), own in parts.groupby(["model", "label"], sort=False):
        where = list(own["language"])
        yield (
            f"{model} answered {int(own['n_items'].sum()):,} of the {int(most[own.index].sum()):,} "
            f"items of {label} in {_some(where)}: its differences there are over those alone, and "
            "it counts as lacking the task in all means."
        )


def _without_mean(models: pd.DataFrame, tables: Mapping[str, Table]) -> Iterator[str]:
    if "overall" not in tables:
        return
    overall = tables["overall"].frame
    contestants = cast_of(models).contestants
    for measure, own in overall.groupby("measure", sort=False):
        if MACRO not in set(own["scope"]):
            continue
        without = [name for name in contestants if name not in _having(own)]
        if without:
            yield (
                f"{_some(without)} {'lacks' if len(without) == 1 else 'lack'} some task or language "
                f"that the mean of {_MEASURES[str(measure)]} is over, so "
                f"{'it has' if len(without) == 1 else 'they have'} none; no mean is taken over "
                "missing scores."
            )


def _having(own: pd.DataFrame) -> set[str]:
    return set(own.loc[own["scope"] == MACRO, "model"])


def _some(names: list[str]) -> str:
    if len(names) <= _NAMED:
        return join(names)
    return join([*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"])


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
