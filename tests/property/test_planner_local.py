"""Local optima on parabolas whose vertex is known, and what runs that do not enclose one yield."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_planner.fitting.local import local_optima, sensitivities

HORIZONS = (2**20, 2**22, 2**24)
BATCHES = (2**12, 2**14)


def runs(vertex, curvature, grid, seeds=(1, 2), noise=0.0, rng=None, skew=0.0, cells=None):
    """Runs of a parabola; `vertex` and `curvature` are functions of (horizon, batch)."""
    rows = []
    for horizon, batch in cells or [(HORIZONS[0], BATCHES[0])]:
        for seed in seeds:
            for x in grid:
                u = x - vertex(horizon, batch)
                log_loss = 1 + 0.02 * seed + curvature(horizon, batch) * u**2 + skew * u**3
                log_loss += noise * rng.normal() if rng else 0.0
                rows.append(
                    (128, 4, 10**6, horizon, batch, 2.0**x, seed, math.exp(log_loss), False)
                )
    names = [
        "width", "depth", "n_params_non_embedding", "horizon_tokens", "global_batch_tokens", "lr",
        "seed", "loss", "diverged",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def one(table):
    (found,) = local_optima(table)
    return found


@settings(max_examples=60, deadline=None)
@given(
    vertex=st.floats(-9.2, -6.8),
    curvature=st.floats(0.004, 0.08),
    step=st.sampled_from((0.5, 1.0)),
    n_seeds=st.integers(1, 3),
)
def test_the_vertex_of_a_parabola_is_found(vertex, curvature, step, n_seeds):
    grid = np.arange(-12, -4 + step / 2, step)
    found = one(runs(lambda *_: vertex, lambda *_: curvature, grid, range(n_seeds)))
    if found.bound == "unknown":
        # Flat to within the noise's prior, or three runs alone that leave no scatter to judge by.
        assert curvature < 0.02 or n_seeds == 1
        return
    assert found.log2_lr == pytest.approx(vertex, abs=1e-6)
    assert found.rise_at_one_octave == pytest.approx(curvature, rel=1e-6)
    assert found.interval[0] < vertex < found.interval[1]
    mean_level = 1 + 0.02 * np.mean(range(n_seeds))
    assert found.loss == pytest.approx(math.exp(mean_level), rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(beyond=st.floats(0.01, 4), above=st.booleans(), curvature=st.floats(0.004, 0.08))
def test_an_optimum_outside_the_grid_gives_a_bound_and_no_vertex(beyond, above, curvature):
    grid = np.arange(-9.0, -4.9)
    vertex = grid[-1] + beyond if above else grid[0] - beyond
    found = one(runs(lambda *_: vertex, lambda *_: curvature, grid))
    assert found.log2_lr is None and found.interval is None and found.loss is None
    assert found.bound == ("at_least" if above else "at_most")
    assert (found.bound_log2_lr < vertex) if above else (found.bound_log2_lr > vertex)


def test_an_optimum_beside_a_divergence_is_bounded_from_one_side():
    grid = np.arange(-10.0, -4.9)
    table = runs(lambda *_: -7.2, lambda *_: 0.03, grid)
    assert one(table).log2_lr == pytest.approx(-7.2)
    # One seed is enough: that rate is no choice, and how bad it is nobody knows.
    table.loc[(table["lr"] == 2.0**-6) & (table["seed"] == 2), ["diverged", "loss"]] = [
        True,
        np.nan,
    ]
    found = one(table)
    assert (found.bound, found.bound_log2_lr, found.log2_lr) == ("at_least", -8.0, None)
    table["diverged"], table["loss"] = True, np.nan
    assert one(table).bound == "unknown"


def test_losses_that_fall_on_both_sides_name_no_optimum():
    grid = np.arange(-10.0, -4.9)
    assert one(runs(lambda *_: -7.4, lambda *_: -0.01, grid)).log2_lr is None
    flat = runs(lambda *_: -7.4, lambda *_: 1e-6, grid, noise=0.01, rng=np.random.default_rng(3))
    found = one(flat)
    assert found.log2_lr is None or found.interval[1] - found.interval[0] > 2


def test_two_rates_are_no_parabola():
    table = runs(lambda *_: -7.0, lambda *_: 0.03, (-8.0, -7.0))
    assert local_optima(table) == ()


def test_seeds_are_paired_where_one_lacks_a_rate():
    table = runs(lambda *_: -7.3, lambda *_: 0.03, np.arange(-10.0, -4.9), seeds=(1, 5))
    fewer = table[~((table["seed"] == 5) & (table["lr"] == 2.0**-7))]
    assert one(fewer).log2_lr == pytest.approx(-7.3)


def test_intervals_cover_the_vertex():
    rng = np.random.default_rng(5)
    grid = np.arange(-10.0, -4.9)
    hits = []
    for _ in range(300):
        vertex = rng.uniform(-8, -7)
        at = {batch: vertex + 0.5 * i for i, batch in enumerate(BATCHES)}
        table = runs(
            lambda _, batch, at=at: at[batch], lambda *_: 0.03, grid, (1, 2), 0.005, rng,
            cells=[(HORIZONS[0], batch) for batch in BATCHES],
        )  # fmt: skip
        for found in local_optima(table):
            if found.interval is not None:
                low, high = found.interval
                hits.append(low <= at[found.global_batch_tokens] <= high)
    assert len(hits) > 550 and 0.85 <= np.mean(hits) <= 0.95


def test_sensitivity_and_its_exponent():
    rng = np.random.default_rng(1)
    cells = [(horizon, batch) for horizon in HORIZONS for batch in BATCHES]

    def curvature(horizon, batch, exponent):
        return 0.03 * (batch / 2**12) ** 0.25 * (horizon / 2**20) ** exponent

    for exponent in (-0.3, 0.0):
        table = runs(
            lambda *_: -7.3, lambda h, b, e=exponent: curvature(h, b, e), np.arange(-10.0, -4.9),
            (1, 2, 3), 0.002, rng, cells=cells,
        )  # fmt: skip
        found, slope = sensitivities(table)
        assert [one.horizon_tokens for one in found] == list(HORIZONS)
        for one_ in found:
            true = np.mean([curvature(one_.horizon_tokens, batch, exponent) for batch in BATCHES])
            assert one_.interval[0] < one_.rise_at_one_octave < one_.interval[1]
            assert one_.rise_at_one_octave == pytest.approx(true, rel=0.25)
        assert slope.interval[0] < exponent < slope.interval[1]
        assert (slope.interval[1] < 0) is (exponent < 0)
    # One horizon shows no change over horizons.
    single = table[table["horizon_tokens"] == HORIZONS[0]]
    assert len(sensitivities(single)[0]) == 1 and sensitivities(single)[1] is None
