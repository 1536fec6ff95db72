"""How flags are worded; which there are is `store.flags`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skald_specs.controls import ORACLE, what_it_shows
from skald_specs.records import ControlFlag, TaskInfo


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
