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

from skald_report.inputs import Sources
from skald_report.statistics import Clusters, Interval, cluster_bootstrap, clusters, proportion

#: Columns that name a cell, the model aside.
CELL = ["suite", "task", "language"]
KIND_NAMES = {
    "pairs": "minimal pairs",
    "cloze": "cloze choices",
    "text": "bits per byte",
    "transfer": "facts of other languages",
    "skill": "skills with unseen operands",
    "canary": "canary facts",
}
LOWER_IS_BETTER = ("text",)
#: Kinds with few items a language, which are set against chance and enter no comparison of models:
#: neither claims about other tasks nor their corrected p values depend on them.
AGAINST_CHANCE = ("transfer", "skill", "canary")


class Task(NamedTuple):
    """One task in all its languages. `label` is how sentences name it."""

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
    """Cells by task, language and model; tasks in the order of the page."""

    tasks: tuple[Task, ...]
    by_task: Mapping[Task, Mapping[str, Mapping[str, Cell]]]


def gather(sources: Sources) -> Cells:
    """Group the items of all evaluations."""
    items = sources.items
    if not len(items):
        return Cells((), {})
    full_names = items[["suite", "task", "kind", "language"]].drop_duplicates()
    n_suites = items["suite"].nunique()
    tasks: dict[tuple[str, str, str], Task] = {}
    for suite, full, kind, language in full_names.itertuples(index=False, name=None):
        name = short_name(full, suite, language)
        label = KIND_NAMES[kind] if name == kind else f"{KIND_NAMES[kind]} ({name})"
        label += f" of suite {suite}" if n_suites > 1 else ""
        tasks[suite, full, language] = Task(suite, name, kind, label)
    items = items.assign(
        item=pd.factorize(items["task"] + "\x1f" + items["item_id"])[0],
        cluster=pd.factorize(items["key"], sort=True)[0],
        weight=np.where(items["kind"] == "text", items["n_bytes"], 1).astype(np.float64),
    ).sort_values("item", kind="stable")
    found: dict[Task, dict[str, dict[str, Cell]]] = {}
    for names, rows in items.groupby(["suite", "language", "task", "model"], sort=True):
        suite, language, full, model = map(str, names)
        languages = found.setdefault(tasks[suite, full, language], {})
        languages.setdefault(language, {})[model] = Cell(
            rows["item"].to_numpy(),
            rows["cluster"].to_numpy(),
            rows["score"].to_numpy(dtype=np.float64),
            rows["weight"].to_numpy(),
        )
    kinds = list(KIND_NAMES)
    ordered = sorted(found, key=lambda task: (task.suite, kinds.index(task.kind), task.name))
    return Cells(tuple(ordered), found)


def short_name(task: str, suite: str, language: str) -> str:
    """Return a task's name without what its suite and language already say.

    `skald_ud_swap_dan_Latn` in suite `ud` is `swap`.
    """
    known = BY_TAG.get(language)
    name = task
    for code in (known.flores if known else "", language):
        name = name.removesuffix(f"_{code}") if code else name
    for prefix in ("skald_", f"{suite}_"):
        name = name.removeprefix(prefix)
    return name


def summed(cell: Cell) -> Clusters:
    """Return a cell's sums by key: right answers over items, or bits over bytes."""
    return clusters(cell.scores * cell.weights, cell.weights, cell.keys)


def interval(kind: str, cell: Cell) -> Interval:
    """Return a cell's score with the interval that fits its kind."""
    if kind != "text":
        return proportion(cell.scores, cell.keys)
    return cluster_bootstrap(summed(cell))._replace(method="document bootstrap")


def on_same_items(first: Cell, second: Cell) -> tuple[Cell, Cell]:
    """Return two models' cells on the items that both answered."""
    keep_first, keep_second = np.isin(first.ids, second.ids), np.isin(second.ids, first.ids)
    return (
        Cell(*(column[keep_first] for column in first)),
        Cell(*(column[keep_second] for column in second)),
    )
