"""The same items in two evaluations: changes of scores and means, tested item by item.

Both evaluations are laid side by side as one, in which every model occurs twice, then and now: what the
report's own paired statistics say of two models holds for the two states of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals
from skald_specs.errors import UserInputError

from skald_report.reading.inputs import ReportInputs, Sources, load
from skald_report.statistics.comparison import paired_differences
from skald_report.statistics.means import Cell, Mean, hierarchical_mean, mean_differences
from skald_report.statistics.sums import sums
from skald_report.tables.cells import CELL, Cells, Panel, gather
from skald_report.tables.file import rows_of
from skald_report.tables.measures import chosen, measures, scopes
from skald_report.tables.pairwise import TEST
from skald_report.tables.table import MACRO

SUMMARY_FILE = "summary.json"
_OLD, _NEW = "then\x1f", "now\x1f"
_FOUND = ("difference", "low", "high", "p", "test")


def evaluations_below(folder: Path) -> tuple[Path, ...]:
    """Return the evaluations of a folder: itself, or those it holds.

    Raises:
        UserInputError: There is none.
    """
    found = [folder, *sorted(folder.glob("*"))] if folder.is_dir() else []
    there = tuple(path for path in found if (path / SUMMARY_FILE).is_file())
    if not there:
        raise UserInputError(
            str(folder), "holds no evaluation", "Name the folder that `skald evaluate` wrote"
        )
    return there


def records_of(folder: Path, report: Mapping[str, Any], where: Path) -> Sources:
    """Read the item records behind a report.

    Args:
        folder: Of one evaluation or of several.
        report: The report made of them.
        where: The report's folder, for errors.

    Raises:
        UserInputError: A record is malformed, or the records are of other weights than the report.
    """
    sources = load(ReportInputs(evaluations=evaluations_below(folder)))
    shown = {row["model"]: row["weights_sha256"] for row in rows_of(report, "models")}
    for summary in sources.summaries:
        for model in summary.models:
            if shown.get(model.name, model.weights_sha256) != model.weights_sha256:
                raise UserInputError(
                    str(folder),
                    f"model {model.name!r} has other weights than in {where}",
                    "Name the evaluation that this report was made of",
                )
    return sources


def paired_changes(old: Sources, new: Sources) -> dict[str, pd.DataFrame]:
    """Test the change of every score and mean whose items are the same in both.

    Args:
        old: The earlier records.
        new: The later ones.

    Returns:
        By table (`scores`, `overall`), its keys with difference (new - old), low, high, p and test.
    """
    cells = gather(_side_by_side(old, new))
    column = {name: number for number, name in enumerate(cells.models)}
    names = [name.removeprefix(_NEW) for name in cells.models if name.startswith(_NEW)]
    names = [name for name in names if _OLD + name in column]
    now, then = (np.array([column[side + name] for name in names], int) for side in (_NEW, _OLD))
    scores = [*_of_panels(cells, names, now, then), *_of_tasks(cells, names, now, then)]
    keys = {"scores": [*CELL, "model"], "overall": ["measure", "scope", "model"]}
    parts = {"scores": scores, "overall": list(_of_scopes(cells, names, now, then))}
    return {
        name: pd.concat([pd.DataFrame(columns=[*keys[name], *_FOUND]), *found], ignore_index=True)
        for name, found in parts.items()
    }


def _side_by_side(old: Sources, new: Sources) -> Sources:
    """Return both as one evaluation of twice the models; of tasks that only the old has, nothing."""
    known = {(summary.suite, task.name) for summary in new.summaries for task in summary.tasks}
    earlier = old.items
    keys = zip(earlier["suite"], earlier["task"], strict=True)
    earlier = earlier[np.fromiter((key in known for key in keys), bool, len(earlier))]
    frames = []
    for prefix, frame in ((_OLD, earlier), (_NEW, new.items)):
        names = [f"{prefix}{name}" for name in frame["model"].cat.categories]
        named = frame["model"].cat.rename_categories(names)
        frames.append(frame.assign(model=named))
    columns = {
        name: union_categoricals([frame[name] for frame in frames], sort_categories=True)
        if isinstance(frames[0][name].dtype, pd.CategoricalDtype)
        else np.concatenate([frame[name] for frame in frames])
        for name in new.items.columns
    }
    return replace(new, items=pd.DataFrame(columns))


def _of_panels(
    cells: Cells, names: Sequence[str], now: NDArray[np.int64], then: NDArray[np.int64]
) -> Iterator[pd.DataFrame]:
    for panel in cells.panels:
        whole = panel.complete[now] & panel.complete[then]
        found = paired_differences(panel.scores, panel.weights, panel.keys, now[whole], then[whole])
        yield _rows(panel, panel.language, np.array(names)[whole], found, found.test)


def _of_tasks(
    cells: Cells, names: Sequence[str], now: NDArray[np.int64], then: NDArray[np.int64]
) -> Iterator[pd.DataFrame]:
    """Yield the changes of each task's mean over the languages that a model has whole in both."""
    by_task: dict[Any, list[Panel]] = {}
    for panel in cells.panels:
        by_task.setdefault(panel.task, []).append(panel)
    for panels in by_task.values():
        complete = np.stack([panel.complete[now] & panel.complete[then] for panel in panels])
        for at, own in _alike(complete):
            chosen_panels = [panels[number] for number in at]
            mean = hierarchical_mean(
                [
                    Cell(number, 0, sums(p.scores[:, [*now[own], *then[own]]], p.weights, p.keys))
                    for number, p in enumerate(chosen_panels)
                ]
            )
            yield _rows(panels[0], MACRO, np.array(names)[own], _changes(mean), TEST)


def _of_scopes(
    cells: Cells, names: Sequence[str], now: NDArray[np.int64], then: NDArray[np.int64]
) -> Iterator[pd.DataFrame]:
    for measured in measures(cells):
        language = np.array([panel.language for panel in measured.panels])
        complete = measured.complete[:, now] & measured.complete[:, then]
        for scope, (_, tags) in scopes(measured.languages).items():
            here = np.flatnonzero(np.isin(language, tags))
            for at, own in _alike(complete[here]):
                both = np.concatenate([now[own], then[own]])
                mean = hierarchical_mean(chosen(measured, here[at], both))
                found = _changes(mean)
                yield pd.DataFrame(
                    {
                        "measure": measured.name,
                        "scope": scope,
                        "model": np.array(names)[own],
                        **{column: getattr(found, column) for column in _FOUND[:-1]},
                        "test": TEST,
                    }
                )


def _alike(
    complete: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield groups of models that have the same cells whole in both: those cells, and the models."""
    patterns, which = np.unique(complete, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        if patterns[:, number].any():
            own = np.flatnonzero(which.reshape(-1) == number)
            yield np.flatnonzero(patterns[:, number]), own


def _changes(mean: Mean) -> Any:
    """Return the differences between the first half of a mean's models and the second."""
    half = len(mean.estimate) // 2
    return mean_differences(mean, np.arange(half), np.arange(half, 2 * half))


def _rows(
    panel: Panel, language: str, names: NDArray[np.str_], found: Any, test: Any
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "suite": panel.task.suite,
            "task": panel.task.name,
            "language": language,
            "model": names,
            **{column: getattr(found, column) for column in _FOUND[:-1]},
            "test": test,
        }
    )
