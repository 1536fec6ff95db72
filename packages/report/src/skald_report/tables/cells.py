"""The unit of the report's scores: the items of one task in one language, by model.

Knows how items group and what a task is called; what its scores come to is computed in `statistics`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_specs.languages import BY_TAG
from skald_specs.records import TaskInfo

from skald_report.reading.inputs import Sources
from skald_report.statistics.sums import Floats
from skald_report.tables.order import in_order

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
_CODED = ("suite", "task", "language", "model", "item_id", "key")
#: Tasks of others are called by their own name, as their kind says little.
_OF_OTHERS = ("choice", "generate")


class Task(NamedTuple):
    """One task in all its languages and wordings. `label` is how sentences name it."""

    suite: str
    name: str
    kind: str
    label: str


class Panel(NamedTuple):
    """One task in one language: every model's items side by side.

    Attributes:
        task: The task.
        language: Its language.
        scores: Items x models, the mean over wordings where there are several; NaN: not answered.
        weights: Bytes of texts, else 1, by item.
        keys: Number of each item's key among all keys, by item.
        complete: Whether a model answered every item in every wording, by model.
        wordings: Score by wording x models; one row where the task has one.
        chance: Score of whoever does not read the items, the mean over wordings; NaN: there is none.
    """

    task: Task
    language: str
    scores: Floats
    weights: Floats
    keys: NDArray[np.int64]
    complete: NDArray[np.bool_]
    wordings: Floats
    chance: float

    @property
    def n_items(self) -> NDArray[np.int64]:
        """Items that each model answered."""
        return np.asarray(np.isfinite(self.scores).sum(axis=0), np.int64)


class Cells(NamedTuple):
    """All panels in the order of the page, with the same models in the same columns of each.

    Models stand in the order of their names, items in that of theirs, so that nothing depends on the
    order of the records.
    """

    models: tuple[str, ...]
    panels: tuple[Panel, ...]


def gather(sources: Sources) -> Cells:
    """Group the items of all evaluations; an item's wordings become one item with their mean score.

    Args:
        sources: The items, and the tasks they belong to.

    Returns:
        Panels by suite, kind, name and language.
    """
    items = sources.items
    code = {name: items[name].cat.codes.to_numpy(np.int64) for name in _CODED}
    names = {name: list(items[name].cat.categories) for name in _CODED}
    # A wording is a task of a suite in a language; several may be one task of the page.
    asked = code["suite"] * len(names["task"]) + code["task"]
    _, first, wording = np.unique(asked, return_index=True, return_inverse=True)
    worded = items.take(first)
    cells = list(zip(_tasks(sources, worded), worded["language"], strict=True))
    chances = _chances(sources, worded)
    kinds = list(KIND_NAMES)
    nth = {tag: number for number, tag in enumerate(in_order(language for _, language in cells))}
    ordered = sorted(
        set(cells), key=lambda c: (c[0].suite, kinds.index(c[0].kind), c[0].name, nth[c[1]])
    )
    place = {cell: number for number, cell in enumerate(ordered)}
    cell_of = np.array([place[cell] for cell in cells], np.int64)[wording]
    rows = np.argsort(cell_of, kind="stable")
    ends = np.searchsorted(cell_of[rows], np.arange(len(ordered) + 1))
    scores, n_bytes = items["score"].to_numpy(np.float64), items["n_bytes"].to_numpy(np.float64)
    panels = []
    for number, (task, language) in enumerate(ordered):
        here = rows[ends[number] : ends[number + 1]]
        item, i = np.unique(code["item_id"][here], return_inverse=True)
        asked_as, v = np.unique(wording[here], return_inverse=True)
        by_wording = np.full((len(asked_as), len(item), len(names["model"])), np.nan)
        by_wording[v, i, code["model"][here]] = scores[here]
        keys, weights = np.empty(len(item), np.int64), np.ones(len(item))
        keys[i] = code["key"][here]
        if task.kind == "text":
            weights[i] = n_bytes[here]
        levels = [chances[at] for at in asked_as if not math.isnan(chances[at])]
        panels.append(
            Panel(
                task,
                str(language),
                by_wording[0] if len(by_wording) == 1 else known_mean(by_wording, 0),
                weights,
                keys,
                np.isfinite(by_wording).all(axis=(0, 1)),
                known_mean(by_wording, 1),
                math.fsum(levels) / len(levels) if levels else math.nan,
            )
        )
    return Cells(tuple(names["model"]), tuple(panels))


def known_mean(values: Floats, axis: int) -> Floats:
    """Return the mean of the numbers along an axis that are none NaN; NaN where there is none.

    Args:
        values: Any shape.
        axis: Which one to average over.
    """
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _tasks(sources: Sources, rows: pd.DataFrame) -> list[Task]:
    """Return the task that each of some items belongs to; its wordings and languages share one."""
    named = page_names(sources)
    n_suites = rows["suite"].nunique()
    translated = {
        (summary.suite, named[summary.suite, task.name])
        for summary in sources.summaries
        for task in summary.tasks
        if task.translated
    }
    found: dict[tuple[str, str], Task] = {}
    asked = []
    for suite, full, kind in rows[["suite", "task", "kind"]].itertuples(index=False, name=None):
        key = suite, named[suite, full]
        label = _label(kind, key[1], key in translated)
        task = Task(*key, kind, f"{label} of suite {suite}" if n_suites > 1 else label)
        asked.append(found.setdefault(key, task))
    return asked


def _chances(sources: Sources, rows: pd.DataFrame) -> list[float]:
    """Return the chance level of the task of each of some items; NaN where there is none."""
    known = {
        (summary.suite, task.name): task.chance
        for summary in sources.summaries
        for task in summary.tasks
    }
    levels = [known[key] for key in zip(rows["suite"], rows["task"], strict=True)]
    return [math.nan if level is None else level for level in levels]


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
    return named


def _label(kind: str, name: str, translated: bool) -> str:
    if kind not in _OF_OTHERS:
        return KIND_NAMES[kind] if name == kind else f"{KIND_NAMES[kind]} ({name})"
    return f"{name}{', translated' if translated else ''}"


def short_name(task: str, suite: str, language: str) -> str:
    """Return a task's name without what its suite and language already say.

    `skald_ud_swap_dan_Latn` in suite `ud` is `swap`.

    Args:
        task: Its full name.
        suite: The suite it is of.
        language: Tag of its language.
    """
    known = BY_TAG.get(language)
    name = task
    for code in (known.flores if known else "", language):
        name = name.removesuffix(f"_{code}") if code else name
    return _without_prefix(name, suite)


def _without_prefix(name: str, suite: str) -> str:
    return name.removeprefix("skald_").removeprefix(f"{suite}_")
