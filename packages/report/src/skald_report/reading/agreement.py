"""Whether evaluations agree with themselves and each other about suites, models and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.records import EvaluationSummary


def check_agreement(folders: Sequence[Path], summaries: Sequence[EvaluationSummary]) -> None:
    """Refuse evaluations whose scores may not stand in one report.

    Args:
        folders: Of the evaluations.
        summaries: Theirs.

    Raises:
        UserInputError: A suite is given twice, a task or model is listed twice, or a model has other
            weights in another suite.
    """
    suites: dict[str, Path] = {}
    weights: dict[str, str] = {}
    for folder, summary in zip(folders, summaries, strict=True):
        before = suites.setdefault(summary.suite, folder)
        if before != folder:
            raise UserInputError(
                str(folder),
                f"holds suite {summary.suite!r}, which {before} holds too; tasks of one name in two "
                "evaluations may have other versions",
                "Evaluate all models together, or name one of the two",
            )
        _check_once(folder, "model", [model.name for model in summary.models])
        _check_once(folder, "task", [task.name for task in summary.tasks])
        for model in summary.models:
            if weights.setdefault(model.name, model.weights_sha256) != model.weights_sha256:
                raise UserInputError(
                    f"suite {summary.suite}",
                    f"model {model.name!r} has other weights than in another suite",
                    "Evaluate both suites again with the same exports",
                )


def _check_once(folder: Path, what: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserInputError(
            str(folder / "summary.json"), f"lists {what} {twice!r} twice", "Evaluate again"
        )
