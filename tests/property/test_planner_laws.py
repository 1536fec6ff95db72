"""Laws of the laws: scale, round trips, bounds; and how often the loss law's intervals cover."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_planner.deciding.published import Anchor, panel
from skald_planner.fitting.critical import overhead_batch
from skald_planner.fitting.loss_law import fit_loss_law, predict_loss
from skald_planner.plans.weight_decay import (
    best_tau,
    best_tau_sd_octaves,
    independent_decay,
    tau_ema,
)
from skald_specs.loss_law import tokens_to_close
from skald_specs.outlook import Distance

POSITIVE = st.floats(1e-6, 1.0)
TOKENS = st.floats(1e3, 1e13)
NEAR = Distance(horizon_octaves=0, batch_octaves=0, size_octaves=0)


@given(batch=TOKENS, lr=POSITIVE, decay=POSITIVE, horizon=TOKENS, factor=st.floats(0.1, 10))
def test_the_time_scale_is_homogeneous(batch, lr, decay, horizon, factor):
    tau = tau_ema(batch, lr, decay, horizon)
    assert tau_ema(factor * batch, lr, decay, horizon) == pytest.approx(factor * tau)
    assert tau_ema(factor * batch, lr, decay, factor * horizon) == pytest.approx(tau)
    assert tau_ema(batch, factor * lr, decay / factor, horizon) == pytest.approx(tau)
    assert tau_ema(batch, lr, 0.0, horizon) == math.inf


@given(batch=TOKENS, lr=POSITIVE, tau=st.floats(1e-4, 10), horizon=TOKENS)
def test_decay_and_time_scale_are_inverse(batch, lr, tau, horizon):
    decay = independent_decay(batch, tau, horizon)
    assert tau_ema(batch, 1, decay, horizon) == pytest.approx(tau)
    assert tau_ema(batch, lr, decay / lr, horizon) == pytest.approx(tau)


@given(size=st.floats(1e4, 1e12), horizon=TOKENS, factor=st.floats(1.1, 100))
def test_the_best_time_scale_depends_on_tokens_a_parameter_alone(size, horizon, factor):
    tau = best_tau(size, horizon)
    assert best_tau(factor * size, factor * horizon) == pytest.approx(tau)
    assert best_tau(size, factor * horizon) < tau
    assert best_tau_sd_octaves(size, horizon) >= best_tau_sd_octaves(1.0, 20.0)


@given(
    rise=st.lists(st.floats(0, 0.7), min_size=2, max_size=9), overhead=st.floats(0.05, 1.0)
)  # fmt: skip
def test_the_overhead_batch_lies_within_the_grid(rise, overhead):
    batches = [2.0 ** (6 + i) for i in range(len(rise) + 1)]
    tokens = np.exp(np.cumsum([0, *rise])).tolist()
    found = overhead_batch(batches, tokens, overhead)
    if found is None:
        assert tokens[-1] <= (1 + overhead) * (1 + 1e-12)
        return
    assert batches[0] <= found <= batches[-1]
    back = np.exp(np.interp(math.log(found), np.log(batches), np.log(tokens)))
    assert back == pytest.approx(1 + overhead)
    scaled = overhead_batch([3 * b for b in batches], [7 * t for t in tokens], overhead)
    assert scaled == pytest.approx(3 * found)


@given(
    size=st.floats(1e4, 1e11), horizon=st.floats(1e5, 1e13), batch=st.floats(1e3, 1e7),
    lr=POSITIVE, decay=st.just(0.0) | st.floats(1e-9, 1), one_lr=st.booleans(),
)  # fmt: skip
@settings(max_examples=50)
def test_a_panel_says_how_far_and_why(size, horizon, batch, lr, decay, one_lr):
    rows = panel(
        n_params_non_embedding=size, horizon_tokens=horizon, global_batch_tokens=batch, base_lr=lr,
        hidden_lr=lr, hidden_weight_decay=decay, one_lr=one_lr,
        anchor=Anchor(lr / 2, horizon / 3, batch),
    )  # fmt: skip
    assert len(rows) == (8 if decay > 0 else 6)
    for row in rows:
        assert row.ours == pytest.approx(row.theirs * 2**row.octaves)
        assert row.comparable or row.note
        assert row.source.startswith("arXiv")


def cells(sizes, horizons):
    return tuple(one.ravel() for one in np.meshgrid(np.array(sizes), np.array(horizons)))


def planted(size, horizon, share=0.5, alpha=0.34, beta=0.3):
    """A loss of 2 in the middle of the table at 1e5 parameters and 1e6 tokens."""
    rest = (1 - share) / 2
    return 2 * (share + rest * (size / 1e5) ** -alpha + rest * (horizon / 1e6) ** -beta)


def even(n_cells, n_draws=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_cells, [1 / n_cells] * n_cells, size=n_draws).astype(float)


MANY = ([2e4, 1e5, 5e5], 1e5 * 2.0 ** np.arange(8))


def test_the_planted_law_comes_back():
    size, horizon = cells(*MANY)
    law = fit_loss_law(size, horizon, planted(size, horizon), even(len(size), 20), noise_sd=1e-5)
    assert law.standing == "fitted"
    assert law.irreducible == pytest.approx(1.0, rel=0.02)
    assert (law.size_exponent, law.horizon_exponent) == pytest.approx((0.34, 0.3), abs=0.01)
    far = predict_loss(law, 5e5, 1e8, NEAR)
    assert far.value == pytest.approx(planted(5e5, 1e8), rel=0.005)


def test_one_wild_cell_does_not_carry_the_law_off():
    size, horizon = cells(*MANY)
    loss = planted(size, horizon)
    loss[5] *= 1.5
    law = fit_loss_law(size, horizon, loss, even(len(size), 20), noise_sd=1e-3)
    assert predict_loss(law, 5e5, 1e7, NEAR).value == pytest.approx(planted(5e5, 1e7), rel=0.01)


def width(interval):
    return math.log(interval[1] / interval[0])


def test_what_the_table_cannot_show_is_assumed_and_wide():
    """Three horizons hardly determine an irreducible loss, two do not, and one of each says nothing."""
    widths, standings = [], []
    for n_horizons in (2, 3, 10):
        size, horizon = cells([1e5], 1e5 * 2.0 ** np.arange(n_horizons))
        law = fit_loss_law(size, horizon, planted(size, horizon), even(n_horizons), noise_sd=0.004)
        assert (law.size_scale, law.size_exponent) == (0.0, 0.0)
        floor = np.quantile([draw[0] for draw in law.draws], [0.05, 0.95])
        widths.append(width(floor))
        standings.append(law.standing)
    assert standings == ["assumed", "fitted", "fitted"]
    assert widths[0] > 0.35
    assert widths[1] > 0.35
    assert widths[2] < 0.75 * widths[1]
    assert fit_loss_law([1e5], [1e5], [2.0], even(1)) is None
    size, horizon = cells([1e5, 2e5, 4e5], [1e6])
    of_sizes = fit_loss_law(size, horizon, planted(size, horizon), even(3))
    assert (of_sizes.horizon_scale, of_sizes.standing) == (0.0, "fitted")


def test_octaves_beyond_the_table_widen():
    size, horizon = cells(*MANY)
    law = fit_loss_law(size, horizon, planted(size, horizon), even(len(size), 50))
    far = Distance(horizon_octaves=20, batch_octaves=0, size_octaves=0)
    near, wide = (predict_loss(law, 5e5, 1e13, distance) for distance in (NEAR, far))
    assert near.value == wide.value
    assert width(wide.interval) > width(near.interval) + 0.1


def test_closing_a_gap_costs_what_the_law_says():
    size, horizon = cells(*MANY)
    law = fit_loss_law(size, horizon, planted(size, horizon), even(len(size)), noise_sd=1e-4)
    cost = tokens_to_close(law, 5e5, 1e6, 0.02)
    assert planted(5e5, cost.tokens) == pytest.approx(0.98 * planted(5e5, 1e6), rel=1e-3)
    assert cost.at_least <= cost.tokens <= cost.at_most
    assert tokens_to_close(law, 5e5, 1e6, 0.0).tokens == pytest.approx(1e6)
    never = tokens_to_close(law, 5e5, 1e6, 0.6)
    assert (never.tokens, never.at_most) == (None, None)


@pytest.mark.parametrize("n_horizons", [3, 6])
def test_intervals_cover(n_horizons):
    """Laws drawn from the stated prior: the draws alone, without penalty, hold the loss four times on."""
    rng, hits, narrow = np.random.default_rng(1), 0, 0
    n = 40
    for i in range(n):
        size, horizon = cells([1e5], 2.5e5 * 2.0 ** np.arange(n_horizons))
        drawn = {
            "share": min(0.95, 0.6 * math.exp(0.5 * rng.standard_normal())),
            "beta": max(0.05, 0.32 + 0.12 * rng.standard_normal()),
        }
        loss = planted(size, horizon, **drawn) * np.exp(0.004 * rng.standard_normal(n_horizons))
        law = fit_loss_law(size, horizon, loss, even(n_horizons, seed=i), noise_sd=0.004, seed=i)
        told = np.array(law.draws)
        far = 4 * horizon[-1]
        losses = told[:, 0] + told[:, 3] * far ** -told[:, 4]
        truth = planted(1e5, far, **drawn)
        low, middle, high = np.quantile(losses, [0.05, 0.5, 0.95])
        hits += low <= truth <= high
        narrow += abs(truth - middle) <= (high - low) / 16
    assert hits >= 0.82 * n
    assert narrow <= 0.6 * n, "an eighth of the interval must miss often"
