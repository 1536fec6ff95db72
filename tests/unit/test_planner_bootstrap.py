"""Draws of the cluster bootstrap: a known optimum comes back, and intervals hold it because cells are clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _transfer_surfaces import DESIGN, KINDS, Disturbance, Truth, drawn_table, drawn_truth
from scipy.optimize import least_squares
from skald_planner.fitting.batches import Profile, Seen, strayed
from skald_planner.fitting.between import scatter_of
from skald_planner.fitting.bootstrap import cluster_draws, drawn_tables, no_narrower
from skald_planner.fitting.cells import near_best, points_of
from skald_planner.fitting.joint import refit, solve
from skald_planner.fitting.surface import surface_of
from skald_specs.ridge import ridge

STILL = Disturbance(noise=1e-5, shared=0.0, seed_level=0.0, cell_lr=0.0, cell_batch=0.0)


def fitted(truth: Truth, design, given, rng, kind="power"):
    table = drawn_table(truth, design, given, rng)
    points = points_of(table, near_best(table))
    surface = surface_of(kind, points, size_terms=design == "scattered")
    return points, solve(surface, points)


def predicted(points, solution, values, truth, t):
    """log2 of the best rate at the truth's own batch and size, for each row of parameters."""
    p = {name: values[..., i] for i, name in enumerate(solution.surface.names)}
    at = points.centre
    y, t, n = truth.y0 - at.log2_batch, t - at.log2_horizon, truth.n0 - at.log2_size
    return at.log2_lr + np.asarray(ridge(solution.surface.kind, p, y, t, n))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("design", ["medium", "scattered"])
def test_a_known_optimum_comes_back(kind, design):
    rng = np.random.default_rng(3)
    truth = replace(drawn_truth(kind, design, rng), skew=0.05)
    points, solution = fitted(truth, design, STILL, rng, kind)
    for t in (truth.t0, DESIGN[design].horizons[-1]):
        found = predicted(points, solution, solution.values, truth, t)
        assert found == pytest.approx(float(truth.ridge(t, truth.y0, truth.n0)), abs=0.02)


def test_intervals_hold_the_truth_because_cells_are_clusters():
    """Cells stray from the law by 0.1 octave: taking runs for the clusters would promise far too much."""
    given = Disturbance(noise=0.001, cell_lr=0.1)
    held, naive = [], []
    for number in range(40):
        rng = np.random.default_rng(number)
        truth = drawn_truth("power", "small", rng)
        points, solution = fitted(truth, "small", given, rng)
        t = DESIGN["small"].horizons[-1]
        expected = float(truth.ridge(t, truth.y0, truth.n0))
        of_cells, _ = cluster_draws(solution, points, 100, rng)
        of_runs = rng.multivariate_normal(solution.values, solution.covariance, 100)
        for draws, hits in ((of_cells, held), (of_runs, naive)):
            low, high = np.quantile(predicted(points, solution, draws, truth, t), (0.05, 0.95))
            hits.append(low <= expected <= high)
    assert np.mean(held) >= 0.8
    assert np.mean(naive) <= 0.6


@pytest.mark.parametrize(("spread", "low", "high"), [(0.0, 0.0, 0.12), (0.3, 0.2, 0.45)])
def test_a_planted_spread_between_cells_is_found(spread, low, high):
    """Eight cells that do not stray at all halve what is assumed, no more."""
    found = []
    for number in range(4):
        rng = np.random.default_rng(number)
        truth = drawn_truth("power", "medium", rng)
        points, solution = fitted(truth, "medium", Disturbance(0.001, cell_lr=spread), rng)
        found.append(scatter_of(solution, points).spread)
    assert low <= np.median(found) <= high


def test_noise_that_a_run_carries_through_its_horizons_is_found():
    found = []
    for shared in (0.0, 0.9):
        rng = np.random.default_rng(2)
        truth = drawn_truth("power", "medium", rng)
        points, solution = fitted(truth, "medium", Disturbance(0.01, shared, cell_lr=0.0), rng)
        scatter = scatter_of(solution, points)
        assert np.bincount(scatter.trunk).max() == len(DESIGN["medium"].horizons)
        found.append(scatter.shared)
    assert found[0] < 0.2 and found[1] > 0.6


def test_tables_that_move_nothing_are_the_fit_itself():
    rng = np.random.default_rng(4)
    truth = drawn_truth("surge", "medium", rng)
    points, solution = fitted(truth, "medium", Disturbance(), rng, "surge")
    still = np.zeros((2, len(points))), np.zeros((2, solution.values.size))
    assert refit(solution, points, *still) == pytest.approx(np.tile(solution.values, (2, 1)))


def test_a_draw_is_what_fitting_its_table_alone_gives():
    rng = np.random.default_rng(5)
    truth = drawn_truth("surge", "medium", rng)
    points, solution = fitted(truth, "medium", Disturbance(), rng, "surge")
    tables = drawn_tables(solution, points, 3, rng)
    together = refit(solution, points, tables.moved, tables.pulled)
    surface, root = solution.surface, np.sqrt(solution.weights)
    precision = np.sqrt(surface.priors()[1]) * solution.noise_sd
    dummies = (points.level[:, None] == np.arange(points.level.max() + 1)).astype(float)
    n = len(surface.names)
    for i in range(3):
        log_loss = surface.values(solution.values[None], points)[0] + tables.moved[i]
        mean = solution.values + tables.pulled[i]

        def residuals(at, log_loss=log_loss, mean=mean):
            misfit = log_loss - surface.values(at[None, :n], points)[0] - dummies @ at[n:]
            return np.concatenate([root * misfit, precision * (mean - at[:n])])

        start = np.concatenate([solution.values, np.zeros(dummies.shape[1])])
        alone = least_squares(residuals, start, x_scale="jac").x[:n]
        for t in DESIGN["medium"].horizons:
            ours, theirs = (predicted(points, solution, v, truth, t) for v in (together[i], alone))
            assert ours == pytest.approx(theirs, abs=0.01)


@pytest.mark.parametrize("design", ["small", "scattered"])
def test_best_batches_that_stray_widen_the_draws_and_move_no_estimate(design):
    rng = np.random.default_rng(6)
    truth = drawn_truth("power", design, rng)
    points, _ = fitted(truth, design, Disturbance(0.001), rng)
    cells = np.unique(points.cell).size
    names = ("profile", "profile_batch", "profile_horizon")
    still = Profile(names, np.array([0.01, 0.0, 0.0]), np.tile([0.01, 0.0, 0.0], (2000, 1)))
    widths = []
    for planted in (0.0, 0.6):
        strays = planted * rng.standard_normal(cells)
        misfit = -2 * 0.01 * strays[points.cell] * (points.y - points.y.mean())
        seen = Seen(misfit, np.ones(len(points)), points.y, points.t, points.n, points.cell)
        moved = strayed(still, seen, 1e-4, rng)
        assert (moved.values == still.values).all()
        assert (moved.draws[:, 0] == 0.01).all()
        best = -moved.draws[:, 1] / (2 * 0.01)
        assert np.median(best) == pytest.approx(0, abs=0.05)
        widths.append(np.quantile(best, 0.95) - np.quantile(best, 0.05))
    assert 0.05 < widths[0] < 0.7 * widths[1]


def test_widened_draws_are_no_narrower_than_the_model_in_any_direction():
    rng = np.random.default_rng(5)
    root = rng.standard_normal((4, 4))
    model = root @ root.T
    # Far narrower than the model in three directions, far wider in one.
    draws = rng.standard_normal((20_000, 4)) * [0.01, 0.01, 20.0, 0.01]
    widened = no_narrower(draws, np.arange(4.0), model, rng)
    inverse = np.linalg.inv(np.linalg.cholesky(model))
    ratios = np.linalg.eigvalsh(inverse @ np.cov(widened, rowvar=False) @ inverse.T)
    assert ratios[0] == pytest.approx(1, abs=0.05) and ratios[-1] > 2
    assert widened.mean(axis=0) == pytest.approx(np.arange(4.0), abs=0.5)


def test_widened_draws_are_the_same_whatever_sign_a_processor_gives_eigenvectors(monkeypatch):
    rng = np.random.default_rng(6)
    root, draws = rng.standard_normal((4, 4)), 0.3 * rng.standard_normal((50, 4))
    given = (draws, np.zeros(4), root @ root.T)
    here = no_narrower(*given, np.random.default_rng(7))
    eigh, signs = np.linalg.eigh, np.random.default_rng(8)

    def turned(matrix):
        values, vectors = eigh(matrix)
        return values, vectors * signs.choice([-1.0, 1.0], len(values))

    monkeypatch.setattr(np.linalg, "eigh", turned)
    for _ in range(5):
        assert no_narrower(*given, np.random.default_rng(7)) == pytest.approx(here, abs=1e-9)
