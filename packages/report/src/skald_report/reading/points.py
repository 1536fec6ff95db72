"""Scores over training: the points that `skald evaluate --watch` wrote of each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from skald_specs.curves import ScorePoint
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.plan import Plan
from skald_specs.records import EvaluationSummary

#: Beside the folders of the suites.
POINTS_FOLDER = "curves"
_COLUMNS = ["model", "suite", "task", "language", "step", "tokens", "score", "standard_error",
            "kind", "higher_is_better"]  # fmt: skip


def read_points(
    files: Iterable[Path], plans: Mapping[str, Plan], summaries: Iterable[EvaluationSummary]
) -> pd.DataFrame:
    """Read the points of all runs.

    Args:
        files: One a run.
        plans: By name; points of a run that had another plan are no part of this one's curve.
        summaries: Their suites alone are shown, and of their tasks only points of the same version and
            items.

    Returns:
        A row a point; `standard_error` is NaN where there is none.

    Raises:
        UserInputError: A line is malformed, or a task is scored twice at one step.
    """
    facts = {
        (summary.suite, task.name): (task.version, task.data_sha256)
        for summary in summaries
        for task in summary.tasks
    }
    suites = {suite for suite, _ in facts}
    rows = []
    for path in files:
        seen: set[tuple[str, str, int]] = set()
        for number, row in enumerate(read_jsonl(path), start=1):
            point = ScorePoint.check(row, f"{path}:{number}")
            own = (point.version, point.data_sha256)
            plan = plans.get(point.run)
            if (
                point.suite not in suites
                or facts.get((point.suite, point.task), own) != own
                or (plan is not None and plan.fingerprint != point.plan_fingerprint)
            ):
                continue
            key = point.suite, point.task, point.step
            if key in seen:
                raise UserInputError(
                    f"{path}:{number}",
                    f"task {point.task!r} is scored twice at step {point.step}",
                    "Delete the file and watch the run again",
                )
            seen.add(key)
            rows.append({**point.model_dump(), "model": point.run})
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame["standard_error"] = frame["standard_error"].astype(float)
    return frame
