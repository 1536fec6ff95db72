"""Statistics against figures worked out elsewhere."""

import numpy as np
import pytest
from skald_report.statistics.families import holm
from skald_report.statistics.scalar import (
    cluster_bootstrap,
    clusters,
    macro_mean,
    mcnemar_exact,
    paired_difference,
    proportion,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_newcombes_table(successes, n, low, high):
    found = wilson(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # 2 P(X <= min) for X ~ Binomial(first + second, 1/2), summed by hand.
    [(0, 5, 2 / 32), (1, 5, 14 / 64), (2, 10, 158 / 4096), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_mcnemar_is_the_exact_binomial_tail(first, second, p):
    assert mcnemar_exact(first, second) == pytest.approx(p)
    assert mcnemar_exact(second, first) == pytest.approx(p)


def test_holm_equals_a_worked_example():
    # Four p values: 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1 raised to what precedes them.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_bits_per_byte_is_a_ratio_of_sums():
    found = cluster_bootstrap(clusters([100.0, 900.0], [100, 300], ["a", "b"]))
    assert found.estimate == pytest.approx(1000 / 400)
    assert found.estimate != pytest.approx((1 + 3) / 2)


def test_macro_mean_weighs_languages_equally():
    small = clusters([1.0, 0.0], [1, 1], ["a", "b"])
    large = clusters(np.ones(98), np.ones(98), [f"k{i}" for i in range(98)])
    assert macro_mean([small, large]).estimate == pytest.approx(0.75)


def test_the_interval_follows_the_clusters():
    right = np.tile([1.0, 0.0], 50)
    alone = proportion(right, np.arange(100))
    together = proportion(np.repeat([1.0, 0.0], 50), np.repeat(np.arange(10), 10))
    assert alone.method == "Wilson"
    assert together.method == "cluster bootstrap"
    assert together.n_clusters == 10
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_equal_answers_still_have_an_interval_over_keys():
    found = proportion(np.ones(40), np.repeat(np.arange(10), 4))
    assert found.method == "Wilson over keys"
    assert (found.low, found.high) == (pytest.approx(wilson(10, 10).low), 1.0)


def test_one_cluster_gives_an_estimate_and_no_interval():
    found = cluster_bootstrap(clusters([3.0, 5.0], [2, 2], ["a", "a"]))
    assert found.estimate == 2.0
    assert np.isnan([found.low, found.high]).all()


def test_statistics_refuse_what_does_not_belong_together():
    with pytest.raises(ValueError, match="as many items"):
        clusters([1.0], [1.0, 1.0], ["a", "b"])
    with pytest.raises(ValueError, match="as many items"):
        clusters([], [], [])
    first, second = clusters([1.0], [1], ["a"]), clusters([1.0], [1], ["b"])
    with pytest.raises(ValueError, match="same keys"):
        paired_difference(first, second)
