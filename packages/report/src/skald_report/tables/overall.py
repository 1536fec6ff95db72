"""Every model's mean over tasks and languages, by branch and language, and its worst language."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.statistics.intervals import METHODS
from skald_report.statistics.means import Mean, hierarchical_mean, mean_interval, worst
from skald_report.tables.cells import Cells
from skald_report.tables.measures import WORST, Measured, chosen, scopes
from skald_report.tables.models import Cast
from skald_report.tables.scores import NO_INTERVAL
from skald_report.tables.table import Table

_COLUMNS = ["measure", "scope", "model", "scope_kind", "language", "score", "low", "high",
            "low_tasks", "high_tasks", "n_languages", "n_tasks", "n_items", "n_keys",
            "method"]  # fmt: skip
_UNITS = {
    **dict.fromkeys(("score", "low", "high"), "by measure"),
    **dict.fromkeys(("n_languages", "n_tasks", "n_items"), "count"),
    "n_keys": "clusters",
}
METHOD_WORST = "worst of the languages' intervals, Bonferroni"


def overall(cells: Cells, cast: Cast, all_measures: Sequence[Measured]) -> Table:
    """Return the means over tasks, then languages, unweighted at each level.

    Over the cells that all anchors answered in whole, never over missing ones: a model that lacks one
    of a scope has no row there.

    Args:
        cells: The models in the columns of the measures.
        cast: Whose means, and whose cells.
        all_measures: What to average.

    Returns:
        A row for each measure, scope and model that can be said.
    """
    column = {name: number for number, name in enumerate(cells.models)}
    shown = [name for name in (*cast.contestants, *cast.rivals) if name in column]
    anchors = [column[name] for name in cast.anchors if name in column]
    parts = []
    for measured in all_measures:
        common = np.flatnonzero(measured.complete[:, anchors].all(axis=1))
        if len(common):
            parts += _scoped(measured, common, shown, np.array([column[n] for n in shown]))
    frame = pd.concat(parts) if parts else pd.DataFrame()
    frame = frame.reindex(columns=_COLUMNS).reset_index(drop=True)
    return Table("overall", ("measure", "scope", "model"), _UNITS, frame)


def _scoped(
    measured: Measured, common: NDArray[np.int64], shown: list[str], columns: NDArray[np.int64]
) -> list[pd.DataFrame]:
    language = np.array([panel.language for panel in measured.panels])
    tags = [tag for tag in measured.languages if tag in set(language[common])]
    found = []
    of_language: dict[str, Mean] = {}
    complete = np.asarray(measured.complete[np.ix_(common, columns)].all(axis=0))
    for scope, (kind, own) in scopes(tags).items():
        at = common[np.isin(language[common], own)]
        have = np.flatnonzero(measured.complete[np.ix_(at, columns)].all(axis=0))
        if not len(have) or (kind == "mean" and len(tags) < 2):
            continue
        mean = hierarchical_mean(chosen(measured, at, columns[have]))
        if kind == "language":
            # The worst language is asked of models that have all of them.
            keep = complete[have]
            of_language[scope] = mean._replace(
                estimate=mean.estimate[keep], by_key=mean.by_key[:, keep], by_task=None
            )
        told = mean_interval(mean, measured.scale)
        panels = [measured.panels[number] for number in at]
        found.append(
            pd.DataFrame(
                {
                    "measure": measured.name,
                    "scope": scope,
                    "model": [shown[number] for number in have],
                    "scope_kind": kind,
                    "language": scope if kind == "language" else "",
                    "score": mean.estimate,
                    "low": told.low,
                    "high": told.high,
                    "low_tasks": told.low_tasks,
                    "high_tasks": told.high_tasks,
                    "n_languages": len(own),
                    "n_tasks": len({(p.task.suite, p.task.name) for p in panels}),
                    "n_items": sum(len(p.scores) for p in panels),
                    "n_keys": len(mean.by_key),
                    "method": np.where(np.isnan(told.low), NO_INTERVAL, METHODS[measured.scale]),
                }
            )
        )
    if len(tags) > 1 and complete.any():
        found.append(_worst(measured, tags, of_language, np.array(shown)[complete], found))
    return found


def _worst(
    measured: Measured,
    tags: Sequence[str],
    of_language: dict[str, Mean],
    names: NDArray[np.str_],
    means: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    found = worst([of_language[tag] for tag in tags], measured.scale, measured.higher_is_better)
    language = np.array(tags)[found.which]
    counts = pd.concat(means).drop_duplicates("scope").set_index("scope")
    return pd.DataFrame(
        {
            "measure": measured.name,
            "scope": WORST,
            "model": names,
            "scope_kind": WORST,
            "language": language,
            "score": found.estimate,
            "low": found.low,
            "high": found.high,
            "low_tasks": np.nan,
            "high_tasks": np.nan,
            "n_languages": len(tags),
            **{
                name: counts.loc[language, name].to_numpy()
                for name in ("n_tasks", "n_items", "n_keys")
            },
            "method": METHOD_WORST,
        }
    )
