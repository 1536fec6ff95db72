"""Drift of the optimum: found where planted, with an error that covers it; none where none is."""

import numpy as np
import pandas as pd
import pytest
from skald_planner.fitting.stability import best_lr, best_lrs, drift
from skald_specs.errors import ClaimError

LOG2_LRS = np.arange(-8.0, -3.4, 0.5)


def runs(optima, rng=None, seeds=(1, 2, 3), noise=0.0):
    """Log loss is a parabola; a seed shifts all learning rates and sizes alike."""
    rng = rng or np.random.default_rng(0)
    rows = []
    for seed in seeds:
        level = rng.normal(0, 0.05)
        for size, at in optima.items():
            for x in LOG2_LRS:
                log_loss = 0.7 + level + 0.03 * (x - at) ** 2 + rng.normal(0, noise)
                rows.append(
                    {"width": size, "lr": 2.0**x, "seed": seed, "loss": np.exp(log_loss),
                     "diverged": False, "horizon_tokens": 1}
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_an_exact_parabola_gives_its_vertex():
    table = runs({32: -5.3})
    assert best_lr(table).log2_lr == pytest.approx(-5.3, abs=1e-9)
    assert best_lr(table).loss == pytest.approx(
        float(np.exp(np.log(table["loss"]).groupby(table["lr"]).mean().min())), rel=0.01
    )


def test_a_planted_drift_is_found_and_none_is_none():
    moving = drift(runs({32: -5.0, 64: -6.0, 256: -8.0 + 0.5}), "width")
    assert moving.octaves == pytest.approx(-2.5, abs=1e-9)
    assert drift(runs({32: -5.2, 256: -5.2}), "width").octaves == pytest.approx(0, abs=1e-9)


def test_the_standard_error_is_the_scatter_of_repeated_experiments():
    rng = np.random.default_rng(1)
    found = [drift(runs({32: -5.5, 256: -5.9}, rng, noise=0.01), "width") for _ in range(60)]
    scatter = np.std([one.octaves for one in found], ddof=1)
    typical = np.sqrt(np.mean([one.standard_error**2 for one in found]))
    assert 0.7 < typical / scatter < 2.0, "the window may switch when a seed is left out"


def test_an_optimum_at_the_edge_is_refused():
    with pytest.raises(ClaimError, match="edge of the grid"):
        best_lr(runs({32: -9.0}))


def test_an_optimum_far_from_the_learning_rates_around_the_lowest_is_refused():
    """Losses without a parabola in them; with one, the vertex is returned (above)."""
    losses = [3.0108, 3.006, 3.0085, 3.0006, 3.0025]
    rows = {"lr": 2.0 ** -np.arange(10, 15), "seed": 0, "loss": losses, "diverged": False}
    said = "lr = 6.91e-06, lies outside .* the lowest loss, 6.1e-05 to 0.000977; add learning rates"
    with pytest.raises(ClaimError, match=said):
        best_lr(pd.DataFrame(rows | {"horizon_tokens": 1}))


def test_a_row_for_each_group():
    table = best_lrs(runs({32: -5.0, 64: -5.5}, noise=0.003), ["width"])
    assert table["width"].tolist() == [32, 64]
    assert (table["standard_error"] > 0).all()
