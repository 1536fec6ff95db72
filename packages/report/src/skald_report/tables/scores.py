"""Every model's score on every task, by language and as the mean over languages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.statistics.families import holm
from skald_report.statistics.intervals import METHODS, Scale, scale_of, scores_with_intervals
from skald_report.statistics.means import Cell, hierarchical_mean, mean_against, mean_interval
from skald_report.statistics.sums import Floats, Sums, chance_corrected, sums
from skald_report.tables.cells import AGAINST_CHANCE, CELL, Cells, Panel
from skald_report.tables.table import MACRO, Table

_COLUMNS = [*CELL, "model", "kind", "label", "score", "low", "high", "standard_error", "n_items",
            "n_keys", "chance", "p_chance", "p_chance_holm", "corrected", "corrected_low", "corrected_high", "method",
            "languages", "n_wordings", "lowest_wording", "highest_wording"]  # fmt: skip
_UNITS = {"score": "by kind", "low": "by kind", "high": "by kind", "n_items": "count",
          "n_keys": "count", "chance": "by kind", "p_chance": "p", "p_chance_holm": "p"}  # fmt: skip
#: Instead of a method: nothing says how far a single cluster might lie from another one.
NO_INTERVAL = "no interval: one cluster"


def scores(cells: Cells, models: pd.DataFrame) -> Table:
    """Return every model's score with its interval, per language and as the mean over languages.

    The mean is taken over the languages that all models have in whole, never over missing cells. A
    control that lacks one of them has no mean and takes none from the models.

    `p_chance` is against the level of chance. `p_chance_holm` is corrected over the family of judgements
    on controlled tasks: each baseline on each such task, by its mean over languages or by the only
    language there is. Elsewhere it is NaN, for a language of few items is not judged.

    Args:
        cells: The items.
        models: The models' table: their order and roles.
    """
    place = {name: number for number, name in enumerate(models["model"])}
    rank = np.array([place[name] for name in cells.models], np.int64)
    is_control = (models["role"] == "control").to_numpy()[rank]
    parts = []
    by_task: dict[Any, list[Panel]] = {}
    for panel in cells.panels:
        by_task.setdefault(panel.task, []).append(panel)
    for panels in by_task.values():
        own = [_of_panel(cells, panel) for panel in panels]
        mean = _mean_over_languages(cells, panels, is_control)
        parts += [part.assign(place=number) for number, part in enumerate([*own, *mean])]
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=[*_COLUMNS, "place"])
    order = np.lexsort(
        [
            frame["place"].to_numpy(np.int64),
            frame["model"].map(place).to_numpy(np.int64),
            frame["language"].to_numpy() == MACRO,
            pd.factorize(frame["suite"] + "\x1f" + frame["task"])[0],
        ]
    )
    frame = frame.iloc[order].reindex(columns=_COLUMNS).reset_index(drop=True)
    baselines = models.loc[models["role"] == "baseline", "model"]
    frame["p_chance_holm"] = holm(frame["p_chance"].where(_judged(frame, list(baselines))))
    return Table("scores", (*CELL, "model"), _UNITS, frame)


def _judged(frame: pd.DataFrame, baselines: list[str]) -> pd.Series[bool]:
    """Return which rows set a baseline against chance."""
    controlled = frame["kind"].isin(AGAINST_CHANCE) & frame["model"].isin(baselines)
    only = frame.groupby(["suite", "task"])["language"].transform("nunique") == 1
    return controlled & ((frame["language"] == MACRO) | only)


def _of_panel(cells: Cells, panel: Panel) -> pd.DataFrame:
    summed = sums(panel.scores, panel.weights, panel.keys)
    known = np.isfinite(panel.scores)
    share = ((panel.scores == 0) | (panel.scores == 1) | ~known).all(axis=0)
    found = scores_with_intervals(
        summed, share, scale_of(summed, panel.task.kind == "text"), panel.chance
    )
    have = np.flatnonzero(known.any(axis=0))
    values = {"score": found.estimate, "low": found.low, "high": found.high,
              "standard_error": found.se, "p_chance": found.p}  # fmt: skip
    method = np.where(np.isnan(found.low), NO_INTERVAL, found.method)
    return _frame(
        cells,
        panel,
        have,
        panel.language,
        panel.language,
        values,
        {"n_items": panel.n_items, "n_keys": found.n_keys, "method": method},
        panel.chance,
        panel.wordings,
    )


def _mean_over_languages(
    cells: Cells, panels: list[Panel], is_control: NDArray[np.bool_]
) -> list[pd.DataFrame]:
    """Return the rows of one task's mean; none where fewer than two languages are shared."""
    answered = np.stack([np.isfinite(panel.scores).any(axis=0) for panel in panels])
    complete = np.stack([panel.complete for panel in panels])
    taking = answered.any(axis=0)
    decisive = taking & ~is_control if (taking & ~is_control).any() else taking
    common = np.flatnonzero(complete[:, decisive].all(axis=1))
    if len(common) < 2:
        return []
    have = np.flatnonzero(complete[common].all(axis=0))
    own = [panels[number] for number in common]
    summed = [sums(panel.scores[:, have], panel.weights, panel.keys) for panel in own]
    mean = hierarchical_mean([Cell(number, 0, each) for number, each in enumerate(summed)])
    scales: set[Scale] = {scale_of(each, own[0].task.kind == "text") for each in summed}
    scale = scales.pop() if len(scales) == 1 else "other"
    told = mean_interval(mean, scale)
    level = float(np.mean([panel.chance for panel in own]))
    values = {"score": mean.estimate, "low": told.low, "high": told.high,
              "standard_error": told.se, "p_chance": mean_against(mean, scale, level)}  # fmt: skip
    wordings = {len(panel.wordings) for panel in own}
    # The mean over languages of each wording in turn.
    worded = (
        np.mean([panel.wordings for panel in own], axis=0)
        if len(wordings) == 1
        else np.full((1, len(cells.models)), np.nan)
    )
    spread = {name: _spread_out(value, have, len(cells.models)) for name, value in values.items()}
    counts = {
        "n_items": np.sum([panel.n_items for panel in own], axis=0),
        "n_keys": np.full(len(cells.models), len(mean.by_key)),
        "method": np.where(np.isnan(spread["low"]), NO_INTERVAL, METHODS[scale]),
    }
    levels = {panel.chance for panel in own}
    languages = " ".join(panel.language for panel in own)
    return [
        _frame(
            cells, own[0], have, MACRO, languages, spread, counts,
            levels.pop() if len(levels) == 1 else math.nan, worded,
            corrected=_corrected_mean(own, summed, scale, have, len(cells.models)),
        )
    ]  # fmt: skip


def _spread_out(values: Floats, have: NDArray[np.int64], count: int) -> Floats:
    whole = np.full(count, np.nan)
    whole[have] = values
    return whole


def _corrected_mean(
    panels: list[Panel], summed: list[Sums], scale: Scale, have: NDArray[np.int64], count: int
) -> tuple[Floats, Floats, Floats]:
    """Return the mean over languages corrected for each language's own chance, with its bounds."""
    unknown = np.full(count, np.nan)
    levels = [panel.chance for panel in panels]
    if not all(level < 1 for level in levels):
        return unknown, unknown, unknown
    mean = hierarchical_mean(
        [
            Cell(number, 0, chance_corrected(own, level), -level / (1 - level))
            for number, (own, level) in enumerate(zip(summed, levels, strict=True))
        ]
    )
    told = mean_interval(mean, scale)
    found = (mean.estimate, told.low, told.high)
    one, low, high = (_spread_out(value, have, count) for value in found)
    return one, low, high


def _frame(
    cells: Cells,
    panel: Panel,
    have: NDArray[np.int64],
    language: str,
    languages: str,
    values: dict[str, Floats],
    counts: dict[str, NDArray[Any]],
    chance: float,
    wordings: Floats,
    corrected: tuple[Floats, Floats, Floats] | None = None,
) -> pd.DataFrame:
    if corrected is None:
        at = chance if chance < 1 else math.nan
        above = [(values[name] - at) / (1 - at) for name in ("score", "low", "high")]
        corrected = (above[0], above[1], above[2])
    several = len(wordings) > 1
    return pd.DataFrame(
        {
            "suite": panel.task.suite,
            "task": panel.task.name,
            "language": language,
            "model": [cells.models[number] for number in have],
            "kind": panel.task.kind,
            "label": panel.task.label,
            **{name: value[have] for name, value in {**values, **counts}.items()},
            "chance": chance,
            "corrected": corrected[0][have],
            "corrected_low": corrected[1][have],
            "corrected_high": corrected[2][have],
            "languages": languages,
            "n_wordings": np.isfinite(wordings).sum(axis=0)[have] if several else 1,
            "lowest_wording": np.fmin.reduce(wordings)[have] if several else math.nan,
            "highest_wording": np.fmax.reduce(wordings)[have] if several else math.nan,
        }
    )
