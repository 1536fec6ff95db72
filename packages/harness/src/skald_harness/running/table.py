"""The short table a person sees after an evaluation; statistics are the report's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skald_specs.records import EvaluationSummary, ItemRecord, TaskInfo

from skald_harness.running.flags import flag_lines

Cells = Mapping[tuple[str, str], Sequence[ItemRecord]]


def mean_score(items: Sequence[ItemRecord]) -> float:
    """Return a task's score: mean accuracy, or bits per byte over all bytes."""
    if items[0].kind == "text":
        return sum(i.metrics["bits"] for i in items) / sum(i.n_bytes for i in items)
    return sum(i.score for i in items) / len(items)


def score_table(summary: EvaluationSummary, items: Sequence[ItemRecord]) -> str:
    """Lay out models by languages, one block per family of tasks, controls below a rule.

    A family asked in several wordings is shown as the mean over them with the smallest and the
    largest. The summary's flags stand below.
    """
    cells: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in items:
        cells.setdefault((item.model, item.task), []).append(item)
    families: dict[str, list[TaskInfo]] = {}
    for task in summary.tasks:
        families.setdefault(task.family, []).append(task)
    lines: list[str] = []
    for family, tasks in families.items():
        lines += ["", *_block(family, tasks, summary, cells)]
    flagged = flag_lines(summary.flags, summary.tasks)
    return "\n".join([*lines[1:], *(["", *flagged] if flagged else [])])


def _block(
    family: str, tasks: Sequence[TaskInfo], summary: EvaluationSummary, cells: Cells
) -> list[str]:
    columns: dict[str, list[TaskInfo]] = {}
    for task in tasks:
        columns.setdefault(task.language, []).append(task)
    chances = sorted({task.chance for task in tasks if task.chance is not None})
    unit = tasks[0].metric
    if tasks[0].kind == "text":
        unit = "bits per byte"
    elif chances:
        unit = f"score, chance {' to '.join(f'{c:.2f}' for c in dict.fromkeys((chances[0], chances[-1])))}"
    if (n := max(map(len, columns.values()))) > 1:
        unit += f", mean [smallest, largest] of {n} wordings"
    rows: list[tuple[str, str, list[str]]] = []
    for model in summary.models:
        shown = [_cell(model.name, asked, cells) for asked in columns.values()]
        if any(shown):
            rows.append((model.role, model.name, [text or "-" for text in shown]))
    name_width = max((len(name) for _, name, _ in rows), default=0)
    width = 2 + max((len(text) for _, _, texts in rows for text in [*texts, *columns]), default=6)
    lines = [f"{family} ({unit})", " " * name_width + "".join(f"{tag:>{width}}" for tag in columns)]
    ruled = False
    for role, name, texts in sorted(rows, key=lambda row: row[0] == "control"):
        if role == "control" and not ruled and rows[0][0] != "control":
            lines.append("-" * (name_width + width * len(columns)))
            ruled = True
        lines.append(f"{name:<{name_width}}" + "".join(f"{text:>{width}}" for text in texts))
    return lines


def _cell(model: str, asked: Sequence[TaskInfo], cells: Cells) -> str:
    """Return a model's score, over the wordings of one language; empty where it was not asked."""
    scores = [mean_score(cells[model, t.name]) for t in asked if (model, t.name) in cells]
    if not scores:
        return ""
    mean = f"{sum(scores) / len(scores):.3f}"
    if len(asked) == 1:
        return mean
    return f"{mean} [{min(scores):.3f}, {max(scores):.3f}]"
