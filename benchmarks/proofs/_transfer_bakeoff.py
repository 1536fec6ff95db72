"""The part of the transfer proof that predicts long horizons from short ones, against its peers.

Fits on the shorter horizons of a dense sweep, few runs a cell drawn at random, many times over; predicts the best
learning rate and batch of every longer cell; and reads off what the choice costs there. Every fitter gets the
same draws. The fit never sees the longer cells, but its design did: effective runs, softness and the rule for
scattered designs were chosen while regrets there could be seen (`docs/time-transfer.md`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _transfer_dense import VARIABLE, Dense, own_table, published_table
from _transfer_peers import CELL, Chooser, argmin, cell_quadratics, steplaw
from numpy.typing import NDArray
from scipy.stats import t as student
from skald_planner.deciding.predict import decide
from skald_planner.deciding.reach import Asked
from skald_planner.fitting.cells import ENOUGH, near_best, points_of
from skald_planner.fitting.joint import solve
from skald_planner.fitting.surface import surface_of
from skald_planner.fitting.transfer import fit_time
from skald_specs.claims import Measure
from skald_specs.ridge import named, ridge

Floats = NDArray[np.float64]
#: The longest horizon that is fitted, in tokens: 9 of the 17 cells.
LONGEST_FITTED = 23e9
RUNS_PER_CELL = (8, 12, 20, 40)
N_DRAWS = 40
#: Where the bounds are sharpest.
AT = 12
AIM_PERCENT = 0.20
TIGHTER = 3.0
#: Runs whose losses are averaged for the loss at a point between them.
NEIGHBOURS = 6
#: Draws of the bootstrap in each fit; estimates do not depend on them, weights of families hardly.
BOOTSTRAP_DRAWS = 40
#: The estimate alone, and the decision of a plan: published exponents weigh in, and too high a rate is shunned.
SKALD, PLAN = "Skald", "Skald's plan"
#: The longest horizon of the inner fits, in tokens, and settings of the window tried: the training cells beyond
#: it say which is good.
LONGEST_INNER = 15e9
ENOUGH_TRIED = (10.0, 20.0, ENOUGH, 80.0)
N_INNER_DRAWS = 30
PEERS: Mapping[str, Callable[[pd.DataFrame], Chooser]] = {
    "argmin": argmin, "StepLaw's rule": steplaw, "a quadratic for each cell": cell_quadratics,
}  # fmt: skip
#: What the rows of StepLaw's own table are called by.
PUBLISHED = "StepLaw's runs: "


class Trial(NamedTuple):
    """One draw: mean regret over the held-out cells in percent, and the rate's exponent of horizon."""

    regret: float
    exponent: float


def measures(folder: Path) -> list[Measure]:
    """Run the bake-off; its trials are written to the folder as they are done."""
    own, published = own_table(), published_table()
    trials = _trials_of(own, folder / "bakeoff.csv")
    found = [_compared(trials[n], peer, n, own) for n in RUNS_PER_CELL for peer in PEERS]
    found.append(_nested(own.table, own.source))
    found.append(_aim(trials[AT], own))
    found += [_tighter(trials[AT], peer, own) for peer in PEERS]
    if published is None:
        return [*found, _not_at_hand()]
    return [
        *found,
        *published_rows(_trials_of(published, folder / "bakeoff-steplaw.csv"), published),
    ]


def published_rows(trials: dict[int, dict[str, list[Trial]]], dense: Dense) -> list[Measure]:
    """Judge what the bake-off gave on StepLaw's published runs.

    Args:
        trials: By runs a cell, then by fitter.
        dense: The table.
    """
    return [
        _aim(trials[AT], dense),
        *(_compared(trials[n], peer, n, dense) for n in trials for peer in PEERS),
        *(_tighter(trials[AT], peer, dense) for peer in PEERS),
    ]


def _not_at_hand() -> Measure:
    return Measure(
        measure=f"{PUBLISHED}mean held-out regret of Skald, {AT} runs a cell",
        value=None,
        unit="% of loss",
        bound=f"<= {AIM_PERCENT:g}",
        holds=None,
        detail=f"{VARIABLE} names no copy of dense_lr_bs_loss.csv, which carries no licence and is not in the project",
    )


def _trials_of(dense: Dense, path: Path) -> dict[int, dict[str, list[Trial]]]:
    trials: dict[int, dict[str, list[Trial]]] = {}
    for n in RUNS_PER_CELL:
        trials[n] = bakeoff(dense.table, n, N_DRAWS)
        _written(trials, path)
        told = ", ".join(f"{name} {_told(_regrets(found))}" for name, found in trials[n].items())
        print(f"bake-off, {dense.source}, {n} runs a cell: {told}", flush=True)
    return trials


def bakeoff(table: pd.DataFrame, runs_per_cell: int, n_draws: int) -> dict[str, list[Trial]]:
    """Fit everybody to the same draws of the shorter cells; read what each pays in the longer ones.

    Args:
        table: The dense table.
        runs_per_cell: Drawn without replacement from each shorter cell.
        n_draws: How many tables are drawn.

    Returns:
        A trial for each draw, by fitter.
    """
    rng = np.random.default_rng(runs_per_cell)
    fitted = table[table["horizon_tokens"] <= LONGEST_FITTED]
    draws = [_drawn(fitted, runs_per_cell, rng) for _ in range(n_draws)]
    # Fresh processes: forking one that has threads may hang.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        results = list(pool.map(partial(_trials, table), draws))
    return {name: [result[name] for result in results] for name in results[0]}


def _trials(table: pd.DataFrame, drawn: pd.DataFrame) -> dict[str, Trial]:
    held_out = table[table["horizon_tokens"] > LONGEST_FITTED]
    regrets = [_Regret(runs) for _, runs in held_out.groupby(CELL)]
    choosers = skald(drawn) | {name: fit(drawn) for name, fit in PEERS.items()}
    return {
        name: Trial(
            regret=float(np.mean([cost(*choose(cost.size, cost.horizon)) for cost in regrets])),
            exponent=_exponent(choose, drawn),
        )
        for name, choose in choosers.items()
    }


def skald(table: pd.DataFrame) -> dict[str, Chooser]:
    """Fit the planner's surface; return its estimate's choices, and its plan's."""
    fit = fit_time(table, "bake-off", "nats/token", n_draws=BOOTSTRAP_DRAWS)
    centre = fit.centre

    def estimated(size: float, horizon: float) -> tuple[float, float]:
        n, t = math.log2(size) - centre.log2_size, math.log2(horizon) - centre.log2_horizon
        y = sum(family.weight * _best_batch(named(family), n, t) for family in fit.families)
        x = sum(
            family.weight * float(ridge(family.kind, named(family), y, t, n))
            for family in fit.families
        )
        return centre.log2_lr + x, centre.log2_batch + y

    def planned(size: float, horizon: float) -> tuple[float, float]:
        asked = Asked("bake-off", round(horizon), 1, round(size), choose_batch=True)
        decision = decide(fit, asked)
        batch = decision.global_batch_tokens
        if batch is None:
            raise RuntimeError("a decision that was asked for a batch has none")
        return math.log2(decision.base_lr.value), math.log2(batch.value)

    return {SKALD: estimated, PLAN: planned}


def _power(table: pd.DataFrame, enough: float) -> Chooser:
    """Fit the power law's surface alone, with a window of some size."""
    points = points_of(table, near_best(table, enough))
    surface = surface_of("power", points, size_terms=True)
    if surface is None:
        raise RuntimeError("a power law is always told")
    at = dict(zip(surface.names, solve(surface, points).values.tolist(), strict=True))
    centre = points.centre

    def choose(size: float, horizon: float) -> tuple[float, float]:
        n, t = math.log2(size) - centre.log2_size, math.log2(horizon) - centre.log2_horizon
        y = _best_batch(at, n, t)
        return centre.log2_lr + float(ridge("power", at, y, t, n)), centre.log2_batch + y

    return choose


def _nested(table: pd.DataFrame, source: str) -> Measure:
    """Choose the window's size among training cells, and hold the built-in one against the choice."""
    fitted = table[table["horizon_tokens"] <= LONGEST_FITTED]
    inside = fitted[fitted["horizon_tokens"] <= LONGEST_INNER]
    costs = [
        _Regret(runs) for _, runs in fitted[fitted["horizon_tokens"] > LONGEST_INNER].groupby(CELL)
    ]
    rng = np.random.default_rng(AT)
    draws = [_drawn(inside, AT, rng) for _ in range(N_INNER_DRAWS)]
    regrets = {}
    for enough in ENOUGH_TRIED:
        choosers = [_power(drawn, enough) for drawn in draws]
        regrets[enough] = np.array(
            [
                np.mean([cost(*choose(cost.size, cost.horizon)) for cost in costs])
                for choose in choosers
            ]
        )
    best = min(ENOUGH_TRIED, key=lambda enough: float(regrets[enough].mean()))
    worse, half = _mean_and_half_width(regrets[ENOUGH] - regrets[best])
    told = ", ".join(f"{enough:g}: {_told(found)}" for enough, found in regrets.items())
    return Measure(
        measure="window's size against the training cells' own choice",
        value=round(worse, 4),
        unit="% of loss",
        bound="within its 95 % interval",
        holds=worse <= half,
        detail=f"+- {half:.3f}; regret at the longest three training cells by effective runs: {told}. Effective "
        "runs alone are varied: softness and the rule for scattered designs, like this size at first, were chosen "
        f"while regrets on the longer cells could be seen; {source}",
    )


def _best_batch(at: Mapping[str, float], n: float, t: float) -> float:
    """Return the lowest point of the parabola over the batch, from the centre."""
    slope = at["profile_batch"] + at.get("profile_horizon", 0.0) * t
    return -(slope + at.get("profile_size", 0.0) * n) / (2 * at["profile"])


def _drawn(table: pd.DataFrame, runs_per_cell: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw runs of each cell, two finite ones at least."""
    rows = []
    for _, runs in table.groupby(CELL):
        while True:
            chosen = runs.iloc[rng.choice(len(runs), min(runs_per_cell, len(runs)), replace=False)]
            if (~chosen["diverged"]).sum() > 1:
                break
        rows.append(chosen)
    return pd.concat(rows, ignore_index=True)


class _Regret:
    """What a choice costs in one held-out cell: percent of loss above its best run."""

    def __init__(self, runs: pd.DataFrame) -> None:
        self.size, self.horizon = (float(runs[name].iloc[0]) for name in CELL)
        finite = runs[~runs["diverged"]]
        self.at = np.log2(finite[["lr", "global_batch_tokens"]].to_numpy(dtype=np.float64))
        log_loss = np.log(finite["loss"].to_numpy(dtype=np.float64))
        self.excess = log_loss - log_loss.min()

    def __call__(self, log2_lr: float, log2_batch: float) -> float:
        distance = ((self.at - (log2_lr, log2_batch)) ** 2).sum(axis=1)
        nearest = np.argsort(distance, kind="stable")[:NEIGHBOURS]
        # On a run itself the run alone counts.
        weights = 1 / (distance[nearest] + 1e-6)
        return 100 * math.expm1(float(weights @ self.excess[nearest] / weights.sum()))


def _exponent(choose: Chooser, fitted: pd.DataFrame) -> float:
    size = float(np.exp2(np.log2(fitted["n_params_non_embedding"]).mean()))
    low, high = (
        float(end) for end in (fitted["horizon_tokens"].min(), fitted["horizon_tokens"].max())
    )
    return (choose(size, high)[0] - choose(size, low)[0]) / math.log2(high / low)


def _compared(
    trials: dict[str, list[Trial]], peer: str, runs_per_cell: int, dense: Dense
) -> Measure:
    mine, plan, theirs = (_regrets(trials[name]) for name in (SKALD, PLAN, peer))
    mean, half = _mean_and_half_width(mine - theirs)
    planned, planned_half = _mean_and_half_width(plan - theirs)
    return Measure(
        measure=f"{_where(dense)}held-out regret of Skald less that of {peer}, {runs_per_cell} runs a cell",
        value=round(mean, 4),
        unit="% of loss",
        bound="< 0, interval too",
        holds=mean + half < 0,
        detail=f"{_told(mine)} against {_told(theirs)}; paired difference {mean:+.3f} +- {half:.3f} (95 %), of the "
        f"plan {planned:+.3f} +- {planned_half:.3f}; {_source(dense)}",
    )


def _aim(trials: dict[str, list[Trial]], dense: Dense) -> Measure:
    regrets = _regrets(trials[SKALD])
    mean, half = _mean_and_half_width(regrets)
    others = ", ".join(f"{name} {_told(_regrets(trials[name]))}" for name in (PLAN, *PEERS))
    return Measure(
        measure=f"{_where(dense)}mean held-out regret of Skald, {AT} runs a cell",
        value=round(mean, 4),
        unit="% of loss",
        bound=f"<= {AIM_PERCENT:g}",
        holds=mean <= AIM_PERCENT,
        detail=f"+- {half:.3f} (95 %), sd over draws {regrets.std(ddof=1):.3f}; {others}; {_source(dense)}",
    )


def _tighter(trials: dict[str, list[Trial]], peer: str, dense: Dense) -> Measure:
    mine, theirs = (np.array([trial.exponent for trial in trials[name]]) for name in (SKALD, peer))
    ratio = float(theirs.std(ddof=1) / mine.std(ddof=1))
    return Measure(
        measure=f"{_where(dense)}spread of the rate's exponent of horizon, {peer} over Skald, {AT} runs a cell",
        value=round(ratio, 2),
        unit="x",
        bound=f">= {TIGHTER:g}",
        holds=ratio >= TIGHTER,
        detail=f"{mine.mean():+.3f}, sd {mine.std(ddof=1):.3f} against {theirs.mean():+.3f}, "
        f"sd {theirs.std(ddof=1):.3f}; {_source(dense)}",
    )


def _where(dense: Dense) -> str:
    return PUBLISHED if dense.published else ""


def _source(dense: Dense) -> str:
    return f"{dense.source}, {N_DRAWS} draws"


def _regrets(trials: list[Trial]) -> Floats:
    return np.array([trial.regret for trial in trials])


def _mean_and_half_width(values: Floats) -> tuple[float, float]:
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), error * float(student.ppf(0.975, len(values) - 1))


def _told(regrets: Floats) -> str:
    return f"{regrets.mean():.3f} (sd {regrets.std(ddof=1):.3f})"


def _written(trials: dict[int, dict[str, list[Trial]]], path: Path) -> None:
    rows = [
        (n, name, draw, *trial)
        for n, by_fitter in trials.items()
        for name, listed in by_fitter.items()
        for draw, trial in enumerate(listed)
    ]
    table = pd.DataFrame(
        rows, columns=["runs_per_cell", "fitter", "draw", "regret_percent", "exponent"]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.5g")
