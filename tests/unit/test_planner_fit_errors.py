"""A fit refuses what it cannot know: edges, divergence, torn tables."""

import numpy as np
import pytest
from skald_planner.exponent import measured_line
from skald_planner.fit import fit_law
from skald_planner.parabola import LeastSquares
from skald_specs.errors import ClaimError, UserInputError
from support_planner import FAMILY, GRID, HORIZONS, run_table

OTHER_FAMILY = FAMILY.replace('"grad_clip":1.0', '"grad_clip":2.0')


def table(**settings):
    return run_table(np.random.default_rng(0), noise=0.001, **settings)


def test_a_bracketed_table_passes():
    assert len(fit_law(table()).optima) == len(HORIZONS)


@pytest.mark.parametrize(
    ("lrs", "side"), [(GRID[4:], "smaller"), (GRID[:3], "larger"), (GRID[:4], "larger")]
)
def test_an_optimum_at_the_edge_names_horizon_and_side(lrs, side):
    with pytest.raises(ClaimError, match=f"horizon_tokens = 131072.*edge.*{side}"):
        fit_law(table(lrs=lrs))


def test_an_edge_at_one_horizon_only_is_found():
    torn = table()
    torn = torn[(torn["horizon_tokens"] == HORIZONS[0]) | (torn["lr"] >= GRID[3])]
    with pytest.raises(ClaimError, match=f"horizon_tokens = {HORIZONS[1]}.*smaller"):
        fit_law(torn)


def test_divergence_next_to_the_optimum_asks_for_values_between():
    torn = table()
    torn.loc[torn["lr"] > GRID[3], "diverged"] = True
    with pytest.raises(ClaimError, match=r"diverged.*between 0\.004 and 0\.008"):
        fit_law(torn)


def test_diverged_runs_far_off_are_kept_and_not_fitted():
    torn = table()
    torn.loc[torn["lr"] == GRID[-1], ["diverged", "loss"]] = [True, float("nan")]
    law = fit_law(torn)
    assert all(point.loss is None for point in law.points if point.diverged)
    lost = [point for point in law.points if point.diverged]
    assert len(lost) == len(HORIZONS)
    assert not any(point.in_fit for point in lost)
    assert [o.log2_lr for o in law.optima] == [o.log2_lr for o in fit_law(table()).optima]


def test_fewer_than_three_finite_points():
    torn = table()
    torn.loc[torn["lr"] > GRID[1], "diverged"] = True
    with pytest.raises(UserInputError, match="2 learning rates with a finite loss"):
        fit_law(torn)


def test_a_horizon_at_which_all_diverged():
    torn = table()
    torn = torn[torn["horizon_tokens"] == HORIZONS[0]].assign(loss=None, diverged=True)
    with pytest.raises(UserInputError, match="0 learning rates with a finite loss"):
        fit_law(torn)


def test_losses_without_a_minimum():
    with pytest.raises(ClaimError):
        fit_law(table(curvature=-0.03))


@pytest.mark.parametrize("curvature", [-0.01, 0.0])
def test_a_line_through_parabolas_that_do_not_open_upwards_is_refused(curvature):
    def line(h):
        return measured_line(LeastSquares(np.array([h, 0.01, 0.02]), np.eye(3), 0.003, 5))

    assert line(0.02).exponent == pytest.approx(-0.5)
    with pytest.raises(ClaimError, match="do not rise on both sides"):
        line(curvature)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="seed"), "no column `seed`"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(width=[48, *[96] * (len(t) - 1)]), "mixes width = 48, 96"),
        (lambda t: t.assign(schedule=["wsd", *["constant"] * (len(t) - 1)]), "mixes schedule"),
        (
            lambda t: t.assign(family=[OTHER_FAMILY, *t["family"][1:]]),
            r"two families of recipes: optimizer\.grad_clip = ",
        ),
        (lambda t: t.assign(family=""), "names no `family`"),
        (lambda t: t.drop(columns="family"), "no column `family`"),
        (lambda t: t.iloc[[0, *range(len(t))]], "two rows for horizon_tokens = 131072"),
        (lambda t: t.assign(loss=[float("nan"), *t["loss"][1:]]), "loss = nan.*did not diverge"),
        (lambda t: t.assign(seed=[2, *t["seed"][1:]]), "no run for horizon_tokens = 131072"),
    ],
)
def test_torn_tables(change, message):
    with pytest.raises(UserInputError, match=message):
        fit_law(change(table()))
