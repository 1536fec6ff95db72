"""Which runs to train next: those that narrow a predicted optimum most for their floating-point work.

Knows a fitted surface, its covariance and the runs it rests on; refuses to guess what a run will show. A run
tells how its loss differs from others of its level (size, horizon, batch, seed), so a level's first run tells
nothing by itself, and new levels are opened by three rates at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from skald_specs.errors import UserInputError
from skald_specs.recipe import SweepRun
from skald_specs.ridge import RIDGE_NAMES, ridge
from skald_specs.timefit import TimeFit

from skald_planner.fitting.cells import GRID_WINDOW, Floats, Points
from skald_planner.fitting.surface import CURVATURE, PROFILE, Surface

#: Rates of a run that opens a level, in octaves around it: they enclose an optimum.
OPENING = (-1.0, 0.0, 1.0)
#: Rates closer than this are one, in octaves.
SAME = 0.05
Level = tuple[int, int, int, int]


class Target(NamedTuple):
    """What is to be predicted: the best learning rate of a size, horizon and batch."""

    n_params_non_embedding: int
    horizon_tokens: int
    global_batch_tokens: int


class Candidate(NamedTuple):
    """A run that could be trained, measured at each of the horizons; `run` names width and batch."""

    run: SweepRun
    n_params_non_embedding: int
    horizons_tokens: tuple[int, ...]
    flops: float

    @property
    def levels(self) -> tuple[Level, ...]:
        """Size, horizon, batch and seed, at each horizon."""
        size, batch = self.n_params_non_embedding, self.run.global_batch_tokens or 0
        return tuple((size, horizon, batch, self.run.seed) for horizon in self.horizons_tokens)


class Proposal(NamedTuple):
    """Runs to train next, together.

    Attributes:
        runs: One, or three that open a level.
        flops: Floating-point work of all of them.
        sd_before: Of log2 of the target's best rate, all earlier proposals trained; octaves.
        sd_after: The same with these.
        regret_saved: Expected fall of log loss above the lowest, at the target.
    """

    runs: tuple[SweepRun, ...]
    flops: float
    sd_before: float
    sd_after: float
    regret_saved: float


class _Known(NamedTuple):
    """What runs so far have told: covariance of the parameters, and each level's runs and mean slopes."""

    covariance: Floats
    levels: dict[Level, tuple[int, Floats]]


def next_runs(
    fit: TimeFit, candidates: Sequence[Candidate], target: Target, count: int
) -> tuple[Proposal, ...]:
    """Choose runs one after another, each the most telling for its work, given those before it.

    Args:
        fit: What is known.
        candidates: What could be trained; levels that are not there yet are opened only where the rates
            an octave below and above are candidates as well.
        target: What is to be predicted.
        count: How many runs at most.

    Returns:
        Proposals in the order of choice; fewer where nothing else tells anything.

    Raises:
        UserInputError: The count is below 1.

    Source: greedy c-optimal design on the linearised surface; the regret is h Var(x) with h the rise at one
        octave. The likeliest family counts alone.
    Standing: derived; noise is taken as independent between horizons, and spread between cells as none.
    """
    if count < 1:
        raise UserInputError("--next", f"{count} runs", "Ask for 1 or more")
    model = _Model(fit, target)
    known, moves = model.known(), _moves(candidates, model.known().levels)
    chosen: list[Proposal] = []
    left = count
    while True:
        possible = [move for move in moves if len(move) <= left]
        outcomes = [model.after(known, move) for move in possible]
        worth = [
            (model.variance(known) - model.variance(outcome)) / sum(one.flops for one in move)
            for move, outcome in zip(possible, outcomes, strict=True)
        ]
        if not worth or max(worth) <= 0:
            return tuple(chosen)
        at = int(np.argmax(worth))
        move, outcome = possible[at], outcomes[at]
        before, after = model.variance(known), model.variance(outcome)
        chosen.append(
            Proposal(
                runs=tuple(one.run for one in move),
                flops=sum(one.flops for one in move),
                sd_before=math.sqrt(before),
                sd_after=math.sqrt(after),
                regret_saved=model.rise * (before - after),
            )
        )
        taken = {one.run for one in move}
        candidates = [one for one in candidates if one.run not in taken]
        known, left = outcome, left - len(move)
        moves = _moves(candidates, known.levels)


class _Model:
    """The likeliest family's surface, linearised at its estimate."""

    def __init__(self, fit: TimeFit, target: Target) -> None:
        family = max(fit.families, key=lambda one: one.weight)
        # In a grid the batch's profile is no part of what a level's runs show, and stands last.
        levels_hold_batch = _one_batch_a_level(fit)
        usable = {*CURVATURE, *RIDGE_NAMES[family.kind], *(() if levels_hold_batch else PROFILE)}
        kept = [i for i, name in enumerate(family.names) if name in usable]
        self.surface = Surface(family.kind, tuple(family.names[i] for i in kept))
        self.values = np.array(family.values)[kept]
        self.draws = np.array(family.draws)[:, kept]
        self.fit = fit
        y, n, t = self._place(*target[:2], target.global_batch_tokens)
        self.gradient = self._ridge_slopes(y, n, t)
        at = dict(zip(self.surface.names, self.values, strict=True))
        self.rise = math.exp(at["curvature"] + at.get("curvature_horizon", 0.0) * t)

    def known(self) -> _Known:
        """Return what the fit's own runs have told."""
        levels: dict[Level, tuple[int, Floats]] = {}
        for run in self.fit.runs:
            if run.in_fit:
                size, horizon = run.n_params_non_embedding, run.horizon_tokens
                level = (size, horizon, run.global_batch_tokens, run.seed)
                _joined(levels, level, self._slopes(level, run.lr))
        return _Known(np.cov(self.draws, rowvar=False), levels)

    def after(self, known: _Known, runs: Sequence[Candidate]) -> _Known:
        """Return what would be known with further runs."""
        covariance, levels = known.covariance, dict(known.levels)
        for candidate in runs:
            for level in candidate.levels:
                if self._excess(level, candidate.run.base_lr) > math.log1p(GRID_WINDOW):
                    continue
                told = _joined(levels, level, self._slopes(level, candidate.run.base_lr))
                gain = covariance @ told
                covariance = covariance - np.outer(gain, gain) / (
                    self.fit.noise_sd**2 + told @ gain
                )
        return _Known(covariance, levels)

    def variance(self, known: _Known) -> float:
        """Return the variance of log2 of the target's best rate."""
        return float(self.gradient @ known.covariance @ self.gradient)

    def _place(self, size: int, horizon: int, batch: int) -> tuple[float, float, float]:
        centre = self.fit.centre
        return (
            math.log2(batch) - centre.log2_batch,
            math.log2(size) - centre.log2_size,
            math.log2(horizon) - centre.log2_horizon,
        )

    def _slopes(self, level: Level, lr: float) -> Floats:
        at = self._point(level, lr)
        return np.asarray(self.surface.jacobian(self.values[None], at)[0, 0])

    def _excess(self, level: Level, lr: float) -> float:
        """Log loss above the ridge; a run far above it would not enter a fit."""
        at = self._point(level, lr)
        by_name = dict(zip(self.surface.names, self.values, strict=True))
        top = replace(at, x=np.asarray(ridge(self.surface.kind, by_name, at.y, at.t, at.n)))
        there, lowest = (self.surface.values(self.values[None], one)[0, 0] for one in (at, top))
        return float(there - lowest)

    def _point(self, level: Level, lr: float) -> Points:
        size, horizon, batch, _ = level
        y, n, t = self._place(size, horizon, batch)
        return _point(math.log2(lr) - self.fit.centre.log2_lr, y, n, t, self.fit)

    def _ridge_slopes(self, y: float, n: float, t: float) -> Floats:
        """Derivatives of the ridge by every parameter, by central differences."""
        step = 1e-4
        moved = self.values + step * np.stack([np.eye(len(self.values)), -np.eye(len(self.values))])
        by_name = {name: moved[..., i] for i, name in enumerate(self.surface.names)}
        up, down = np.broadcast_to(ridge(self.surface.kind, by_name, y, t, n), moved.shape[:2])
        return np.asarray((up - down) / (2 * step))


def _moves(
    candidates: Sequence[Candidate], levels: dict[Level, tuple[int, Floats]]
) -> list[tuple[Candidate, ...]]:
    """Return what may be trained next: single runs of open levels, three at once of new ones."""
    groups: dict[tuple[Level, ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.levels].append(candidate)
    moves: list[tuple[Candidate, ...]] = []
    for group, members in groups.items():
        if any(level in levels for level in group):
            moves += [(one,) for one in members]
            continue
        for middle in members:
            near = [_at(members, math.log2(middle.run.base_lr) + octaves) for octaves in OPENING]
            opening = tuple(one for one in near if one is not None)
            if len(opening) == len(OPENING):
                moves.append(opening)
    return moves


def _at(candidates: Sequence[Candidate], log2_lr: float) -> Candidate | None:
    close = [one for one in candidates if abs(math.log2(one.run.base_lr) - log2_lr) < SAME]
    return close[0] if close else None


def _joined(levels: dict[Level, tuple[int, Floats]], level: Level, slopes: Floats) -> Floats:
    """Enter a run into its level; return what it adds to the information, as slopes of one observation.

    A run beside m others of a free level adds m / (m + 1) of its squared distance from their mean.
    """
    count, mean = levels.get(level, (0, slopes))
    levels[level] = (count + 1, mean + (slopes - mean) / (count + 1))
    return np.asarray(math.sqrt(count / (count + 1)) * (slopes - mean))


def _one_batch_a_level(fit: TimeFit) -> bool:
    """Whether each batch of a cell has several rates, so that its level is its own."""
    rates: dict[Level, set[float]] = defaultdict(set)
    for run in fit.runs:
        level = (run.n_params_non_embedding, run.horizon_tokens, run.global_batch_tokens, run.seed)
        if run.in_fit:
            rates[level].add(run.lr)
    return float(np.median([len(found) for found in rates.values()])) >= len(OPENING)


def _point(x: float, y: float, n: float, t: float, fit: TimeFit) -> Points:
    none = np.zeros(1, dtype=np.int64)
    one = np.array
    return Points(
        x=one([x]), y=one([y]), n=one([n]), t=one([t]), log_loss=np.zeros(1), level=none, cell=none,
        seed=none, weight=np.ones(1), centre=fit.centre, scattered=False, rows=none,
    )  # fmt: skip
