"""Where a fit begins and ends: the least it takes, and what lies exactly on a border."""

import math

import numpy as np
import pytest
from skald_planner.fitting.cells import points_of
from skald_planner.fitting.critical import _tokens_to_reach
from skald_planner.fitting.local import local_optima
from skald_planner.fitting.runs import read_runs
from skald_planner.plans.weight_decay import best_tau_sd_octaves
from skald_specs.errors import UserInputError
from skald_specs.timefit import MOST_OCTAVES
from support_planner import GRID, run_table


def rows(lrs=GRID, **settings):
    return run_table(np.random.default_rng(0), horizons=(131_072,), lrs=lrs, noise=0.0, **settings)


def test_three_rates_are_a_surface_and_two_are_none():
    three = rows(GRID[2:5])
    assert len(points_of(three, np.ones(3))) == 3
    with pytest.raises(UserInputError, match="three learning rates with a finite loss"):
        points_of(rows(GRID[2:4]), np.ones(2))


@pytest.mark.parametrize(("loss", "good"), [(0.0, False), (-0.1, False), (1e-9, True)])
def test_a_loss_is_above_zero(tmp_path, loss, good):
    table = rows()
    table.loc[3, "loss"] = loss
    table.to_csv(tmp_path / "runs.csv", index=False)
    if good:
        assert loss in set(read_runs(tmp_path / "runs.csv")["loss"])
        return
    with pytest.raises(UserInputError, match=rf"loss = {loss:g} is not above 0 \(1 such rows\)"):
        read_runs(tmp_path / "runs.csv")


def test_tokens_to_a_loss_are_read_off_between_horizons():
    curve = {100.0: 1.0, 400.0: 0.8, 1600.0: 0.7}
    assert _tokens_to_reach(curve, 1.0) == 100.0
    assert _tokens_to_reach(curve, 1.1) is None, "the shortest is below it already"
    assert _tokens_to_reach(curve, 0.9) == pytest.approx(200.0)
    assert _tokens_to_reach(curve, 0.8) == pytest.approx(400.0)
    assert _tokens_to_reach(curve, 0.7) == pytest.approx(1600.0)
    assert _tokens_to_reach(curve, 0.6) == math.inf


def test_a_noiseless_parabola_is_found_where_it_was_planted():
    """log2 of the best rate at the first horizon is -7.6; rates far off the lowest take no part."""
    (one,) = local_optima(rows())
    assert one.log2_lr == pytest.approx(-7.6, abs=1e-6)
    assert one.interval[0] < -7.6 < one.interval[1]
    skewed = rows()
    skewed.loc[skewed["lr"] < GRID[1] * 0.9, "loss"] = 9.0
    (other,) = local_optima(skewed)
    assert other.log2_lr == pytest.approx(-7.6, abs=1e-6)
    assert other.loss == pytest.approx(one.loss)


def test_an_optimum_that_may_lie_at_any_rate_is_unknown():
    """Towards the least curvature that is no straight line, an interval grows without end."""

    def optimum(curvature):
        table = rows()
        table["loss"] = np.exp(curvature * (np.log2(table["lr"]) + 7.6) ** 2)
        (one,) = local_optima(table)
        return one

    flat, bent, widest = 0.0, 1.0, 0.0
    for _ in range(60):
        between = (flat + bent) / 2
        if (one := optimum(between)).interval is None:
            assert one.bound == "unknown"
            flat = between
        else:
            widest = max(widest, *map(abs, one.interval))
            bent = between
    assert 100 < widest <= MOST_OCTAVES


def test_a_measure_that_must_be_above_zero_may_not_be_zero(tmp_path):
    table = rows()
    table.loc[2, "lr"] = 0.0
    table.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(UserInputError, match=r"lr = 0 is not above 0 \(1 such rows\)"):
        read_runs(tmp_path / "runs.csv")


def test_the_spread_of_the_best_decay_is_least_where_models_are_mostly_trained():
    assert best_tau_sd_octaves(1e9, 20e9) == pytest.approx(0.3)
    # Sixteen times as many tokens are four octaves, each of which adds 0.05.
    assert best_tau_sd_octaves(1e9, 320e9) == pytest.approx(math.hypot(0.3, 0.2))
