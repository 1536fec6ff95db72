"""What a fit of time transfer shows of a table, and what it does not."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from skald_mup.counts import n_params_non_embedding
from skald_mup.shrink import widened
from skald_planner.deciding.predict import decide
from skald_planner.display.show_fit import render_fit
from skald_planner.fitting.bootstrap import cluster_weights
from skald_planner.fitting.cells import is_grid, near_best, points_of
from skald_planner.fitting.mixture import by_weight
from skald_planner.fitting.runs import read_runs
from skald_specs.errors import ClaimError
from skald_specs.ridge import named, ridge
from skald_specs.timefit import TimeFit
from support_planner import GRID, recipe
from support_transfer import HORIZONS, RATES, SIZE, asked, fitted, table


@pytest.fixture(scope="module")
def fit() -> TimeFit:
    return fitted(table())


def test_planted_exponents_lie_in_their_intervals(fit):
    for found, planted in (
        (fit.horizon_exponent, -0.3),
        (fit.batch_exponent, 0.5),
        (fit.best_batch_exponent, 0.5),
    ):
        assert found.interval[0] < planted < found.interval[1]
        # Three horizons an octave apart, whose optima may each stray by the assumed spread.
        assert found.interval[1] - found.interval[0] < 0.9
    assert (fit.size_drift, fit.size_terms) == (None, False)
    assert fit.noise_sd == pytest.approx(0.001, abs=0.001)
    assert sum(family.weight for family in fit.families) == pytest.approx(1)
    assert {family.kind for family in fit.families} == {"power", "surge", "saturating"}
    assert len(fit.local) == 9 and all(one.log2_lr is not None for one in fit.local)
    assert len(fit.held_out) == 9


def test_a_fit_repeats_and_survives_its_file(fit, tmp_path):
    assert fitted(table()) == fit
    assert fitted(table(), seed=1) != fit
    fit.save(tmp_path / "fit.json")
    assert TimeFit.load(tmp_path / "fit.json") == fit
    text = render_fit(fit)
    assert "saturating" in text and "base_lr with batch" in text
    assert "horizons 131,072, 262,144, 524,288 tokens, batches 512, 1,024, 2,048 tokens" in text
    assert " 1 seed, loss in" in text
    assert re.search(r"^parameters +horizon, tokens +batch, tokens +best", text, re.MULTILINE)
    assert re.search(r"^90,192 +131,072 +512 ", text, re.MULTILINE)
    assert not re.search(r"e\+\d\d", text)
    paired = fit.model_copy(update={"table": fit.table.model_copy(update={"seeds": (1, 2)})})
    assert " 2 seeds, loss in" in render_fit(paired)


def test_one_horizon_shows_no_horizon_exponent_and_leans_on_published_ones():
    short = fitted(table(horizons=HORIZONS[:1]))
    assert short.horizon_exponent is None
    assert any("one horizon" in gap for gap in short.offered)
    there = decide(short, asked(HORIZONS[0]))
    beyond = decide(short, asked(4 * HORIZONS[0]))
    assert (there.base_lr.standing, there.outlook.priors) == ("fitted", ())
    assert beyond.base_lr.standing == "assumed"
    assert beyond.outlook.priors[0].share == 1
    assert there.base_lr.source.startswith(
        f"{short.table.n_runs} runs at 131,072 to 131,072 tokens"
    )
    moved = math.log2(beyond.base_lr.value / there.base_lr.value)
    assert -1.2 < moved < -0.4


def test_one_batch_fits_and_says_what_it_cannot():
    narrow = fitted(table(batches=(1024,)))
    assert (narrow.batch_exponent, narrow.best_batch_exponent) == (None, None)
    assert [family.kind for family in narrow.families] == ["power"]
    assert any("one batch" in gap for gap in narrow.offered)
    low, high = decide(narrow, asked()).base_lr.interval
    assert low < 2 ** (-7.6 - 0.6) < high


@pytest.mark.parametrize(("lrs", "side"), [(GRID[4:], "smaller"), (GRID[:3], "larger")])
def test_optima_at_the_edge_are_no_optima(lrs, side):
    with pytest.raises(ClaimError, match=f"at none of 9 .* enclose .* Sweep {side} learning rates"):
        fitted(table(lrs=lrs))


def test_some_optima_at_the_edge_are_bounds_and_said():
    rows = table()
    at_own_batch = rows["lr"] / np.sqrt(rows["global_batch_tokens"] / 1024)
    torn = rows[(rows["horizon_tokens"] != HORIZONS[0]) | (at_own_batch < 0.0045)]
    told = fitted(torn)
    bounds = [one for one in told.local if one.log2_lr is None]
    assert bounds and {one.bound for one in bounds} == {"at_least"}
    assert any(f"{len(bounds)} of 9 optima" in gap for gap in told.offered)


def test_diverged_runs_are_kept_and_not_fitted(fit):
    rows = table()
    lost = rows["lr"] > 0.9 * rows["lr"].max()
    rows.loc[lost, ["diverged", "loss"]] = [True, float("nan")]
    told = fitted(rows)
    assert told.table.n_diverged == lost.sum() > 0
    assert not any(run.in_fit for run in told.runs if run.diverged)
    assert all(run.loss is None for run in told.runs if run.diverged)
    found, whole = told.horizon_exponent.value, fit.horizon_exponent.value
    assert found == pytest.approx(whole, abs=0.1)


def test_size_drops_out_unless_it_does_not():
    sizes = (SIZE, 4 * SIZE)
    still, moving = fitted(table(sizes=sizes)), fitted(table(sizes=sizes, drift=-0.4))
    assert still.size_drift_p_value > 0.05 and not still.size_terms
    assert moving.size_drift_p_value < 0.01 and moving.size_terms
    assert moving.size_drift.interval[0] < -0.4 < moving.size_drift.interval[1]
    assert "size" in moving.families[0].names and "size" not in still.families[0].names
    assert any("moves with size" in warning for warning in decide(moving, asked()).outlook.warnings)


def test_a_surge_is_told_from_a_power_law_where_it_bends():
    rows = table(batches=tuple(256 * 2**i for i in range(6)), horizons=HORIZONS)
    knee = 10 + 0.7 * (np.log2(rows["horizon_tokens"]) - 18)
    y, x = np.log2(rows["global_batch_tokens"]), np.log2(rows["lr"])
    best = -7.5 + ridge("surge", {"knee": 0.0}, y - knee, 0, 0)
    # The grid follows the planted ridge, so that every optimum is enclosed.
    x = best + x - (x.groupby([rows["horizon_tokens"], y]).transform("mean"))
    noise = np.random.default_rng(1).normal(0, 0.001, len(rows))
    bent = rows.assign(lr=2.0**x, loss=np.exp(0.9 + 0.03 * (x - best) ** 2 + noise))
    told = fitted(bent)
    weights = {family.kind: family.weight for family in told.families}
    assert weights["surge"] > 0.8 and weights["power"] < 0.05
    knees = [one for one in told.critical if one.definition == "knee"]
    assert len(knees) == 3
    assert all(one.interval[0] < one.tokens < one.interval[1] for one in knees)
    assert told.critical_exponent.interval[0] < 0.7 < told.critical_exponent.interval[1]


@pytest.mark.parametrize("noise", [0.0, 0.001])
def test_a_power_law_has_no_knee(noise):
    batches, horizons = tuple(256 * 2**i for i in range(5)), tuple(2**i for i in range(16, 21))
    told = fitted(table(batches=batches, horizons=horizons, noise=noise))
    assert not any(one.definition == "knee" for one in told.critical)
    assert told.critical_exponent is None
    assert any("critical batch's knee" in gap for gap in told.offered)


def test_a_ridge_has_its_limits():
    p = {"level": 0.0, "knee": 0.0}
    for kind in ("surge", "saturating"):
        rise = ridge(kind, p, -19.0, 0, 0) - ridge(kind, p, -20.0, 0, 0)
        assert rise == pytest.approx(0.5, abs=1e-4)
    assert ridge("surge", p, 0.0, 0, 0) == pytest.approx(0.0)
    assert ridge("surge", p, 20.0, 0, 0) - ridge("surge", p, 19.0, 0, 0) == pytest.approx(
        -0.5, abs=1e-4
    )
    assert ridge("saturating", p, 20.0, 0, 0) == pytest.approx(0.0, abs=1e-4)


def test_a_scattered_design_is_fitted_by_its_surface():
    grid = table(batches=tuple(256 * 2**i for i in range(7)), horizons=HORIZONS)
    drawn = grid.groupby("horizon_tokens").sample(14, random_state=1).reset_index(drop=True)
    assert is_grid(table()) and not is_grid(drawn)
    weight = near_best(drawn)
    points = points_of(drawn, weight)
    assert points.scattered and 0 < weight.min() + weight.max() <= 2
    assert np.argmax(weight) in drawn.groupby("horizon_tokens")["loss"].idxmin().tolist()
    told = fitted(drawn)
    assert "profile" in told.families[0].names
    draws = named(told.families[0], np.array(told.families[0].draws))
    assert draws["level"].shape == (200,)


def test_clusters_are_drawn_whole():
    cell, seed = np.repeat([0, 1, 2], 4), np.tile([5, 5, 6, 6], 3)
    weights = cluster_weights(cell, seed, 50, np.random.default_rng(0))
    assert weights.shape == (50, 12)
    assert weights.mean() == pytest.approx(1, abs=0.1)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 0] != weights[:, 2]).all()
    one_seed = cluster_weights(cell, 0 * seed, 50, np.random.default_rng(0))
    assert (one_seed[:, :4] == one_seed[:, :1]).all()


def test_families_are_joined_in_proportion():
    joined = by_weight([0.25, 0.75], [np.zeros(100), np.ones(100)])
    assert (joined.size, joined.sum()) == (100, 75)
    of_nothing = by_weight([0.0, 0.0], [np.zeros(100), np.ones(100)])
    assert (of_nothing.size, of_nothing.sum()) == (100, 50)


@pytest.mark.parametrize(
    "name", ["mini-proxy", "next-larger", "next-larger-optimal", "gpu-time-transfer"]
)
def test_every_sweep_of_ours_can_be_fitted(name, tmp_path):
    """On drawn losses, so that a design that no fit can carry is found before it is trained."""
    given = recipe(name)
    runs = given.sweep.runs(given.model.d_model, given.budget.global_batch_tokens)
    rng = np.random.default_rng(0)
    rows = []
    own = np.log2(given.budget.global_batch_tokens)
    middle = np.mean(np.log2(given.sweep.base_lrs))
    for run in runs:
        size = n_params_non_embedding(
            given.model if run.width == given.model.d_model else widened(given.model, run.width)
        )
        for horizon in given.sweep.horizons_tokens:
            y = np.log2(run.global_batch_tokens) - own
            away = np.log2(run.base_lr) - middle - 0.5 * y
            loss = 3 * np.exp(0.02 * away**2 + 0.004 * y**2 + rng.normal(0, 0.001)) / horizon**0.05
            rows.append(
                {
                    "width": run.width, "depth": given.model.n_layers, "lr": run.base_lr,
                    "n_params_non_embedding": size, "horizon_tokens": horizon,
                    "global_batch_tokens": run.global_batch_tokens, "seed": run.seed, "loss": loss,
                }
            )  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    told = fitted(read_runs(tmp_path / "runs.csv"))
    low, high = told.horizon_exponent.interval
    assert low < 0 < high or abs(told.horizon_exponent.value) < 0.1
    assert sum(one.log2_lr is not None for one in told.local) >= len(told.local) // 2


def test_no_noise_at_all_is_fitted():
    told = fitted(table(noise=0.0))
    assert told.horizon_exponent.value == pytest.approx(-0.3, abs=0.01)


def test_a_seed_for_every_run_is_no_pair(tmp_path):
    rows = table()
    rows.assign(seed=range(len(rows))).to_csv(tmp_path / "runs.csv", index=False)
    runs = read_runs(tmp_path / "runs.csv")
    assert set(runs["seed"]) == {0} and any("own" in note for note in runs.attrs["notes"])
    assert fitted(runs).horizon_exponent is not None


def test_octaves_and_one_seed_place_their_optima():
    rates = tuple(0.0013 * 2**i for i in range(5))
    told = fitted(table(lrs=rates, noise=0.001))
    assert sum(one.log2_lr is not None for one in told.local) >= 8
    assert told.extrapolation_sd_per_octave is not None


def test_tokens_in_proportion_to_size_do_not_tell_the_two_apart():
    """Horizon and size move together: the fit must not claim to know which of them moves the optimum."""
    parts = [
        table(horizons=(horizon,), sizes=(SIZE * 2**i,), seed=i)
        for i, horizon in enumerate((131_072, 262_144, 524_288, 1_048_576))
    ]
    told = fitted(pd.concat(parts, ignore_index=True))
    assert told.size_drift.interval[0] < 0 < told.size_drift.interval[1]
    assert not told.size_terms
    assert any("grow together" in gap for gap in told.offered)


def test_a_scattered_table_far_off_its_optimum_is_refused():
    rows = table(batches=tuple(256 * 2**i for i in range(7)), lrs=RATES)
    low = rows.groupby("horizon_tokens").sample(14, random_state=1).reset_index(drop=True)
    assert not is_grid(low) and fitted(low).families
    # All rates four octaves below where the losses belong.
    with pytest.raises(ClaimError, match="no optimum to carry"):
        fitted(low[low["lr"] < low["lr"].median() / 1.7])
