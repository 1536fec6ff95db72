"""Every contestant against every other, by their means over the tasks and languages that both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.statistics.comparison import LEVEL, minimum_detectable, strictest, verdicts
from skald_report.statistics.families import benjamini_hochberg, holm
from skald_report.statistics.means import hierarchical_mean, mean_differences
from skald_report.statistics.noise import seed_deviation, seed_difference
from skald_report.tables.measures import Measured, chosen
from skald_report.tables.pairs import NO_TEST, SEEDS, Pairs
from skald_report.tables.table import Table

_COLUMNS = ["measure", "model", "reference", "difference", "low", "high", "df", "p", "p_holm",
            "p_bh", "mde", "seed_difference", "verdict", "wins", "losses", "ties", "n_cells", "n_items", "test"]  # fmt: skip
_UNITS = {
    **dict.fromkeys(("difference", "low", "high", "seed_difference"), "by measure"),
    **dict.fromkeys(("p", "p_holm", "p_bh"), "p"),
    **dict.fromkeys(("n_cells", "n_items"), "count"),
    "df": "degrees of freedom",
}
TEST = "paired t over keys"


def pairwise(pairs: Pairs, all_measures: Sequence[Measured]) -> Table:
    """Compare all pairs by the mean over the cells that both answered in whole.

    The family of the corrections is all pairs of a measure but two seeds of one baseline, whose verdict is
    `SEEDS`. `seed_difference` is what the means of two seeds differ by in 95 % of cases, over the same
    cells; NaN where no baseline was trained with two. A cell is won where its own difference is
    beyond noise after Holm's correction within the pair. `mde` is the true difference that is found with
    80 % power even at the strictest step of Holm's correction over the family.

    Args:
        pairs: All pairs, cell by cell.
        all_measures: What to average.
    """
    parts = [part for measured in all_measures for part in _of_measure(pairs, measured)]
    frame = pd.concat(parts) if parts else pd.DataFrame()
    frame = frame.reindex(columns=_COLUMNS).reset_index(drop=True)
    return Table("pairwise", ("measure", "model", "reference"), _UNITS, frame)


def _of_measure(pairs: Pairs, measured: Measured) -> Iterator[pd.DataFrame]:
    first, second = pairs.first, pairs.second
    if not len(first):
        return
    n_pairs = len(first)
    columns = {
        name: np.full(n_pairs, np.nan)
        for name in ("difference", "low", "high", "p", "se", "df", "n_differing", "seed_difference")
    }
    n_cells, n_items = np.zeros(n_pairs, np.int64), np.zeros(n_pairs, np.int64)
    sizes = np.array([len(panel.scores) for panel in measured.panels])
    for own, at in _by_common_cells(measured.complete, first, second):
        models, place = np.unique(np.concatenate([first[own], second[own]]), return_inverse=True)
        mean = hierarchical_mean(chosen(measured, at, models))
        told = mean_differences(mean, place[: len(own)], place[len(own) :])
        for name in told._fields:
            columns[name][own] = getattr(told, name)
        columns["seed_difference"][own] = _of_seeds(pairs, measured, at)
        n_cells[own], n_items[own] = len(at), int(sizes[at].sum())
    known = np.flatnonzero(n_cells > 0)
    if not len(known):
        return
    seeds = pairs.seeds[known]
    p = columns["p"][known]
    family = np.where(seeds, np.nan, p)
    corrected = holm(family)
    won, lost = _won(pairs, measured)
    yield pd.DataFrame(
        {
            "measure": measured.name,
            "model": [pairs.names[at][0] for at in known],
            "reference": [pairs.names[at][1] for at in known],
            **{name: columns[name][known] for name in ("difference", "low", "high", "df")},
            "p": p,
            "p_holm": corrected,
            "p_bh": benjamini_hochberg(family),
            "mde": minimum_detectable(
                columns["se"][known],
                columns["df"][known],
                columns["n_differing"][known],
                strictest(np.isfinite(family).sum()),
            ),
            "seed_difference": columns["seed_difference"][known],
            "verdict": np.where(
                seeds,
                SEEDS,
                verdicts(columns["difference"][known], corrected, measured.higher_is_better),
            ),
            "wins": won[known],
            "losses": lost[known],
            "ties": n_cells[known] - won[known] - lost[known],
            "n_cells": n_cells[known],
            "n_items": n_items[known],
            "test": np.where(np.isnan(p), NO_TEST, TEST),
        }
    )


def _of_seeds(pairs: Pairs, measured: Measured, at: NDArray[np.int64]) -> float:
    """Return what the means of two seeds over some cells differ by in 95 % of cases."""
    whole: NDArray[np.bool_] = np.asarray(measured.complete[at].all(axis=0))
    groups = [own[whole[own]] for own in pairs.repeated]
    groups = [own for own in groups if len(own) > 1]
    if not groups:
        return float("nan")
    means = hierarchical_mean(chosen(measured, at, np.concatenate(groups))).estimate
    ends = np.cumsum([len(own) for own in groups])[:-1]
    return seed_difference(seed_deviation(np.split(means, ends)))


def _by_common_cells(
    complete: NDArray[np.bool_], first: NDArray[np.int64], second: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield pairs whose models have the same cells in common, with those cells."""
    patterns, which = np.unique(complete, axis=1, return_inverse=True)
    which = which.reshape(-1)
    one, other = which[first], which[second]
    together = np.minimum(one, other) * patterns.shape[1] + np.maximum(one, other)
    for code in np.unique(together):
        cells = patterns[:, code // patterns.shape[1]] & patterns[:, code % patterns.shape[1]]
        if cells.any():
            yield np.flatnonzero(together == code), np.flatnonzero(cells)


def _won(pairs: Pairs, measured: Measured) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return in how many complete cells of a measure each pair's model is better, and worse."""
    place = {id(panel): number for number, panel in enumerate(pairs.panels)}
    rows = [place[id(panel)] for panel in measured.panels]
    both = measured.complete[:, pairs.first] & measured.complete[:, pairs.second]
    told = both & (pairs.p_holm[rows] < LEVEL)
    ahead = pairs.difference[rows] > 0
    if not measured.higher_is_better:
        ahead = pairs.difference[rows] < 0
    return (told & ahead).sum(axis=0), (told & ~ahead).sum(axis=0)
