"""The short table a person sees after an evaluation; statistics are the report's."""

from __future__ import annotations

from collections.abc import Sequence

from skald_specs.records import EvaluationSummary, ItemRecord


def mean_score(items: Sequence[ItemRecord]) -> float:
    """Return a task's score: mean accuracy, or bits per byte over all bytes."""
    if items[0].kind == "text":
        return sum(i.metrics["bits"] for i in items) / sum(i.n_bytes for i in items)
    return sum(i.score for i in items) / len(items)


def score_table(summary: EvaluationSummary, items: Sequence[ItemRecord]) -> str:
    """Lay out models by languages, one block per kind of task."""
    cells: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in items:
        cells.setdefault((item.model, item.task), []).append(item)
    width = max(len(model.name) for model in summary.models)
    lines: list[str] = []
    families: dict[str, dict[str, str]] = {}
    for task in summary.tasks:
        # A task's name ends in its FLORES code: dan_Latn.
        families.setdefault(task.name.rsplit("_", 2)[0], {})[task.language] = task.name
    for family, names in families.items():
        info = next(task for task in summary.tasks if task.name in names.values())
        unit = "bits per byte" if info.chance is None else f"score, chance {info.chance:.2f}"
        lines += ["", f"{family} ({unit})", " " * width + "".join(f"{tag:>8}" for tag in names)]
        lines += [
            f"{model.name:<{width}}"
            + "".join(f"{mean_score(cells[model.name, name]):>8.3f}" for name in names.values())
            for model in summary.models
            # A rule that looks at choices has no answer to a document.
            if all((model.name, name) in cells for name in names.values())
        ]
    return "\n".join(lines[1:])
