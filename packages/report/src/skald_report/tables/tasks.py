"""The evaluated tasks: each with what a reader must know of it, and as families over languages and wordings."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from skald_report.reading.inputs import Sources
from skald_report.tables.cells import page_names
from skald_report.tables.table import Table


def task_tables(sources: Sources, scores: Table) -> dict[str, Table]:
    """Return the tables of tasks by name.

    Args:
        sources: The evaluations.
        scores: The table of all scores, for the names that the page uses.
    """
    every = tasks(sources, scores)
    return {table.name: table for table in (every, task_families(every))}


def tasks(sources: Sources, scores: Table) -> Table:
    """Return the evaluated tasks with what a reader must know of each.

    Args:
        sources: The evaluations.
        scores: The table of all scores, for the names that the page uses.
    """
    shown = scores.frame[["suite", "task", "label"]].drop_duplicates()
    labels = {(suite, task): label for suite, task, label in shown.itertuples(index=False)}
    named = page_names(sources)
    rows = [
        {
            "suite": summary.suite,
            "task": task.name,
            "language": task.language,
            "label": labels.get((summary.suite, named[summary.suite, task.name]), task.family),
            "kind": task.kind,
            "variant": task.variant,
            "metric": task.metric,
            "chance": math.nan if task.chance is None else task.chance,
            "num_fewshot": task.num_fewshot,
            "n_items": task.n_items,
            "version": task.version,
            "translated": {True: "yes", False: "no", None: "not known"}[task.translated],
            "license": task.license or "",
            "source": task.source,
            "data_sha256": task.data_sha256,
        }
        for summary in sources.summaries
        for task in summary.tasks
    ]
    # Families are grouped by these, also where nothing was evaluated.
    columns = None if rows else ["suite", "task", "label"]
    return Table("tasks", ("suite", "task"), {}, pd.DataFrame(rows, columns=columns))


def task_families(every: Table) -> Table:
    """Return the tasks by the name the page gives them, over their languages and wordings.

    Args:
        every: All tasks.
    """
    rows = []
    for (suite, label), own in every.frame.groupby(["suite", "label"], sort=False):
        known = set(own["translated"])
        rows.append(
            {
                "suite": suite,
                "label": label,
                "metric": _listed(own["metric"]),
                "chance_low": own["chance"].min(),
                "chance_high": own["chance"].max(),
                "fewest_examples": own["num_fewshot"].min(),
                "most_examples": own["num_fewshot"].max(),
                "n_languages": own["language"].nunique(),
                "n_wordings": own["variant"].nunique(),
                "n_items": own["n_items"].sum(),
                "versions": _listed(f"{version:g}" for version in own["version"]),
                "translated": known.pop() if len(known) == 1 else "partly",
                "license": _listed(own["license"]),
                "source": _listed(own["source"]),
            }
        )
    units = {"n_languages": "count", "n_wordings": "count", "n_items": "count"}
    return Table("task_families", ("suite", "label"), units, pd.DataFrame(rows))


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted({str(value) for value in values} - {""}))
