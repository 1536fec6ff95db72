"""How much of the differences between models on a task is luck: of items, of seeds, of checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.statistics.comparison import LEVEL
from skald_report.statistics.noise import (
    checkpoint_deviation,
    seed_deviation,
    signal,
    signal_to_noise,
)
from skald_report.statistics.sums import Floats
from skald_report.tables.cells import CELL
from skald_report.tables.models import Cast
from skald_report.tables.pairs import Pairs
from skald_report.tables.table import MACRO, Table

#: Fewer items than that are called of low power. Standing: assumed; 95 % half-width near 10 points.
FEWEST_ITEMS = 100
#: So many checkpoints at the end of a curve tell its noise, no more than the last half of it.
LAST_CHECKPOINTS = 5
_COLUMNS = [*CELL, "kind", "label", "n_models", "n_items", "spread", "sampling_se", "seed_sd",
            "seed_sd_low", "seed_sd_high", "n_seeds", "checkpoint_sd", "n_checkpoints",
            "signal_to_noise", "noise_source", "mde", "low_power", "at_chance",
            "n_pairs", "n_told"]  # fmt: skip
#: What follows from the compared scores is not compared again.
_UNITS = {
    **dict.fromkeys(("n_models", "n_items", "n_seeds", "n_checkpoints", "n_pairs"), "count"),
    "n_told": "told apart",
}


def noise(cast: Cast, models: pd.DataFrame, scores: Table, pairs: Pairs, curves: Table) -> Table:
    """Return for each task and language how far contestants lie apart, and how far luck moves one.

    Args:
        cast: The contestants.
        models: The models' table, for the groups of seeds.
        scores: Every score with its standard error.
        pairs: All pairs, for the smallest difference that a task can show.
        curves: Scores over training, for the noise of single checkpoints.

    Returns:
        NaN where nothing was repeated; `mde` is the median over pairs of contestants of what the paired
        test would find at the strictest step of Holm's correction within a pair, `n_told` counts those
        that the paired test tells apart, of `n_pairs` that it was made for, after Holm's correction within
        a pair.
    """
    frame = scores.frame
    frame = frame[(frame["language"] != MACRO) & frame["model"].isin(cast.contestants)]
    group_of = {
        str(model): str(group)
        for model, group in zip(models["model"], models["seed_group"], strict=True)
        if group
    }
    wobble = _checkpoint_noise(curves.frame)
    detectable = _detectable(pairs, cast)
    told = _told(pairs, cast)
    rows: list[dict[str, Any]] = []
    for names, own in frame.groupby(CELL, sort=False):
        key = tuple(map(str, names))
        n_pairs, n_told = told.get(key, (0, 0))
        row = _row(key, own, group_of, wobble.get(key), detectable.get(key, np.nan))
        rows.append({**row, "n_pairs": n_pairs, "n_told": n_told})
    return Table("noise", tuple(CELL), _UNITS, pd.DataFrame(rows, columns=_COLUMNS))


def _row(
    key: tuple[str, ...],
    own: pd.DataFrame,
    group_of: Mapping[str, str],
    wobble: tuple[float, int] | None,
    mde: float,
) -> dict[str, Any]:
    scores, errors = own["score"].to_numpy(), own["standard_error"].to_numpy()
    groups: dict[str, list[float]] = {}
    for model, score in zip(own["model"], scores, strict=True):
        if model in group_of:
            groups.setdefault(group_of[model], []).append(float(score))
    seeds = seed_deviation(list(groups.values()))
    known = errors[np.isfinite(errors)]
    sampling = float(np.median(known)) if len(known) else np.nan
    checkpoints, n_checkpoints = wobble or (np.nan, 0)
    sources = {"items": sampling, "seeds": seeds.sd, "checkpoints": checkpoints}
    largest = max(
        (name for name, value in sources.items() if np.isfinite(value)),
        key=lambda name: sources[name],
        default="",
    )
    # Seeds of one baseline are one model, whose score is their mean.
    alone = [s for model, s in zip(own["model"], scores, strict=True) if model not in group_of]
    spread = signal([*alone, *(float(np.mean(values)) for values in groups.values())])
    ratio = signal_to_noise(spread, list(sources.values()))
    chance = float(own["chance"].iloc[0])
    return dict(zip(CELL, key, strict=True)) | {
        "kind": own["kind"].iloc[0],
        "label": own["label"].iloc[0],
        "n_models": len(own),
        "n_items": int(own["n_items"].max()),
        "spread": spread,
        "sampling_se": sampling,
        "seed_sd": seeds.sd,
        "seed_sd_low": seeds.low,
        "seed_sd_high": seeds.high,
        "n_seeds": sum(len(values) for values in groups.values() if len(values) > 1),
        "checkpoint_sd": checkpoints,
        "n_checkpoints": n_checkpoints,
        "signal_to_noise": ratio if np.isfinite(ratio) else np.nan,
        "noise_source": largest,
        "mde": mde,
        "low_power": bool(own["n_items"].max() < FEWEST_ITEMS),
        # No contestant is told from guessing.
        "at_chance": bool(np.isfinite(chance) and not (own["low"] > chance).any()),
    }


def _detectable(pairs: Pairs, cast: Cast) -> dict[tuple[str, ...], float]:
    """Return the median over pairs of contestants of the smallest difference that a cell can show."""
    among = _among(pairs, cast)
    found: dict[tuple[str, ...], float] = {}
    for panel, sizes in zip(pairs.panels, pairs.detectable, strict=True):
        known: Floats = sizes[among][np.isfinite(sizes[among])]
        if len(known):
            key = (panel.task.suite, panel.task.name, panel.language)
            found[key] = float(np.median(known))
    return found


def _told(pairs: Pairs, cast: Cast) -> dict[tuple[str, ...], tuple[int, int]]:
    """Return by cell how many pairs of contestants were tested, and how many of them are told apart."""
    among = _among(pairs, cast)
    return {
        (panel.task.suite, panel.task.name, panel.language): (
            int(np.isfinite(corrected[among]).sum()),
            int((corrected[among] < LEVEL).sum()),
        )
        for panel, corrected in zip(pairs.panels, pairs.p_holm, strict=True)
    }


def _among(pairs: Pairs, cast: Cast) -> NDArray[np.bool_]:
    """Return which pairs are of two contestants that are not one baseline with two seeds."""
    contestants = set(cast.contestants)
    among = np.array([set(names) <= contestants for names in pairs.names], bool)
    return np.asarray(among & ~pairs.seeds)


def _checkpoint_noise(curves: pd.DataFrame) -> dict[tuple[str, ...], tuple[float, int]]:
    """Return the pooled deviation over the last checkpoints of all runs, and how many those were."""
    found: dict[tuple[str, ...], list[NDArray[np.float64]]] = {}
    for names, own in curves.groupby([*CELL, "model"], sort=False) if len(curves) else ():
        last = own.sort_values("step")["score"].to_numpy()
        last = last[-min(LAST_CHECKPOINTS, len(last) // 2) :] if len(last) > 1 else last
        if len(last) > 1:
            found.setdefault(tuple(map(str, names[:-1])), []).append(last)
    return {key: _pooled(runs) for key, runs in found.items()}


def _pooled(runs: list[NDArray[np.float64]]) -> tuple[float, int]:
    variances = [float(checkpoint_deviation(run)) ** 2 for run in runs]
    freedom = [len(run) - 1 for run in runs]
    return float(np.sqrt(np.average(variances, weights=freedom))), sum(map(len, runs))
