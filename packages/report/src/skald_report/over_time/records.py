"""The same items in two evaluations: a change of a score, tested by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from skald_specs.errors import UserInputError

from skald_report.reading.inputs import ReportInputs, Sources, load
from skald_report.statistics.comparison import paired_differences
from skald_report.tables.cells import CELL, page_names
from skald_report.tables.file import rows_of

SUMMARY_FILE = "summary.json"
_KEYS = [*CELL, "model"]


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


def records_of(folder: Path, report: Mapping[str, Any], where: Path) -> pd.DataFrame:
    """Return the item records behind a report, one row an item; wordings of a task as their mean.

    Args:
        folder: Of one evaluation or of several.
        report: The report made of them.
        where: The report's folder, for errors.

    Raises:
        UserInputError: A record is malformed, or the records are of other weights than the report.
    """
    sources = load(ReportInputs(evaluations=evaluations_below(folder)))
    _require_same_weights(sources, report, folder, where)
    named = page_names(sources)
    items = sources.items
    names = [named[key] for key in zip(items["suite"], items["task"], strict=True)]
    return (
        items.assign(task=names)
        .groupby([*_KEYS, "item_id"], sort=False, as_index=False)
        .agg({"kind": "first", "key": "first", "score": "mean", "n_bytes": "first"})
    )


def _require_same_weights(
    sources: Sources, report: Mapping[str, Any], folder: Path, where: Path
) -> None:
    shown = {row["model"]: row["weights_sha256"] for row in rows_of(report, "models")}
    for summary in sources.summaries:
        for model in summary.models:
            if shown.get(model.name, model.weights_sha256) != model.weights_sha256:
                raise UserInputError(
                    str(folder),
                    f"model {model.name!r} has other weights than in {where}",
                    "Name the evaluation that this report was made of",
                )


def paired_changes(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Test the change of every cell whose items are the same in both.

    Args:
        old: Records of the earlier report.
        new: Records of the later one.

    Returns:
        suite, task, language, model with low, high, p and test of new - old; a cell whose items differ
        has no row.
    """
    rows = list(_paired(old, new))
    return pd.DataFrame(rows, columns=[*_KEYS, "low", "high", "p", "test"])


def _paired(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[dict[str, Any]]:
    counts = [frame.groupby(_KEYS).size().to_dict() for frame in (old, new)]
    at = [*_KEYS, "item_id", "key", "kind", "n_bytes"]
    both = old.merge(new, on=at, suffixes=("_old", "_new"), validate="one_to_one")
    for names, rows in both.groupby(_KEYS, sort=False):
        if any(side[names] != len(rows) for side in counts):
            continue
        weights = rows["n_bytes"] if rows["kind"].iloc[0] == "text" else np.ones(len(rows))
        scores = rows[["score_new", "score_old"]]
        found = paired_differences(scores, weights, rows["key"], [0], [1])
        yield {
            **dict(zip(_KEYS, names, strict=True)),
            "low": found.low[0],
            "high": found.high[0],
            "p": found.p[0],
            "test": found.test[0],
        }
