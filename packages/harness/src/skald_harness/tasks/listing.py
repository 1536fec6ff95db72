"""The tables of tasks that `skald evals list` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import UserInputError

from skald_harness.tasks.hub import HubTask, hub_tasks
from skald_harness.tasks.items import check_items, find_items
from skald_harness.tasks.suites import (
    EVALS,
    HUB,
    InLanguage,
    TaskDefinition,
    list_tasks,
    select,
    suite_names,
)

COLUMNS = ("task", "suite", "language", "kind", "metric", "chance", "version")
HUB_COLUMNS = (
    "task", "suite", "language", "kind", "metric", "chance", "asks", "wording", "made", "license",
    "items",
)  # fmt: skip
_UNKNOWN = "-"


def listing(suite: str | None, language: str | None, items: Path, evals: Path = EVALS) -> str:
    """Return the table of our own tasks and below it that of lm-eval's, where either has any.

    Args:
        suite: A suite's name; None for all.
        language: A BCP-47 tag; None for all.
        items: A folder of items, which need not be there.
        evals: The folder of suites.

    Raises:
        UserInputError: The suite or language is unknown, or a file is malformed.
    """
    own = list_tasks(suite, evals=evals)
    public = hub_tasks(evals) if HUB in ([suite] if suite else suite_names(evals)) else []
    if language is not None:
        everything: list[InLanguage] = [*own, *public]
        select(everything, [language])  # Refuses a language that no task is in.
        own = [task for task in own if task.language == language]
        public = [task for task in public if task.language == language]
    tables = [
        table(task_rows(own, items)) if own else "",
        table(hub_rows(public), HUB_COLUMNS) if public else "",
    ]
    return "\n\n".join(filter(None, tables))


def hub_rows(tasks: Sequence[HubTask]) -> list[tuple[str, ...]]:
    """Return a row of `HUB_COLUMNS` for each task of lm-eval.

    `made` says how the items came into the language; few items are marked.
    """
    return [
        (
            task.name, task.suite, task.language, task.kind, task.facts.metric,
            _UNKNOWN if task.facts.chance is None else f"{task.facts.chance:.2f}", task.asked,
            task.variant or _UNKNOWN, _made(task), task.facts.license or _UNKNOWN,
            f"{task.n_items or _UNKNOWN}{' (low power)' if task.low_power else ''}",
        )
        for task in tasks
    ]  # fmt: skip


def task_rows(tasks: Sequence[TaskDefinition], items: Path) -> list[tuple[str, ...]]:
    """Return a row of `COLUMNS` for each task.

    Args:
        tasks: The tasks.
        items: A folder of items, which need not be there; it tells chance where the kind does not.
    """
    return [
        (
            task.name, task.suite, task.language, task.kind, task.metrics[0], _chance(task, items),
            str(task.version),
        )
        for task in tasks
    ]  # fmt: skip


def table(rows: Sequence[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> str:
    """Lay out rows below their columns, each as wide as it needs."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    )


def _made(task: HubTask) -> str:
    if task.facts.made is None:
        return _UNKNOWN
    return task.facts.made if task.translated else "original"


def _chance(task: TaskDefinition, items: Path) -> str:
    if task.kind == "text":
        return _UNKNOWN
    if task.kind in ("pairs", "number"):
        return "0.50"
    try:
        found = check_items(task, items) if find_items(task, items) else None
    except UserInputError:
        # A list is no check of items.
        found = None
    return _UNKNOWN if found is None or found.chance is None else f"{found.chance:.2f}"
