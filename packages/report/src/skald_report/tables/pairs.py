"""Every pair of models on every task and language: what the tables of differences are made of.

Computed once; kinds that are set against chance are left out, and so are controls that check tasks.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skald_report.statistics.comparison import (
    Differences,
    minimum_detectable,
    paired_differences,
    strictest,
)
from skald_report.statistics.families import holm
from skald_report.statistics.sums import Floats
from skald_report.tables.cells import AGAINST_CHANCE, LOWER_IS_BETTER, Cells, Panel
from skald_report.tables.models import Cast

#: Instead of a test: one cluster cannot tell two models apart, so they are tied.
NO_TEST = "no test: one cluster"

#: Instead of a verdict: the two are one baseline trained with other seeds, and no contestants.
SEEDS = "seeds"
_MIRRORED = {"better": "worse", "worse": "better"}


class Pairs(NamedTuple):
    """Pairs of models on the items that both answered.

    Attributes:
        names: Model and reference of each pair.
        first: Column of the model in the panels, by pair.
        second: That of the reference.
        seeds: Which pairs are one baseline with two seeds: no family of a correction counts them.
        repeated: Columns of the seeds of each such baseline.
        n_anchored: So many pairs, the first ones, have an anchor.
        panels: The panels compared.
        anchored: What came of the pairs with an anchor, by panel.
        difference: Panels x pairs, model minus reference.
        detectable: The smallest true difference that would have been found even at the strictest step of
            Holm's correction within the pair, by panel and pair.
        p: Its p value; NaN where the two share no item.
        p_holm: Corrected within a pair, over its panels.
    """

    names: tuple[tuple[str, str], ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    seeds: NDArray[np.bool_]
    repeated: tuple[NDArray[np.int64], ...]
    n_anchored: int
    panels: tuple[Panel, ...]
    anchored: tuple[Differences, ...]
    difference: Floats
    detectable: Floats
    p: Floats
    p_holm: Floats


def compare_all(cells: Cells, cast: Cast) -> Pairs:
    """Compare every contestant with every other one and with the controls that are models.

    Args:
        cells: All panels; of a model that is in none no pair is compared.
        cast: Who is set against whom.
    """
    anchors = set(cast.anchors)
    column = {model: number for number, model in enumerate(cells.models)}
    known = [pair for pair in pairs_of(cast) if column.keys() >= set(pair)]
    n_anchored = sum(not anchors.isdisjoint(pair) for pair in known)
    first = np.array([column[model] for model, _ in known], np.int64)
    second = np.array([column[reference] for _, reference in known], np.int64)
    panels = tuple(
        panel for panel in cells.panels if known and panel.task.kind not in AGAINST_CHANCE
    )
    difference, p = (np.full((len(panels), len(known)), np.nan) for _ in range(2))
    errors = []
    anchored = []
    for number, panel in enumerate(panels):
        found = paired_differences(panel.scores, panel.weights, panel.keys, first, second)
        difference[number], p[number] = found.difference, found.p
        errors.append((found.se, found.df, found.n_differing))
        anchored.append(Differences._make(column[:n_anchored] for column in found))
    corrected = holm(p) if p.size else p
    level = strictest(np.isfinite(p).sum(axis=0))
    detectable = np.array([minimum_detectable(*each, level) for each in errors]).reshape(p.shape)
    group = {name: own for own in cast.seeds for name in own}
    seeds = np.array([group.get(one) == group.get(other, ()) for one, other in known], bool)
    repeated = tuple(
        np.array([column[name] for name in own if name in column], np.int64) for own in cast.seeds
    )
    return Pairs(
        tuple(known), first, second, seeds, repeated, n_anchored, panels, tuple(anchored), difference,
        detectable, p,
        corrected,
    )  # fmt: skip


def pairs_of(cast: Cast) -> list[tuple[str, str]]:
    """Return model and reference of every pair, those with an anchor first.

    Of two baselines the later one is the model, as the larger is named after the smaller.
    """
    others = [name for name in cast.contestants if name not in cast.anchors]
    pairs = list(itertools.combinations(reversed(cast.anchors), 2))
    pairs += list(itertools.product(cast.anchors, [*others, *cast.rivals]))
    pairs += list(itertools.combinations(others, 2))
    return pairs + list(itertools.product(others, cast.rivals))


def higher_is_better(panel: Panel) -> bool:
    """Return whether a larger score of a task is the better one."""
    return panel.task.kind not in LOWER_IS_BETTER


def mirrored(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a table of pairs as they read when model and reference change places.

    Args:
        rows: With `model`, `reference`, `difference`, `low`, `high` and `verdict`; `wins` and `losses`
            where there are any.
    """
    won = {"wins": "losses", "losses": "wins"} if "wins" in rows else {}
    turned = rows.rename(columns={"model": "reference", "reference": "model", **won})
    return turned[rows.columns].assign(
        difference=-rows["difference"],
        low=-rows["high"],
        high=-rows["low"],
        verdict=rows["verdict"].replace(_MIRRORED),
    )
