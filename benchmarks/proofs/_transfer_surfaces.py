"""Run tables drawn from loss surfaces whose best learning rate and batch are known.

Knows truths, designs and what disturbs a sweep: noise, seeds, cells that stray from the law, grids that
miss the optimum, divergence, skew. Refuses to know how a table is fitted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_specs.timefit import FamilyKind

Floats = NDArray[np.float64]
DesignName = Literal["small", "medium", "scattered"]
KINDS: tuple[FamilyKind, ...] = get_args(FamilyKind)
DESIGNS: tuple[DesignName, ...] = get_args(DesignName)
#: Standard deviation of a run's log loss: 0.1, 0.3 and 1 % of the loss.
NOISES = (0.001, 0.003, 0.01)
SCHEDULE = "wsd"
#: Octaves of rate for each squared octave of horizon, as in `_transfer_dense.surface`.
BEND = 0.03
#: Degrees of freedom of heavy-tailed noise: the fewest with a variance.
TAILS = 3.0


@dataclass(frozen=True)
class Truth:
    """A loss surface around a ridge of best learning rates; x, y, n, t as in `docs/notation.md`.

    `t0`, `y0`, `n0`: log2 of the horizon, batch and size at which the rest is given. `log2_lr`: the rate
    there (power), at the knee (surge), or of batches far beyond it (saturating). `knee`: log2 of the
    critical batch at `t0`, growing by `kappa` an octave of horizon. `falls`: octaves of rate lost for each
    octave of horizon, at one batch (power), at the knee (surge) or far beyond it. `rise`: growth of log loss one octave off
    the ridge at `t0`, falling by 2^`rise_slope` an octave of horizon; `batch_rise`: one octave off the best batch.
    `bend`: octaves that the ridge gains for each squared octave of horizon, which no fitted form knows.
    `skew`: too high costs 2^(skew u) times a parabola at u octaves. `wall`: octaves above the ridge from which runs diverge.
    """

    kind: FamilyKind
    t0: float
    y0: float
    n0: float
    log2_lr: float
    falls: float = 0.0
    bend: float = 0.0
    batch_slope: float = 0.5
    knee: float = 0.0
    kappa: float = 1.0
    size_slope: float = 0.0
    best_batch: float = 0.0
    best_batch_slope: float = 0.5
    rise: float = 0.03
    rise_slope: float = 0.0
    batch_rise: float = 0.01
    skew: float = 0.0
    wall: float = np.inf

    def ridge(self, t: Floats | float, y: Floats | float, n: Floats | float) -> Floats:
        """Return log2 of the best learning rate at given log2 horizon, batch and size."""
        later = np.asarray(t, dtype=np.float64) - self.t0
        size = self.size_slope * (np.asarray(n, dtype=np.float64) - self.n0)
        beyond = np.asarray(y, dtype=np.float64) - self.knee - self.kappa * later
        if self.kind == "power":
            shape = self.batch_slope * (np.asarray(y, dtype=np.float64) - self.y0)
        elif self.kind == "surge":
            shape = 1 - np.logaddexp2(beyond / 2, -beyond / 2)
        else:
            shape = -0.5 * np.logaddexp2(0.0, -beyond)
        return np.asarray(self.log2_lr - self.falls * later + self.bend * later**2 + shape + size)

    def best_log2_batch(self, t: Floats | float) -> Floats:
        """Return log2 of the best batch, in tokens, at a log2 horizon."""
        return self.best_batch + self.best_batch_slope * (np.asarray(t) - self.t0)

    def best_log2_lr(self, horizon_tokens: float, batch_tokens: float, size: float) -> float:
        """Return log2 of the best learning rate at a horizon, batch (tokens) and size."""
        return float(self.ridge(np.log2(horizon_tokens), np.log2(batch_tokens), np.log2(size)))

    def excess(
        self,
        x: Floats,
        y: Floats,
        n: Floats,
        t: Floats,
        strayed: Floats | tuple[float, float] = (0, 0),
    ) -> Floats:
        """Return by how much log loss lies above the lowest at that size and horizon.

        Args:
            x: log2 of the learning rate.
            y: log2 of the batch.
            n: log2 of the size.
            t: log2 of the horizon.
            strayed: Octaves by which a run's cell has its best rate and its best batch above the law.
        """
        by_lr, by_batch = np.moveaxis(np.asarray(strayed, dtype=np.float64), -1, 0)
        off = x - self.ridge(t, y, n) - by_lr
        rise = self.rise * 2.0 ** (-self.rise_slope * (t - self.t0))
        along = self.batch_rise * (y - self.best_log2_batch(t) - by_batch) ** 2
        return np.asarray(rise * off**2 * 2.0 ** (self.skew * off) + along)


@dataclass(frozen=True)
class Disturbance:
    """What separates a sweep from its law; standard deviations.

    `noise`: of a run's log loss. `shared`: share of that variance that a run carries through all its horizons,
    where one run yields them all. `seed_level`, `cell_lr`, `cell_batch`: of a seed's log loss, and of a cell's best
    rate and batch about the law, in octaves. `misses`: octaves between the grid's middle and the ridge.
    `tails`: degrees of freedom of Student's t, of which a run's noise is drawn at the same variance; None: normal.
    """

    noise: float = 0.003
    shared: float = 0.5
    seed_level: float = 0.005
    cell_lr: float = 0.07
    cell_batch: float = 0.15
    misses: float = 0.0
    tails: float | None = None

    def unit_noise(self, size: int, rng: np.random.Generator) -> Floats:
        """Draw noise of variance 1."""
        if self.tails is None:
            return rng.normal(0, 1, size)
        return np.asarray(rng.standard_t(self.tails, size) * np.sqrt(1 - 2 / self.tails))


@dataclass(frozen=True)
class Design:
    """Which runs there are: a grid (lr offsets in octaves from its middle), or runs scattered in each cell."""

    sizes: tuple[float, ...]
    horizons: tuple[float, ...]
    batches: tuple[float, ...]
    log2_lrs: tuple[float, ...]
    n_seeds: int = 1
    runs_per_cell: int | None = None
    rise: float = 0.03
    family: str = "{}"


_MUP = json.dumps({"parametrisation": {"rules": "mup"}})
#: log2 of sizes, horizons in tokens and batches in tokens; rates in octaves from the middle.
DESIGN: dict[DesignName, Design] = {
    # What the default cycle sweeps.
    "small": Design(
        (16.5,), (17, 18, 19), (9, 10, 11), (-1, -0.5, 0, 0.5, 1), family=_MUP,
    ),
    "medium": Design(
        (19, 22), (20, 21, 22, 23), (12, 13, 14, 15), (-2, -1.25, -0.5, 0.25, 1, 1.75), n_seeds=2,
        family=_MUP,
    ),
    # As arXiv 2503.04715: curvatures of its table are 0.002 to 0.005.
    "scattered": Design(
        (27.7, 28.7, 29.7), (32, 33.5, 35), (16, 21), (-2.5, 2.5), runs_per_cell=12, rise=0.004,
    ),
}  # fmt: skip


def drawn_truth(kind: FamilyKind, name: DesignName, rng: np.random.Generator) -> Truth:
    """Draw a truth whose ridge, knee and best batch lie about the middle of a design."""
    design = DESIGN[name]
    t0, y0, n0 = (
        float(np.mean((min(given), max(given))))
        for given in (design.horizons, design.batches, design.sizes)
    )
    # Where the knee moves, eta_crit may stand still.
    own_decline = kind == "power" or rng.random() < 0.5
    return Truth(
        kind=kind,
        t0=t0,
        y0=y0,
        n0=n0,
        log2_lr=rng.uniform(-9, -7),
        falls=rng.uniform(-0.2, 0.7) if own_decline else 0.0,
        batch_slope=rng.uniform(0.2, 0.8),
        knee=y0 + rng.uniform(-1.5, 1.5),
        kappa=rng.uniform(0.5, 1.0),
        size_slope=rng.uniform(-0.7, -0.3) if name == "scattered" else 0.0,
        best_batch=y0 + rng.uniform(-0.5, 0.5),
        best_batch_slope=rng.uniform(0.2, 0.7),
        rise=design.rise * 2.0 ** rng.uniform(-0.5, 0.5),
        rise_slope=rng.uniform(0.0, 0.25),
        batch_rise=design.rise * rng.uniform(0.2, 0.6),
        skew=rng.uniform(0.0, 0.2),
        wall=rng.uniform(2.0, 3.0),
    )


def drawn_disturbance(noise: float, name: DesignName, rng: np.random.Generator) -> Disturbance:
    """Draw how far cells stray and the grid misses; half of the grids cut off some optima."""
    return Disturbance(
        noise=noise,
        shared=0.0 if name == "scattered" else 0.5,
        cell_lr=rng.uniform(0.05, 0.2),
        cell_batch=rng.uniform(0.1, 0.2),
        misses=rng.choice([-1, 1]) * (rng.uniform(0, 0.25) if rng.random() < 0.5 else 0.6),
    )


def drawn_table(
    truth: Truth, name: DesignName, given: Disturbance, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw a run table: rows of `skald_specs.runtable.RunRow`, diverged runs with a NaN loss."""
    rows = _rows(truth, DESIGN[name], given, rng)
    x, y, n, t = (rows[key].to_numpy(dtype=np.float64) for key in ("x", "y", "n", "t"))
    cell = rows.groupby(["n", "t"], sort=True).ngroup().to_numpy()
    shifts = rng.normal(0, 1, (cell.max() + 1, 2)) * (given.cell_lr, given.cell_batch)
    excess = truth.excess(x, y, n, t, shifts[cell])
    level = np.log(
        1.6 + 0.5 * 2.0 ** (-0.25 * (n - truth.n0)) + 0.6 * 2.0 ** (-0.2 * (t - truth.t0))
    )
    seed = rows["seed"].to_numpy()
    levels = rng.normal(0, given.seed_level, (seed.max() + 1, cell.max() + 1))
    run = rows.groupby(["n", "y", "x", "seed"], sort=True).ngroup().to_numpy()
    carried = given.noise * np.sqrt(given.shared) * given.unit_noise(run.max() + 1, rng)[run]
    own = given.noise * np.sqrt(1 - given.shared) * given.unit_noise(len(rows), rng)
    diverged = x - truth.ridge(t, y, n) > truth.wall
    log_loss = level + excess + levels[seed, cell] + carried + own
    size = np.round(2.0**n).astype(int)
    return pd.DataFrame(
        {
            "width": 0
            if DESIGN[name].family == "{}"
            else 32 * 2 ** np.round((n - n.min()) / 2).astype(int),
            "depth": 0 if DESIGN[name].family == "{}" else 4,
            "n_params_total": size,
            "n_params_non_embedding": size,
            "horizon_tokens": np.round(2.0**t).astype(int),
            "global_batch_tokens": np.round(2.0**y).astype(int),
            "lr": 2.0**x,
            "schedule": SCHEDULE,
            "seed": seed + 1,
            "loss": np.where(diverged, np.nan, np.exp(log_loss)),
            "loss_se": np.nan,
            "diverged": diverged,
            "fingerprint": [f"drawn-{i}" for i in range(len(rows))],
            "family": DESIGN[name].family,
        }
    )


def _rows(
    truth: Truth, design: Design, given: Disturbance, rng: np.random.Generator
) -> pd.DataFrame:
    """Return x, y, n, t and seed of every run."""
    middle = float(truth.ridge(truth.t0, truth.y0, truth.n0)) + given.misses
    cells = list(product(design.sizes, design.horizons))
    if design.runs_per_cell is None:
        grid = product(cells, design.batches, design.log2_lrs, range(design.n_seeds))
        rows = [(middle + x, y, n, t, seed) for (n, t), y, x, seed in grid]
        return pd.DataFrame(rows, columns=["x", "y", "n", "t", "seed"])
    n_runs = design.runs_per_cell
    low, high = design.batches
    least, most = design.log2_lrs
    parts = [
        pd.DataFrame(
            {
                # Each size was searched about its own optimum, as one that knows smaller ones does.
                "x": middle + truth.size_slope * (n - truth.n0) + rng.uniform(least, most, n_runs),
                # Batches are whole sequences of 2,048 tokens, half an octave apart.
                "y": low + 0.5 * rng.integers(0, round(2 * (high - low)) + 1, n_runs),
                "n": n,
                "t": t,
                "seed": 0,
            }
        )
        for n, t in cells
    ]
    return pd.concat(parts, ignore_index=True)


def without_horizon_effect(truth: Truth) -> Truth:
    """Return a truth of the power form whose best rate and batch are the same at every horizon."""
    return replace(truth, kind="power", falls=0.0, best_batch_slope=0.0)


def bent(truth: Truth, rng: np.random.Generator) -> Truth:
    """Return a truth whose ridge bends over the horizon as that of the bake-off's table does, either way."""
    return replace(truth, bend=float(rng.choice([-BEND, BEND])))


def with_two_schedules(table: pd.DataFrame, octaves: float) -> pd.DataFrame:
    """Return a table whose shorter half was trained at a constant rate, which moves its optimum.

    Args:
        table: Drawn runs.
        octaves: By how much the shorter horizons' runs are best at higher rates.
    """
    short = table["horizon_tokens"] < table["horizon_tokens"].median()
    moved = table.assign(lr=table["lr"].where(~short, table["lr"] * 2.0**octaves))
    return moved.assign(schedule=np.where(short, "constant", SCHEDULE))
