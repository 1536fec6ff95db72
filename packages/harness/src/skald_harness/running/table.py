"""The short table a person sees after an evaluation; statistics are the report's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from skald_specs.records import EvaluationSummary, ItemRecord, TaskInfo

from skald_harness.running.flags import flag_lines
from skald_harness.store.evaluation import score_of

#: Columns beyond this width, in characters, go below.
WIDTH = 100

Scores = Mapping[tuple[str, str], float]


def score_table(summary: EvaluationSummary, items: Sequence[ItemRecord]) -> str:
    """Say what each family of tasks is, then lay out models by families, controls below a rule.

    A cell is the unweighted mean over languages; a family asked in several wordings is shown as the
    mean over them with the smallest and the largest. The summary's flags stand below.

    Args:
        summary: The suite's: its models, its tasks and its flags.
        items: The item records of all of them.
    """
    cells: dict[tuple[str, str], list[ItemRecord]] = {}
    for item in items:
        cells.setdefault((item.model, item.task), []).append(item)
    scores = {key: score_of(rows) for key, rows in cells.items()}
    by_name: dict[str, list[TaskInfo]] = {}
    for task in summary.tasks:
        by_name.setdefault(task.family, []).append(task)
    families = [_Family(_short(name, summary.suite), tasks) for name, tasks in by_name.items()]
    blocks = ["\n".join(family.about for family in families)]
    blocks += _blocks(summary, families, scores)
    blocks += ["\n".join(flag_lines(summary.flags, summary.tasks))] if summary.flags else []
    return "\n\n".join(blocks)


def _short(family: str, suite: str) -> str:
    return family.removeprefix("skald_").removeprefix(f"{suite}_")


@dataclass(frozen=True)
class _Family:
    """Tasks that differ in language and wording."""

    name: str
    tasks: Sequence[TaskInfo]

    @cached_property
    def languages(self) -> list[str]:
        """In the order of the tasks."""
        return list(dict.fromkeys(task.language for task in self.tasks))

    @cached_property
    def wordings(self) -> list[str]:
        """In the order of the tasks."""
        return list(dict.fromkeys(task.variant for task in self.tasks))

    @property
    def about(self) -> str:
        """Metric, chance, languages and numbers of items."""
        is_text = self.tasks[0].kind == "text"
        parts = ["bits per byte (less is better)" if is_text else self.tasks[0].metric]
        if chances := [task.chance for task in self.tasks if task.chance is not None]:
            parts.append(f"chance {_range(f'{chance:.2f}' for chance in sorted(chances))}")
        n = len(self.languages)
        parts.append(self.languages[0] if n == 1 else f"mean over {n} languages")
        sizes = _range(f"{n:,}" for n in sorted(task.n_items for task in self.tasks))
        parts.append(f"{sizes} items{'' if n == 1 else ' each'}")
        if len(self.wordings) > 1:
            parts.append(f"mean [smallest, largest] of {len(self.wordings)} wordings")
        return f"{self.name}: {', '.join(parts)}"

    def cell(self, model: str, scores: Scores) -> str:
        """Return a model's score; `-` where it was not asked, `*` where not in every language."""
        means: list[float] = []
        missed = False
        for wording in self.wordings:
            tasks = [task for task in self.tasks if task.variant == wording]
            mine = [scores[model, t.name] for t in tasks if (model, t.name) in scores]
            missed = missed or 0 < len(mine) < len(tasks)
            means += [sum(mine) / len(mine)] if mine else []
        if not means:
            return "-"
        mean = f"{sum(means) / len(means):.3f}{'*' if missed else ''}"
        if len(self.wordings) == 1:
            return mean
        return f"{mean} [{min(means):.3f}, {max(means):.3f}]"


def _range(shown: Iterable[str]) -> str:
    """Join the first and the last of sorted values."""
    values = list(dict.fromkeys(shown))
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _blocks(summary: EvaluationSummary, families: Sequence[_Family], scores: Scores) -> list[str]:
    """Lay out as many families beside each other as fit, again and again."""
    models = sorted(summary.models, key=lambda model: model.role == "control")
    names = [model.name for model in models]
    columns = [
        _column(family.name, [family.cell(name, scores) for name in names]) for family in families
    ]
    first = _column("", names, left=True)
    n_ruled = sum(model.role != "control" for model in models)
    blocks, partial = [], False
    while columns:
        n, width = 1, len(first[0]) + len(columns[0][0])
        while n < len(columns) and width + len(columns[n][0]) <= WIDTH:
            width += len(columns[n][0])
            n += 1
        lines = ["".join(parts) for parts in zip(first, *columns[:n], strict=True)]
        partial = partial or any("*" in line for line in lines)
        if 0 < n_ruled < len(models):
            lines.insert(1 + n_ruled, "-" * width)
        blocks.append("\n".join(lines))
        columns = columns[n:]
    return [*blocks, *(["* not asked in every language"] if partial else [])]


def _column(head: str, cells: Sequence[str], left: bool = False) -> list[str]:
    width = max(map(len, (head, *cells)))
    return [f"{cell:<{width}}" if left else f"  {cell:>{width}}" for cell in (head, *cells)]
