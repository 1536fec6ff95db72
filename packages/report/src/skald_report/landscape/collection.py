"""A collection of published scores in one table, such as a project keeps, as rows of `PublishedScore`.

Each of its rows names its own source and date, whether the model is European, and both metrics of a
task; only the one that ranks is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from skald_specs.errors import UserInputError
from skald_specs.published import PublishedScore

from skald_report.landscape.boards import LANGUAGES, Parsed, Row
from skald_report.landscape.protocol import FIRST_METRIC, task_kind

_COLUMNS = (
    "model", "eu", "params_b", "language", "task", "shots", "metric", "score",
    "stderr_of_bootstrap_mean", "model_type", "split", "harness_version", "source", "source_date",
    "notes",
)  # fmt: skip
_OLDER = re.compile(r"OLDER SNAPSHOT")


def is_collection(rows: Sequence[Row]) -> bool:
    """Return whether a file's head has the columns of a collection."""
    return bool(rows) and set(_COLUMNS) <= set(rows[0][1])


def read_collection(rows: Sequence[Row], where: str) -> Parsed:
    """Read a collection.

    Args:
        rows: Line numbers and cells, the head first.
        where: The file, for errors.

    Raises:
        UserInputError: A row breaks a rule; names the line.
    """
    head = rows[0][1]
    scores, skipped = [], Counter[str]()
    for line, cells in rows[1:]:
        at = f"{where}:{line}"
        if len(cells) != len(head):
            raise UserInputError(
                at, f"{len(cells)} cells under {len(head)} columns", "Mend the line"
            )
        row = dict(zip(head, cells, strict=True))
        language = LANGUAGES.get(row["language"].lower())
        metrics = FIRST_METRIC.get(task_kind(row["task"]))
        if language is None:
            skipped[f"{row['language']!r} is no language of the register"] += 1
        elif metrics is not None and row["metric"] not in metrics:
            skipped["the second metric of the same answers"] += 1
        else:
            scores.append(_score(row, language, at))
    return Parsed(scores, skipped)


def _score(row: dict[str, str], language: str, where: str) -> PublishedScore:
    older = "older snapshot, no longer shown in the next" if _OLDER.search(row["notes"]) else ""
    foreign = task_kind(row["task"]) == row["task"]
    value = {
        name: row[name]
        for name in ("model", "task", "shots", "metric", "score", "model_type", "split", "source",
                     "source_date")
    }  # fmt: skip
    return PublishedScore.check(
        value
        | {
            "eu": {"yes": True, "no": False}.get(row["eu"]),
            "params_b": row["params_b"] or None,
            "language": language,
            "stderr_of_mean": row["stderr_of_bootstrap_mean"] or None,
            "harness_version": row["harness_version"].removeprefix("-"),
            # EuroEval's notes repeat the other columns.
            "notes": row["notes"] if foreign else older,
        },
        where,
    )
