"""The table of tasks that `skald evals list` prints: our own, and those of lm-eval in suite `hub`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import UserInputError

from skald_harness.tasks.hub import HubTask, hub_tasks
from skald_harness.tasks.items import check_items, find_items
from skald_harness.tasks.suites import (
    EVALS,
    HUB,
    TaskDefinition,
    list_tasks,
    select,
    suite_names,
)

COLUMNS = ("task", "suite", "language", "kind", "metric", "chance", "version", "about")
_UNKNOWN = "-"

Row = tuple[str, ...]


def listed(suite: str | None, language: str | None, items: Path, evals: Path = EVALS) -> list[Row]:
    """Return a row of `COLUMNS` for each task, of all suites or one, in all languages or one.

    Args:
        suite: A suite's name; None for all.
        language: A BCP-47 tag; None for all.
        items: A folder of items, which need not be there; it tells chance where the kind does not.
        evals: The folder of task definitions.

    Raises:
        UserInputError: The suite or language is unknown, or a file is malformed.
    """
    # First, because it refuses an unknown suite.
    tasks: list[TaskDefinition | HubTask] = [*list_tasks(suite, evals=evals)]
    if suite == HUB or (suite is None and HUB in suite_names(evals)):
        tasks += hub_tasks(evals)
    if language is not None:
        tasks = select(tasks, [language])
    return sorted(
        _public(task) if isinstance(task, HubTask) else _own(task, items) for task in tasks
    )


def table(rows: Sequence[Row], columns: Row = COLUMNS) -> str:
    """Lay out rows below their columns, each as wide as it needs.

    Args:
        rows: As many cells each as there are columns.
        columns: Their heads.
    """
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    )


def _own(task: TaskDefinition, items: Path) -> Row:
    return (
        task.name, task.suite, task.language, task.kind, task.metrics[0], _chance(task, items),
        str(task.version), "",
    )  # fmt: skip


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


def _public(task: HubTask) -> Row:
    translated = {True: f"translated ({task.facts.made})", None: "translated: not known"}
    notes = [
        f"{task.asked} in wording {task.variant}" if task.variant else task.asked,
        translated.get(task.translated, ""),
        task.facts.license or "license not known",
        f"n = {task.n_items}, low power" if task.low_power else "",
    ]
    chance = _UNKNOWN if task.facts.chance is None else f"{task.facts.chance:.2f}"
    return (
        task.name, task.suite, task.language, task.kind, task.facts.metric, chance,
        # lm-eval's own version is known when the task is loaded.
        _UNKNOWN, "; ".join(note for note in notes if note),
    )  # fmt: skip
