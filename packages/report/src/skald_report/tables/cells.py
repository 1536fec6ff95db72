"""The unit of the report's scores: one model's items on one task in one language.

Knows how items group and what a group's numerators and denominators are; what they come to is
computed in `statistics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_specs.languages import BY_TAG
from skald_specs.records import TaskInfo

from skald_report.reading.inputs import Sources
from skald_report.statistics.scalar import (
    Clusters,
    Interval,
    cluster_bootstrap,
    clusters,
    proportion,
)

#: Columns that name a cell, the model aside.
CELL = ["suite", "task", "language"]
KIND_NAMES = {
    "pairs": "minimal pairs",
    "cloze": "cloze choices",
    "choice": "choices",
    "generate": "generated answers",
    "text": "bits per byte",
    "number": "number agreement",
    "transfer": "facts of other languages",
    "skill": "skills with unseen operands",
    "calendar": "calendar",
    "copy": "copying from the context",
    "canary": "canary facts",
}
LOWER_IS_BETTER = ("text",)
#: Kinds with few items a language, balanced so that chance means knowing nothing, which are set against
#: chance and enter no comparison of models: neither claims about other tasks nor their corrected p values
#: depend on them.
AGAINST_CHANCE = ("number", "transfer", "skill", "calendar", "copy", "canary")
#: Tasks of others are called by their own name, as their kind says little.
_OF_OTHERS = ("choice", "generate")


class Task(NamedTuple):
    """One task in all its languages and wordings. `label` is how sentences name it."""

    suite: str
    name: str
    kind: str
    label: str


class Cell(NamedTuple):
    """The items of one model, in the order of their numbers. `weights`: bytes of texts, else 1."""

    ids: NDArray[Any]
    keys: NDArray[Any]
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]


class Cells(NamedTuple):
    """Cells by task, language and model; tasks in the order of the page.

    `wordings` holds the score in each wording of a task that was asked in several; the cell's scores
    are then each item's mean over them.
    """

    tasks: tuple[Task, ...]
    by_task: Mapping[Task, Mapping[str, Mapping[str, Cell]]]
    wordings: Mapping[tuple[Task, str, str], tuple[float, ...]]


def gather(sources: Sources) -> Cells:
    """Group the items of all evaluations; an item's wordings become one item with their mean score."""
    items = sources.items
    if not len(items):
        return Cells((), {}, {})
    named = page_names(sources)
    n_suites = items["suite"].nunique()
    tasks: dict[tuple[str, str], Task] = {}
    for suite, full, kind in (
        items[["suite", "task", "kind"]].drop_duplicates().itertuples(index=False, name=None)
    ):
        name = named[suite, full]
        tasks[suite, full] = Task(suite, name, kind, _label(sources, suite, full, kind, name))
        if n_suites > 1:
            tasks[suite, full] = tasks[suite, full]._replace(
                label=f"{tasks[suite, full].label} of suite {suite}"
            )
    keys = list(zip(items["suite"], items["task"], strict=True))
    items = items.assign(
        page=[tasks[key].name for key in keys],
        cluster=pd.factorize(items["key"], sort=True)[0],
        weight=np.where(items["kind"] == "text", items["n_bytes"], 1).astype(np.float64),
    )
    items["item"] = pd.factorize(
        items["page"] + "\x1f" + items["language"] + "\x1f" + items["item_id"]
    )[0]
    items = items.sort_values("item", kind="stable")
    by_page = {(task.suite, task.name): task for task in tasks.values()}
    found: dict[Task, dict[str, dict[str, Cell]]] = {}
    wordings: dict[tuple[Task, str, str], tuple[float, ...]] = {}
    for names, rows in items.groupby(["suite", "language", "page", "model"], sort=True):
        suite, language, page, model = map(str, names)
        task = by_page[suite, page]
        if rows["task"].nunique() > 1:
            wordings[task, language, model] = tuple(rows.groupby("task")["score"].mean())
            rows = rows.groupby("item", as_index=False).agg(
                {"cluster": "first", "score": "mean", "weight": "first"}
            )
        languages = found.setdefault(task, {})
        languages.setdefault(language, {})[model] = Cell(
            rows["item"].to_numpy(),
            rows["cluster"].to_numpy(),
            rows["score"].to_numpy(dtype=np.float64),
            rows["weight"].to_numpy(),
        )
    kinds = list(KIND_NAMES)
    ordered = sorted(found, key=lambda task: (task.suite, kinds.index(task.kind), task.name))
    return Cells(tuple(ordered), found, wordings)


def page_names(sources: Sources) -> dict[tuple[str, str], str]:
    """Return how the page calls each task of a suite: by its family, which its wordings share.

    Tasks of one family and language that are no wordings of each other keep their own names.
    """
    families: dict[tuple[str, str, str], list[TaskInfo]] = {}
    for summary in sources.summaries:
        for task in summary.tasks:
            families.setdefault((summary.suite, task.family, task.language), []).append(task)
    named: dict[tuple[str, str], str] = {}
    for (suite, family, language), tasks in families.items():
        variants = {task.variant for task in tasks}
        shared = len(tasks) == 1 or (len(variants) == len(tasks) and "" not in variants)
        for task in tasks:
            name = _without_prefix(family, suite) if shared and family else ""
            named[suite, task.name] = name or short_name(task.name, suite, language)
    rows = sources.items[["suite", "task", "language"]].drop_duplicates()
    for suite, full, language in rows.itertuples(index=False, name=None):
        named.setdefault((suite, full), short_name(full, suite, language))
    return named


def _label(sources: Sources, suite: str, full: str, kind: str, name: str) -> str:
    if kind not in _OF_OTHERS:
        return KIND_NAMES[kind] if name == kind else f"{KIND_NAMES[kind]} ({name})"
    translated = any(
        task.translated
        for summary in sources.summaries
        if summary.suite == suite
        for task in summary.tasks
        if task.name == full
    )
    return f"{name}{', translated' if translated else ''}"


def short_name(task: str, suite: str, language: str) -> str:
    """Return a task's name without what its suite and language already say.

    `skald_ud_swap_dan_Latn` in suite `ud` is `swap`.
    """
    known = BY_TAG.get(language)
    name = task
    for code in (known.flores if known else "", language):
        name = name.removesuffix(f"_{code}") if code else name
    return _without_prefix(name, suite)


def _without_prefix(name: str, suite: str) -> str:
    return name.removeprefix("skald_").removeprefix(f"{suite}_")


def summed(cell: Cell) -> Clusters:
    """Return a cell's sums by key: right answers over items, or bits over bytes."""
    return clusters(cell.scores * cell.weights, cell.weights, cell.keys)


def interval(kind: str, cell: Cell) -> Interval:
    """Return a cell's score with the interval that fits its kind."""
    if kind == "text":
        return cluster_bootstrap(summed(cell))._replace(method="document bootstrap")
    if binary(cell):
        return proportion(cell.scores, cell.keys)
    return cluster_bootstrap(summed(cell))


def binary(cell: Cell) -> bool:
    """Return whether every score is 1 or 0: not where it is a mean over wordings, or a share."""
    return bool(np.isin(cell.scores, (0.0, 1.0)).all())


def on_same_items(first: Cell, second: Cell) -> tuple[Cell, Cell]:
    """Return two models' cells on the items that both answered."""
    keep_first, keep_second = np.isin(first.ids, second.ids), np.isin(second.ids, first.ids)
    return (
        Cell(*(column[keep_first] for column in first)),
        Cell(*(column[keep_second] for column in second)),
    )
