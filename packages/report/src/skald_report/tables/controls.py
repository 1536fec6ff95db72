"""The table of controls: what each kind scores on each task, and where it was flagged.

Knows scores and the flags that the evaluation wrote; what counts as a flag is the harness'.
"""

from __future__ import annotations

import pandas as pd
from skald_specs.controls import RANDOM_INIT
from skald_specs.records import ControlFlag

from skald_report.reading.inputs import Sources
from skald_report.tables.cells import page_names
from skald_report.tables.table import MACRO, Table

#: The untrained networks share a column: they are one kind of control.
UNTRAINED = "untrained"
_COLUMNS = ["suite", "task", "control", "kind", "label", "chance", "score", "low", "high",
            "n_languages", "flagged"]  # fmt: skip


def control_table(sources: Sources, measured: Table) -> Table:
    """Return what each kind of control scores on each task, over its languages.

    Args:
        sources: The flags, and which models are controls.
        measured: The table of all scores.

    Returns:
        `score` is the unweighted mean over languages (and over untrained networks), `low` and `high`
        the smallest and largest of what it is the mean of; `flagged` names the flagged languages.
        The numbers are those of the table of scores, so that no comparison reads them again.
    """
    roles = {model.name: model.role for s in sources.summaries for model in s.models}
    frame = measured.frame
    frame = frame[(frame["language"] != MACRO) & (frame["model"].map(roles) == "control")]
    frame = frame.assign(control=frame["model"].map(_column))
    flagged = flags_by_task(sources)
    rows = []
    for names, own in frame.groupby(["suite", "task", "control"], sort=False):
        suite, task, control = map(str, names)
        tags = list(dict.fromkeys(own["language"]))
        rows.append(
            {
                "suite": suite,
                "task": task,
                "control": control,
                "kind": own["kind"].iloc[0],
                "label": own["label"].iloc[0],
                "chance": own["chance"].mean(),
                "score": own.groupby("language")["score"].mean().mean(),
                "low": own["score"].min(),
                "high": own["score"].max(),
                "n_languages": len(tags),
                "flagged": " ".join(t for t in tags if (suite, task, control, t) in flagged),
            }
        )
    return Table("controls", ("suite", "task", "control"), {}, pd.DataFrame(rows, columns=_COLUMNS))


def _column(model: str) -> str:
    return UNTRAINED if model.startswith(RANDOM_INIT) else model


def flags_by_task(sources: Sources) -> dict[tuple[str, str, str, str], list[ControlFlag]]:
    """Return the flags by suite, task on the page, kind of control and language."""
    named = page_names(sources)
    found: dict[tuple[str, str, str, str], list[ControlFlag]] = {}
    for summary in sources.summaries:
        languages = {task.name: task.language for task in summary.tasks}
        for flag in summary.flags:
            page = named.get((summary.suite, flag.task), flag.task)
            key = (summary.suite, page, _column(flag.control), languages.get(flag.task, ""))
            found.setdefault(key, []).append(flag)
    return found
