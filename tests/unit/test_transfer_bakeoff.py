"""The bake-off's own parts: the drawn table, the peers, and how regret is read."""

import math

import _transfer_bakeoff as bakeoff
import numpy as np
import pytest
from _transfer_bakeoff import LONGEST_FITTED, PEERS, PLAN, SKALD, Trial, _drawn, _Regret, skald
from _transfer_dense import CELLS, VARIABLE, Dense, drawn_table, published_table, surface
from _transfer_peers import CELL, argmin, cell_quadratics, steplaw


@pytest.fixture(scope="module")
def table():
    return drawn_table(np.random.default_rng(1))


def test_the_drawn_table_has_the_design(table):
    sizes = table.groupby(CELL).size()
    assert len(sizes) == len(CELLS) == 17 and set(sizes) == {120}
    assert (table["horizon_tokens"] <= LONGEST_FITTED).sum() == 9 * 120
    assert 0 < table["diverged"].sum() < 0.1 * len(table)
    assert table.loc[table["diverged"], "loss"].isna().all()


def test_the_surface_lies_outside_the_families():
    """Neither a parabola in the rate, nor a ridge that is straight in the batch or the horizon."""

    def lowest(y, t):
        grid = np.linspace(-14, -4, 2001)
        return grid[np.argmin([surface(x, y, 28.5, t)[1] for x in grid])]

    at = lowest(19, 34)
    rise = [surface(at + step, 19, 28.5, 34)[1] - surface(at, 19, 28.5, 34)[1] for step in (2, -2)]
    assert rise[0] > 1.2 * rise[1] > 0
    by_batch = [lowest(y, 34) for y in (16, 18.5, 21)]
    by_horizon = [lowest(19, t) for t in (32, 34, 36)]
    for low, middle, high in (by_batch, by_horizon):
        assert abs(high - 2 * middle + low) > 0.15


def test_regret_is_none_at_the_best_run_and_grows_away_from_it(table):
    (_, runs) = next(iter(table[table["horizon_tokens"] > LONGEST_FITTED].groupby(CELL)))
    cost = _Regret(runs)
    best = runs.loc[runs["loss"].idxmin()]
    at = math.log2(best["lr"]), math.log2(best["global_batch_tokens"])
    assert cost(*at) == pytest.approx(0, abs=1e-4)
    assert cost(at[0] - 2, at[1]) > 0.3
    assert cost(at[0] - 20, at[1]) > cost(at[0] - 2, at[1])


@pytest.mark.parametrize("fit", [argmin, steplaw, cell_quadratics])
def test_peers_find_a_power_law_in_a_clean_dense_table(table, fit):
    clean = table[~table["diverged"]].copy()
    n, t = (np.log2(clean[name].astype(float)) for name in CELL)
    y = np.log2(clean["global_batch_tokens"].astype(float)) - (18.5 + 0.5 * (t - 34))
    x = np.log2(clean["lr"]) - (-9 + 0.3 * (t - 34) - 0.5 * (n - 28.5))
    clean["loss"] = np.exp(1 + 0.005 * x**2 + 0.004 * y**2 - 0.003 * x * y)
    choose = fit(clean)
    chosen = choose(2.0**28.5, 2.0**34), choose(2.0**28.5, 2.0**36)
    # Grid steps of half an octave of rate and up to one of batch.
    assert chosen[0] == pytest.approx((-9, 18.5), abs=0.4)
    assert chosen[1][0] - chosen[0][0] == pytest.approx(0.6, abs=0.3)
    assert chosen[1][1] - chosen[0][1] == pytest.approx(1.0, abs=0.4)


def test_skald_chooses_what_costs_little_from_twelve_runs_a_cell(table):
    fitted = table[table["horizon_tokens"] <= LONGEST_FITTED]
    choosers = skald(_drawn(fitted, 12, np.random.default_rng(0)))
    held_out = table[table["horizon_tokens"] > LONGEST_FITTED]
    for choose in choosers.values():
        costs = [
            cost(*choose(cost.size, cost.horizon))
            for cost in (_Regret(runs) for _, runs in held_out.groupby(CELL))
        ]
        assert np.mean(costs) < 0.2


def trials(**regrets):
    """Trials of every fitter, the same for all whose regrets are not given."""
    rng, same = np.random.default_rng(0), [0.3] * 8
    fitters = {SKALD: [0.1] * 8, PLAN: [0.1] * 8} | dict.fromkeys(PEERS, same) | regrets
    return {
        name: [Trial(one, rng.normal(0, 0.01 if name == SKALD else 1)) for one in found]
        for name, found in fitters.items()
    }


def test_every_peer_is_held_to_a_bound_that_an_equal_or_a_lucky_one_breaks():
    own, published = (Dense(None, "", known) for known in (False, True))
    rows = bakeoff.published_rows({bakeoff.AT: trials()}, published)
    assert all(row.holds and row.measure.startswith("StepLaw's runs: ") for row in rows)
    assert all(sum(peer in row.measure for row in rows) == 2 for peer in PEERS)
    for peer in PEERS:
        for equal in ([0.1] * 8, [0.0, 0.3] * 4):
            row = bakeoff._compared(trials(**{peer: equal}), peer, bakeoff.AT, own)
            assert not row.holds and not row.measure.startswith("StepLaw")
    assert not bakeoff._aim(trials(**{SKALD: [0.3] * 8}), own).holds


def test_the_published_table_is_said_to_be_missing_where_no_path_is_given(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert published_table() is None
    row = bakeoff._not_at_hand()
    assert row.holds is None and row.value is None and VARIABLE in row.detail
    (there,) = {row.measure} & {
        one.measure for one in bakeoff.published_rows({bakeoff.AT: trials()}, Dense(None, "", True))
    }
    assert there == row.measure
