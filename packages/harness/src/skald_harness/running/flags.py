"""Flags: tasks that a control passes without knowing what they ask for, or an oracle fails.

Pure functions of records. How a flag is worded is here; what a control shows is
`skald_specs.controls`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy import stats
from skald_specs.controls import ORACLE, what_it_shows
from skald_specs.records import ControlFlag, EvaluatedModel, ItemRecord, TaskInfo

#: Probability that a suite whose tasks give nothing away gets even one flag.
LEVEL = 0.01


def control_flags(
    models: Sequence[EvaluatedModel], tasks: Sequence[TaskInfo], items: Sequence[ItemRecord]
) -> tuple[ControlFlag, ...]:
    """Return the flags of one suite.

    A negative control is flagged where its number of right answers is too large for guessing: exact
    one-sided binomial test against the task's chance, after Holm's correction over all tasks and
    negative controls of the suite. Items are taken as independent; items that share their words are
    not, so a flag says "look", never "proven". Tasks without a chance level are not judged. The
    oracle is flagged below a score of 1, with p = 0: were the right answer always to win, it could not
    be.

    Args:
        models: All models of the evaluation; controls are told by their role.
        tasks: Its tasks.
        items: Its item records.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    controls = [model.name for model in models if model.role == "control"]
    scores = scores_by_task(items)
    found: list[ControlFlag] = []
    judged: list[ControlFlag] = []
    for task in tasks:
        for control in controls:
            own = scores.get((control, task.name))
            if own is None or task.chance is None:
                continue
            n, right = len(own), sum(own)
            flag = ControlFlag(
                task=task.name,
                control=control,
                score=right / n,
                chance=task.chance,
                p_value=0.0 if control == ORACLE else _p_value(right, n, task.chance),
            )
            if control != ORACLE:
                judged.append(flag)
            elif right < n:
                found.append(flag)
    found += _holm(judged)
    order = {task.name: number for number, task in enumerate(tasks)}
    return tuple(sorted(found, key=lambda flag: (order[flag.task], controls.index(flag.control))))


def scores_by_task(items: Sequence[ItemRecord]) -> dict[tuple[str, str], list[float]]:
    """Return the scores of each model and task."""
    scores: dict[tuple[str, str], list[float]] = {}
    for item in items:
        scores.setdefault((item.model, item.task), []).append(item.score)
    return scores


def _p_value(right: float, n: int, chance: float) -> float:
    # A score between 0 and 1 counts as less than a right answer, never as more.
    return float(stats.binomtest(int(right + 1e-9), n, chance, alternative="greater").pvalue)


def _holm(judged: Sequence[ControlFlag]) -> list[ControlFlag]:
    """Keep the flags that Holm's step-down procedure rejects at `LEVEL`."""
    kept: list[ControlFlag] = []
    for rank, flag in enumerate(sorted(judged, key=lambda flag: flag.p_value)):
        if flag.p_value * (len(judged) - rank) > LEVEL:
            break
        kept.append(flag)
    return kept


def flag_lines(flags: Sequence[ControlFlag], tasks: Sequence[TaskInfo]) -> list[str]:
    """Say each flag in one line; languages of one family and control share it.

    Args:
        flags: What `control_flags` found.
        tasks: The tasks of the evaluation.
    """
    info: Mapping[str, TaskInfo] = {task.name: task for task in tasks}
    groups: dict[tuple[str, str, str], list[ControlFlag]] = {}
    for flag in flags:
        task = info[flag.task]
        groups.setdefault((task.family, task.variant, flag.control), []).append(flag)
    return [_line(group, info) for group in groups.values()]


def _line(group: Sequence[ControlFlag], info: Mapping[str, TaskInfo]) -> str:
    first = info[group[0].task]
    name, where = first.name, ""
    if len(group) > 1:
        name = f"{first.family}{f' ({first.variant})' if first.variant else ''}"
        where = f" in {', '.join(info[flag.task].language for flag in group)}"
    control = group[0].control
    scored = _span([flag.score for flag in group])
    if control == ORACLE:
        return f"{name}{where}: {control} {scored} instead of 1: {what_it_shows(control)}"
    chance = _span([flag.chance for flag in group])
    p = f"p {'<=' if len(group) > 1 else '='} {max(flag.p_value for flag in group):.1g}"
    return (
        f"{name}{where}: {control} {scored} against chance {chance} ({p}): {what_it_shows(control)}"
    )


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"
