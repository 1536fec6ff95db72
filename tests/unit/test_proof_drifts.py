"""Rows of the muP proof on learning rates, and of the transfer proof outside its forms, on drawn numbers."""

import _mup_sweeps as sweeps
import _transfer_coverage as coverage
import numpy as np
import pandas as pd
import pytest
from _mup_coordinates import over_depth
from _transfer_surfaces import BEND, TAILS, Disturbance, bent, drawn_truth
from skald_mup.coordcheck import Check
from skald_mup.slopes import Slope


def runs(optima, step=0.5, scatter=0.0):
    """Runs on parabolas about the given optima, three seeds, each seed's optimum scattered."""
    return pd.DataFrame(
        {
            "width": width, "lr": 2.0**x, "seed": seed, "diverged": False, "horizon_tokens": 1,
            "loss": float(np.exp(0.05 * (x - at - scatter * (seed - 2) * (width == 64)) ** 2)),
        }
        for width, at in optima.items()
        for x in np.arange(-10, -2 + step, step)
        for seed in (1, 2, 3)
    )  # fmt: skip


def rows(*args, **more):
    return sweeps.drift_measures("muP", *args, "width", 0.5, **more)


def test_what_stays_where_it_is_holds_by_its_interval_and_between_any_two_sizes() -> None:
    ends, by_interval, apart = rows(runs({32: -6.0, 48: -6.1, 64: -6.2}, scatter=0.05))
    assert all(row.holds for row in (ends, by_interval, apart))
    assert ends.value == pytest.approx(0.2, abs=0.02) and by_interval.value > ends.value
    assert "steps, octaves: 0.5" in ends.detail


def test_a_noisy_drift_fails_by_its_interval_alone() -> None:
    ends, by_interval, _ = rows(runs({32: -6.0, 48: -6.0, 64: -6.0}, scatter=0.5))
    assert ends.holds and not by_interval.holds


def test_a_middle_that_strays_fails_between_any_two_sizes_alone() -> None:
    ends, by_interval, apart = rows(runs({32: -6.0, 48: -7.0, 64: -6.0}))
    assert ends.holds and by_interval.holds and not apart.holds
    assert apart.value == pytest.approx(1, abs=0.02) and "48 and 32" in apart.detail


def test_a_control_must_move_and_says_how_coarse_its_grid_is() -> None:
    control = rows(runs({32: -4.0, 64: -7.0}, step=1.0), control=True)
    assert len(control) == 2 and all(row.holds for row in control)
    assert "steps, octaves: 1" in control[0].detail and "2^-7" in control[0].detail
    assert not any(row.holds for row in rows(runs({32: -6.0, 64: -6.2}), control=True))


def check(residual, attention=0.0):
    return Check(
        "depth",
        (),
        (
            Slope("depth", "change", "residual", 5, residual, 0.0, (-0.6, 0.15), "it decays"),
            Slope("depth", "change", "attn_logits", 5, attention, 0.0, (-0.15, 0.15)),
        ),
        (),
    )


def test_depth_may_let_the_residual_stream_decay_and_nothing_else() -> None:
    good, control = over_depth(check(-0.2), check(1.0))
    assert good.holds and control.holds and "it decays" in good.detail
    bad, still = over_depth(check(0.3, attention=-0.2), check(0.1))
    assert bad.value == 2 and not bad.holds and not still.holds


def test_a_bent_truth_leaves_the_forms_and_heavy_tails_keep_the_variance() -> None:
    rng = np.random.default_rng(0)
    truth = drawn_truth("power", "medium", rng)
    curved = bent(truth, rng)
    at = [float(curved.ridge(truth.t0 + d, truth.y0, truth.n0)) for d in (-2, 0, 2)]
    straight = [float(truth.ridge(truth.t0 + d, truth.y0, truth.n0)) for d in (-2, 0, 2)]
    assert abs(at[0] - 2 * at[1] + at[2]) == pytest.approx(8 * BEND)
    assert straight[0] - 2 * straight[1] + straight[2] == pytest.approx(0)
    heavy, normal = (Disturbance(tails=t).unit_noise(200_000, rng) for t in (TAILS, None))
    assert np.std(normal) == pytest.approx(1, abs=0.01) and 0.7 < np.std(heavy) < 1.6
    assert np.mean(np.abs(heavy) > 5) > 1e-3 > np.mean(np.abs(normal) > 5)


def test_coverage_outside_the_forms_is_told_beside_the_same_truths_without_a_bound() -> None:
    base = [
        {"kind": "power", "design": "small", "noise": coverage.OUTSIDE_NOISE, "number": n,
         "octaves": k, "middle": 0.0, "expected": 0.1, "refused": "", "covered": True}
        for n in range(4) for k in coverage.BEYOND
    ]  # fmt: skip
    other = [
        row | {"outside": how, "covered": row["number"] > 0}
        for how in coverage.OUTSIDES
        for row in base
    ]
    for row in coverage.covered_outside(pd.DataFrame(other), pd.DataFrame(base)):
        assert row.value == 0.75 and row.bound == "no bound" and "1.000" in row.detail
        assert "4 tables" in row.detail


def test_weights_that_tell_no_form_apart_do_not_hold() -> None:
    def told(weight):
        return pd.DataFrame(
            {"kind": kind, "octaves": 0, "weight": weight + d}
            for kind in coverage.KINDS for d in (0.0, 0.01)
        )  # fmt: skip

    assert all(row.holds for row in coverage._survived(told(0.4)))
    assert not any(row.holds for row in coverage._survived(told(0.3)))
