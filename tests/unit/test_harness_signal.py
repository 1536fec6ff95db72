"""Task signal: curves that follow training are told from those that do not."""

import math
import random

import pytest
from skald_harness.running.signal import (
    noise_of,
    signal_report,
    signal_table,
    spearman,
    task_signal,
)
from skald_specs.curves import ScorePoint


def curve(scores, higher_is_better=True, task="t"):
    return [
        ScorePoint(
            run="r", step=100 * (i + 1), tokens=1000 * (i + 1), plan_fingerprint="p",
            weights_sha256=str(i), suite="s", task=task, version=1.0,
            data_sha256="d", kind="pairs", language="da", metric="acc",
            score=score, standard_error=None, n_items=100, higher_is_better=higher_is_better,
        )
        for i, score in enumerate(scores)
    ]  # fmt: skip


def learning(n, gain, noise, rng):
    return [gain * (1 - math.exp(-4 * i / n)) + rng.gauss(0, noise) for i in range(n)]


def verdicts(n_points, gain, n_curves=300):
    rng = random.Random(f"{n_points} {gain}")
    found = [
        task_signal(curve(learning(n_points, gain, 0.01, rng))).verdict for _ in range(n_curves)
    ]
    return sum(verdict == "carries signal" for verdict in found) / n_curves


@pytest.mark.parametrize("n_points", [5, 10, 20])
def test_noise_carries_no_signal_and_a_gain_far_above_it_does(n_points):
    assert verdicts(n_points, gain=0.0) <= 0.09
    assert verdicts(n_points, gain=0.15) >= 0.95


def test_getting_worse_is_no_signal_and_less_may_be_better():
    falling = [1.0 - 0.1 * i for i in range(6)]
    assert task_signal(curve(falling)).verdict == "does not"
    bits = task_signal(curve(falling, higher_is_better=False))
    assert bits.verdict == "carries signal"
    assert bits.monotonicity == pytest.approx(1)
    assert bits.gain == pytest.approx(0.5)


def test_few_points_and_a_constant_score_are_no_verdict_of_signal():
    assert task_signal(curve([0.1, 0.2, 0.3, 0.4])).verdict == "too few points"
    flat = task_signal(curve([0.25] * 8))
    assert (flat.monotonicity, flat.noise, flat.signal_to_noise) == (None, 0, None)
    assert flat.verdict == "does not"
    # A straight line has no noise about itself.
    assert task_signal(curve([0.1 * i for i in range(8)])).verdict == "carries signal"


def test_a_climb_that_later_noise_swallows_is_no_signal():
    scores = [0.5, 0.52, 0.54, 0.7, 0.3, 0.75, 0.35, 0.8, 0.45, 0.7]
    found = task_signal(curve(scores))
    assert found.signal_to_noise is not None
    assert found.signal_to_noise < 3
    assert found.verdict == "does not"


def test_the_numbers_are_those_of_their_definitions():
    assert spearman([1.0, 2.0, 3.0]) == pytest.approx(1)
    assert spearman([3.0, 1.0, 2.0]) == pytest.approx(-0.5)
    # scipy.stats.spearmanr([1, 2, 3, 4, 5], [1, 1, 2, 3, 3])
    assert spearman([1.0, 1.0, 2.0, 3.0, 3.0]) == pytest.approx(0.9486832980505138)
    rng = random.Random(1)
    line = [0.01 * i + rng.gauss(0, 0.2) for i in range(4000)]
    assert noise_of(line) == pytest.approx(0.2, rel=0.05)
    assert noise_of([1.0, 2.0, 3.0]) is None


def test_a_report_has_every_task_and_says_the_rule():
    points = curve([0.1, 0.2], task="b") + curve([0.1 * i for i in range(8)], task="a")
    random.Random(0).shuffle(points)
    report = signal_report("r", points)
    assert [task.task for task in report.tasks] == ["a", "b"]
    table = signal_table(report)
    assert "too few points" in table
    assert table.endswith(report.rule)
