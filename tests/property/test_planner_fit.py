"""The fit finds what was planted, and its intervals cover as often as they say."""

import math

import numpy as np
import pytest
from skald_planner.fit import fit_law
from skald_planner.law import predict
from skald_specs.law import Law
from support_planner import GRID, optimum, run_table

DRAWS = 200
FAR = 786_432


def covers(interval, value):
    return interval[0] <= value <= interval[1]


@pytest.mark.parametrize("noise", [0.003, 0.01])
@pytest.mark.parametrize(
    ("horizons", "seeds"), [((131_072, 262_144), (1,)), ((65_536, 131_072, 262_144), (1, 2, 3))]
)
def test_coverage(noise, horizons, seeds):
    rng, exponent = np.random.default_rng(7), -0.45
    optima, exponents, predictions = [], [], []
    for _ in range(DRAWS):
        at_first = -7.6 + rng.uniform(-0.5, 0.5)
        law = fit_law(run_table(rng, exponent, at_first, horizons, seeds, noise))
        optima += [
            covers(o.interval, optimum(o.horizon_tokens, exponent, at_first)) for o in law.optima
        ]
        exponents.append(covers(law.horizon_exponent.measured_interval, exponent))
        interval = predict(law, FAR).interval
        predictions.append(covers(interval, 2 ** optimum(FAR, exponent, at_first)))
    shares = [sum(hits) / len(hits) for hits in (optima, exponents, predictions)]
    print(
        f"coverage at 95 %: optima {shares[0]:.3f}, exponent {shares[1]:.3f}, far {shares[2]:.3f}"
    )
    assert min(shares) >= 0.88


def test_without_noise_the_planted_law_comes_back():
    table = run_table(np.random.default_rng(0), -0.5, noise=0.0, horizons=(2**16, 2**17, 2**18))
    law = fit_law(table)
    assert law.horizon_exponent.measured == pytest.approx(-0.5, abs=1e-6)
    for found in law.optima:
        assert found.log2_lr == pytest.approx(optimum(found.horizon_tokens, -0.5), abs=1e-6)
        assert found.curvature == pytest.approx(0.03, rel=1e-6)
    # The prior (-0.3) still pulls, and says by how much.
    pulled = law.horizon_exponent
    assert -0.5 < pulled.value < -0.45
    assert pulled.value == pytest.approx(-0.5 + 0.2 * pulled.prior_share, abs=1e-6)


def test_the_intervals_are_not_empty_promises():
    """An interval narrowed to a quarter must miss often; otherwise covering would mean nothing."""
    rng, hits = np.random.default_rng(3), []
    for _ in range(DRAWS):
        found = fit_law(run_table(rng, noise=0.01, seeds=(1, 2, 3))).optima[0]
        half = (found.interval[1] - found.interval[0]) / 8
        hits.append(abs(found.log2_lr - optimum(found.horizon_tokens, -0.3)) <= half)
    assert sum(hits) / DRAWS < 0.6


def test_extrapolation_widens_the_interval():
    law = fit_law(run_table(np.random.default_rng(1)))
    widths = [
        math.log2(interval[1] / interval[0])
        for horizon in (2**18, 2**20, 2**24, 2**41)
        if (interval := predict(law, horizon).interval)
    ]
    assert widths == sorted(widths)
    assert widths[1] > 1.5 * widths[0]
    assert widths[3] > 5


def test_noisier_sweeps_lean_on_the_prior():
    shares = []
    for noise in (0.001, 0.01, 0.02):
        rng = np.random.default_rng(5)
        laws = [fit_law(run_table(rng, noise=noise)) for _ in range(30)]
        shares.append(np.mean([law.horizon_exponent.prior_share for law in laws]))
    assert shares == sorted(shares)
    assert shares[0] < 0.5 < shares[2]


def test_one_horizon_predicts_the_same_rate_and_says_so():
    law = fit_law(run_table(np.random.default_rng(2), horizons=(2**17,)))
    there, far = predict(law, 2**17), predict(law, FAR)
    assert there.standing == "fitted"
    assert far.standing == "assumed"
    assert "assumed" in far.source
    assert far.value == there.value
    assert far.interval[0] < there.interval[0] < there.interval[1] < far.interval[1]


def test_law_survives_its_file(tmp_path):
    law = fit_law(run_table(np.random.default_rng(4), seeds=(1, 2)))
    law.save(tmp_path / "law.json")
    assert Law.load(tmp_path / "law.json") == law
    assert len(law.points) == 2 * 2 * len(GRID)


def test_row_order_changes_nothing():
    table = run_table(np.random.default_rng(6), seeds=(1, 2))
    assert fit_law(table.sample(frac=1, random_state=1)) == fit_law(table)
