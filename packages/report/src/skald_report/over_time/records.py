"""The same items in two evaluations: changes of scores and means, tested item by item.

Both evaluations are laid side by side as one, in which every model occurs twice, then and now: what the
report's own paired statistics say of two models holds for the two states of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals
from skald_specs.errors import UserInputError

from skald_report.reading.inputs import ReportInputs, Sources, load
from skald_report.statistics.comparison import Differences, paired_differences
from skald_report.statistics.means import (
    Cell,
    Mean,
    MeanDifferences,
    hierarchical_mean,
    mean_differences,
)
from skald_report.statistics.sums import sums
from skald_report.tables.cells import CELL, Cells, Panel, gather
from skald_report.tables.file import rows_of
from skald_report.tables.measures import chosen, measures, scopes
from skald_report.tables.pairwise import TEST
from skald_report.tables.table import MACRO

SUMMARY_FILE = "summary.json"
_OLD, _NEW = "then\x1f", "now\x1f"
_PAIR = ("model", "reference")
_FOUND = ("difference", "low", "high", "p", "test")


class _Cast(NamedTuple):
    """The models that both have, and their columns now and then."""

    names: NDArray[np.str_]
    now: NDArray[np.int64]
    then: NDArray[np.int64]

    def whole(self, complete: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether a model answered all items of a cell in both, models last."""
        return np.asarray(complete[..., self.now] & complete[..., self.then])

    def both(self, models: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the columns of some models: all of now, then all of then."""
        return np.concatenate([self.now[models], self.then[models]])


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


def paired_changes(
    old: Sources, new: Sources, report: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Test the change of every score, mean and pair of models whose items are the same in both.

    The change of a pair is that of the first model minus that of the second, on the same clusters.

    Args:
        old: The earlier records.
        new: The later ones.
        report: The later report, for its pairs.

    Returns:
        By table (`JUDGED` of `changes`), its keys with difference (new - old), low, high, p and test.
    """
    cells = gather(_side_by_side(old, new))
    column = {name: number for number, name in enumerate(cells.models)}
    names = [name.removeprefix(_NEW) for name in cells.models if name.startswith(_NEW)]
    names = [name for name in names if _OLD + name in column]
    sides = (np.array([column[side + name] for name in names], int) for side in (_NEW, _OLD))
    cast = _Cast(np.array(names), *sides)
    parts = {
        ("scores", (*CELL, "model")): [*_of_panels(cells, cast), *_of_tasks(cells, cast)],
        ("overall", ("measure", "scope", "model")): list(_of_scopes(cells, cast)),
        ("differences", (*CELL, *_PAIR)): list(_of_panel_pairs(cells, cast, report)),
        ("pairwise", ("measure", *_PAIR)): list(_of_mean_pairs(cells, cast, report)),
    }
    return {
        name: pd.concat([pd.DataFrame(columns=[*keys, *_FOUND]), *found], ignore_index=True)
        for (name, keys), found in parts.items()
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


def _of_panels(cells: Cells, cast: _Cast) -> Iterator[pd.DataFrame]:
    for panel in cells.panels:
        own = np.flatnonzero(cast.whole(panel.complete))
        now, then = cast.now[own], cast.then[own]
        found = paired_differences(panel.scores, panel.weights, panel.keys, now, then)
        yield _rows(_place(panel), cast.names[own], found, found.test)


def _of_tasks(cells: Cells, cast: _Cast) -> Iterator[pd.DataFrame]:
    """Yield the changes of each task's mean over the languages that a model has whole in both."""
    by_task: dict[Any, list[Panel]] = {}
    for panel in cells.panels:
        by_task.setdefault(panel.task, []).append(panel)
    for panels in by_task.values():
        for at, own in _alike(cast.whole(np.stack([panel.complete for panel in panels]))):
            models = cast.both(own)
            mean = hierarchical_mean([_cell(panels[n], n, models) for n in at])
            place = {**_place(panels[0]), "language": MACRO}
            yield _rows(place, cast.names[own], _of_halves(mean), TEST)


def _of_scopes(cells: Cells, cast: _Cast) -> Iterator[pd.DataFrame]:
    for measured in measures(cells):
        language = np.array([panel.language for panel in measured.panels])
        whole = cast.whole(measured.complete)
        for scope, (_, tags) in scopes(measured.languages).items():
            here = np.flatnonzero(np.isin(language, tags))
            for at, own in _alike(whole[here]):
                mean = hierarchical_mean(chosen(measured, here[at], cast.both(own)))
                place = {"measure": measured.name, "scope": scope}
                yield _rows(place, cast.names[own], _of_halves(mean), TEST)


def _of_panel_pairs(cells: Cells, cast: _Cast, report: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Yield how the differences of pairs on one task in one language changed."""
    asked = _pairs_by(rows_of(report, "differences"), CELL, cast)
    for panel in cells.panels:
        place = _place(panel)
        pairs = asked.get(tuple(place.values()), np.empty((0, 2), int))
        pairs = pairs[cast.whole(panel.complete)[pairs].all(axis=1)]
        if len(pairs):
            models, at = np.unique(pairs, return_inverse=True)
            mean = hierarchical_mean([_cell(panel, 0, cast.both(models))])
            yield _pair_rows(place, cast, pairs, mean, at.reshape(pairs.shape))


def _of_mean_pairs(cells: Cells, cast: _Cast, report: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Yield how the differences of pairs in their means changed, over the cells that both have whole."""
    asked = _pairs_by(rows_of(report, "pairwise"), ["measure"], cast)
    for measured in measures(cells):
        pairs = asked.get((measured.name,), np.empty((0, 2), int))
        whole = cast.whole(measured.complete)
        for here, own in _alike(np.asarray(whole[:, pairs].all(axis=2))):
            models, at = np.unique(pairs[own], return_inverse=True)
            mean = hierarchical_mean(chosen(measured, here, cast.both(models)))
            place = {"measure": measured.name}
            yield _pair_rows(place, cast, pairs[own], mean, at.reshape(-1, 2))


def _pairs_by(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], cast: _Cast
) -> dict[tuple[str, ...], NDArray[np.int64]]:
    """Return the pairs of a table's rows as places among the models, by the rows' other keys."""
    place = {str(name): number for number, name in enumerate(cast.names)}
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for row in rows:
        if row["model"] in place and row["reference"] in place:
            pair = place[row["model"]], place[row["reference"]]
            found.setdefault(tuple(row[key] for key in keys), []).append(pair)
    return {at: np.array(pairs) for at, pairs in found.items()}


def _alike(
    complete: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield groups of columns that have the same rows: those rows, and the columns."""
    patterns, which = np.unique(complete, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        if patterns[:, number].any():
            own = np.flatnonzero(which.reshape(-1) == number)
            yield np.flatnonzero(patterns[:, number]), own


def _cell(panel: Panel, language: int, models: NDArray[np.int64]) -> Cell:
    return Cell(language, 0, sums(panel.scores[:, models], panel.weights, panel.keys))


def _of_halves(mean: Mean) -> MeanDifferences:
    """Return the differences between the first half of a mean's models and the second."""
    half = len(mean.estimate) // 2
    return mean_differences(mean, np.arange(half), np.arange(half, 2 * half))


def _pair_rows(
    place: Mapping[str, str],
    cast: _Cast,
    pairs: NDArray[np.int64],
    mean: Mean,
    at: NDArray[np.int64],
) -> pd.DataFrame:
    """Return the changes of first minus second; `at` are the pairs' places in each half of the mean."""
    half = len(mean.estimate) // 2
    moved = mean._replace(
        estimate=mean.estimate[:half] - mean.estimate[half:],
        parts=mean.parts[:, :half] - mean.parts[:, half:],
        by_key=mean.by_key[:, :half] - mean.by_key[:, half:],
        by_task=None,
    )
    found = mean_differences(moved, at[:, 0], at[:, 1])
    rows = _rows(place, cast.names[pairs[:, 0]], found, TEST)
    return rows.assign(reference=cast.names[pairs[:, 1]])


def _place(panel: Panel) -> dict[str, str]:
    return {"suite": panel.task.suite, "task": panel.task.name, "language": panel.language}


def _rows(
    place: Mapping[str, str],
    names: NDArray[np.str_],
    found: Differences | MeanDifferences,
    test: Any,
) -> pd.DataFrame:
    told = {column: getattr(found, column) for column in _FOUND[:-1]}
    return pd.DataFrame({"model": names, **told, "test": test}).assign(**place)
