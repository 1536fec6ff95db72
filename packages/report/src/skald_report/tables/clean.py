"""Scores without the items that training text has.

Knows which items a search of the corpus found; how a score and its interval come about is that of the
table of all scores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.reading.inputs import Sources
from skald_report.tables.cells import CELL, gather, page_names
from skald_report.tables.models import models
from skald_report.tables.scores import scores
from skald_report.tables.table import Table

_NAMES = [*CELL, "model"]
_COLUMNS = [*_NAMES, "kind", "label", "n_items", "n_contaminated", "score", "clean", "low", "high",
            "languages"]  # fmt: skip
_UNITS = {
    **dict.fromkeys(("n_items", "n_contaminated"), "count"),
    **dict.fromkeys(("score", "clean", "low", "high"), "by kind"),
}


def clean_scores(sources: Sources, measured: Table) -> Table:
    """Return the scores on the clean subset, in every cell that has a contaminated item.

    Args:
        sources: The items, and which of them training text has.
        measured: The table of all scores.

    Returns:
        `score` on all items beside `clean` with its interval; the mean over languages too, where one
        of them has such an item. `clean` is missing where no item is left, and for the mean where a
        language has none left: a mean over fewer languages would be another measure.
    """
    items = sources.items
    found = contaminated(sources)
    if not found.any():
        return Table("clean", tuple(_NAMES), _UNITS, pd.DataFrame(columns=_COLUMNS))
    task, item = _page_items(sources)
    # An item that was found in one wording of it is left out in all.
    left_out = np.isin(item, np.unique(item[found]))
    affected = np.isin(task, np.unique(task[found]))
    gone = items[left_out].astype(dict.fromkeys(("suite", "task", "language", "model"), str))
    gone["task"] = page_tasks(sources, gone)
    tasks = pd.MultiIndex.from_frame(gone[["suite", "task"]].drop_duplicates())
    whole = measured.frame
    whole = whole[pd.MultiIndex.from_frame(whole[["suite", "task"]]).isin(tasks)]
    kept = gather(replace(sources, items=items[affected & ~left_out]))
    rest = scores(kept, models(sources).frame).frame.rename(columns={"score": "clean"})
    # A mean is matched by its languages too.
    shared = [*_NAMES, "languages"]
    frame = whole.drop(columns=["low", "high"]).merge(
        rest[[*shared, "clean", "low", "high"]], on=shared, how="left"
    )
    frame["n_contaminated"] = _counted(gone, frame)
    frame = frame[frame["n_contaminated"] > 0].reset_index(drop=True)
    return Table("clean", tuple(_NAMES), _UNITS, frame[_COLUMNS])


def _counted(gone: pd.DataFrame, frame: pd.DataFrame) -> list[int]:
    """Count the contaminated items of each row; a mean has those of its languages."""
    counted = gone.groupby(["suite", "task", "language", "model"])["item_id"].nunique()
    return [
        sum(
            int(counted.get((row["suite"], row["task"], tag, row["model"]), 0))
            for tag in row["languages"].split()
        )
        for row in frame.to_dict("records")
    ]


def contaminated(sources: Sources) -> NDArray[np.bool_]:
    """Return for every row of the items whether training text has its item."""
    items = sources.items
    listed = sources.clean.contaminated if sources.clean else {}
    # Where only a list was given, nothing tells its items from others of the same names.
    known = set(listed) if sources.searched is None else searched_tasks(sources)
    tasks, names = items["task"].cat, items["item_id"].cat
    task_at = {name: number for number, name in enumerate(tasks.categories)}
    name_at = {name: number for number, name in enumerate(names.categories)} if listed else {}
    found = [
        task_at[task] * len(name_at) + name_at[name]
        for task, ids in listed.items()
        if task in known and task in task_at
        for name in ids
        if name in name_at
    ]
    asked = tasks.codes.to_numpy(np.int64) * len(name_at) + names.codes.to_numpy(np.int64)
    return np.isin(asked, np.array(found, np.int64))


class Searched(NamedTuple):
    """How many items, as they were asked, training text was searched for, and how many it has."""

    n_items: int
    n_found: int


def searched_items(sources: Sources) -> Searched | None:
    """Return what came of the search for the items that were asked; None where there was none."""
    if sources.searched is None or sources.clean is None:
        return None
    items = sources.items.assign(found=contaminated(sources)).drop_duplicates(["task", "item_id"])
    known = items["task"].isin(searched_tasks(sources))
    return Searched(int(known.sum()), int(items["found"].sum()))


def searched_tasks(sources: Sources) -> frozenset[str]:
    """Return the tasks whose items, as they were asked, are those that the text was searched for."""
    looked_for = {
        (task.task, task.items_sha256)
        for task in (sources.searched.tasks if sources.searched else ())
    }
    return frozenset(
        task.name
        for summary in sources.summaries
        for task in summary.tasks
        if (task.name, task.items_sha256) in looked_for
    )


def page_tasks(sources: Sources, items: pd.DataFrame) -> list[str]:
    """Return how the page calls the task of each of some items.

    Args:
        sources: What the page calls each task that was evaluated.
        items: Rows with `suite` and `task`, each that of an evaluation.
    """
    named = page_names(sources)
    return [named[key] for key in zip(items["suite"], items["task"], strict=True)]


def _page_items(sources: Sources) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a number for each row's task on the page, and one for its item in its language."""
    items = sources.items
    code = {name: items[name].cat.codes.to_numpy(np.int64)
            for name in ("suite", "task", "language", "item_id")}  # fmt: skip
    asked = code["suite"] * len(items["task"].cat.categories) + code["task"]
    _, first, place = np.unique(asked, return_index=True, return_inverse=True)
    worded = items.take(first)
    names = list(zip(worded["suite"], page_tasks(sources, worded), strict=True))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    task = np.array([numbers[name] for name in names], np.int64)[place]
    n_languages = len(items["language"].cat.categories)
    n_items = len(items["item_id"].cat.categories)
    return task, (task * n_languages + code["language"]) * n_items + code["item_id"]
