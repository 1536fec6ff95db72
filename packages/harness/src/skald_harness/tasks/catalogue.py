"""All tasks of all suites for a reader: our own and those of lm-eval, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skald_harness.tasks.hub import HubTask, hub_tasks
from skald_harness.tasks.suites import EVALS, HUB, list_tasks, select, suite_names


@dataclass(frozen=True)
class Row:
    """One task; `about` says what a reader of its score must know, empty where there is nothing."""

    name: str
    suite: str
    language: str
    kind: str
    about: str


def catalogue(
    suite: str | None = None, language: str | None = None, evals: Path = EVALS
) -> list[Row]:
    """Return the tasks of all suites or one, in all languages or one, sorted by name.

    Args:
        suite: A suite's name; None for all.
        language: A BCP-47 tag; None for all.
        evals: The folder of task definitions.

    Raises:
        UserInputError: The suite or language is unknown, or a file is malformed.
    """
    # First, because it refuses an unknown suite.
    rows = [
        Row(task.name, task.suite, task.language, task.kind, "")
        for task in list_tasks(suite, evals=evals)
    ]
    if suite == HUB or (suite is None and HUB in suite_names(evals)):
        rows += [_row(task) for task in hub_tasks(evals)]
    chosen = rows if language is None else select(rows, [language])
    return sorted(chosen, key=lambda row: row.name)


def _row(task: HubTask) -> Row:
    translated = {True: f"translated ({task.facts.made})", None: "translated: not known"}
    notes = [
        task.asked,
        translated.get(task.translated, ""),
        task.facts.license or "license not known",
        f"n = {task.n_items}, low power" if task.low_power else "",
    ]
    return Row(
        task.name, task.suite, task.language, task.kind, "; ".join(note for note in notes if note)
    )
