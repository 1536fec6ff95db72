"""The table of tasks that `skald evals list` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import UserInputError

from skald_harness.tasks.items import check_items, find_items
from skald_harness.tasks.suites import TaskDefinition

COLUMNS = ("task", "suite", "language", "kind", "metric", "chance", "version")
_UNKNOWN = "-"


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
