"""What a mean over tasks and languages may be over: two measures, each in one unit.

`tasks` are those with a chance level, corrected for it, so that 0 is guessing and 1 all right; `text`
is bits per byte. Tasks that are set against chance, and those without a level, are in neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skald_specs.languages import BY_TAG

from skald_report.statistics.intervals import Scale
from skald_report.statistics.means import Cell
from skald_report.statistics.sums import Sums, chance_corrected, sums
from skald_report.tables.cells import AGAINST_CHANCE, Cells, Panel
from skald_report.tables.order import in_order
from skald_report.tables.table import MACRO

TASKS, TEXT = "tasks", "text"
BRANCHES = ("North", "West", "Insular")
WORST = "worst"


class Measured(NamedTuple):
    """The cells of one measure: sums by cluster of every task in every language.

    `complete` (cells x models) says who answered all items of a cell; a mean over some of a task's
    items would be another measure.
    """

    name: str
    panels: tuple[Panel, ...]
    sums: tuple[Sums, ...]
    complete: NDArray[np.bool_]

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger number is the better one."""
        return self.name != TEXT

    @property
    def scale(self) -> Scale:
        """What the numbers are."""
        return "bits" if self.name == TEXT else "share"

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages, in the order of the page."""
        return tuple(in_order(panel.language for panel in self.panels))


def measures(cells: Cells) -> tuple[Measured, ...]:
    """Return the measures that the evaluations have."""
    found = []
    for name in (TASKS, TEXT):
        panels = tuple(panel for panel in cells.panels if measure_of(panel) == name)
        if not panels:
            continue
        summed = tuple(
            own if math.isnan(panel.chance) else chance_corrected(own, panel.chance)
            for panel in panels
            for own in [sums(panel.scores, panel.weights, panel.keys)]
        )
        complete = np.stack([panel.complete for panel in panels])
        found.append(Measured(name, panels, summed, complete))
    return tuple(found)


def measure_of(panel: Panel) -> str:
    """Return the measure that a panel counts in; empty for none."""
    if panel.task.kind in AGAINST_CHANCE:
        return ""
    if panel.task.kind == "text":
        return TEXT
    return TASKS if panel.chance < 1 else ""


def chosen(
    measured: Measured, at: Sequence[int] | NDArray[np.int64], models: NDArray[np.int64]
) -> list[Cell]:
    """Return some cells of some models, ready to be averaged.

    Args:
        measured: One measure.
        at: Numbers of panels of `measured`, in the order to average them.
        models: Columns of the models: numbers among those of all panels.

    Returns:
        Sums by cluster and chosen model; tasks are numbered in the order of `at`.
    """
    languages = {tag: number for number, tag in enumerate(measured.languages)}
    tasks: dict[tuple[str, str], int] = {}
    found = []
    for number in at:
        panel, own = measured.panels[number], measured.sums[number]
        task = tasks.setdefault((panel.task.suite, panel.task.name), len(tasks))
        found.append(
            Cell(
                languages[panel.language],
                task,
                Sums(own.keys, own.top[:, models], own.bottom[:, models]),
                0.0 if math.isnan(panel.chance) else -panel.chance / (1 - panel.chance),
            )
        )
    return found


def scopes(languages: Sequence[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return what a mean can be over, in the order shown: kind and languages by name."""
    found = {MACRO: (MACRO, tuple(languages))}
    for branch in BRANCHES:
        own = tuple(tag for tag in languages if _branch(tag) == branch)
        if own:
            found[branch] = ("branch", own)
    found |= {tag: ("language", (tag,)) for tag in languages}
    return found


def _branch(tag: str) -> str:
    known = BY_TAG.get(tag)
    return known.branch if known else ""
