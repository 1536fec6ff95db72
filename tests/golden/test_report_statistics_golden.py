"""Statistics against figures worked out elsewhere."""

import numpy as np
import pytest
from scipy import stats
from skald_report.statistics.comparison import (
    MCNEMAR,
    PAIRED_T,
    mcnemar_exact,
    minimum_detectable,
    paired_differences,
    strictest,
    verdicts,
)
from skald_report.statistics.families import benjamini_hochberg, holm
from skald_report.statistics.intervals import scale_of, scores_with_intervals, wilson
from skald_report.statistics.means import Cell, hierarchical_mean, mean_differences, mean_interval
from skald_report.statistics.noise import (
    checkpoint_deviation,
    seed_deviation,
    signal,
    signal_to_noise,
)
from skald_report.statistics.spread import displacements, spread
from skald_report.statistics.sums import chance_corrected, ratios, sums


def scored(scores, keys=None, binary=True, weights=None, bits=False):
    """Return the intervals of one model."""
    values = np.asarray(scores, float)[:, None]
    keys = np.arange(len(values)) if keys is None else keys
    cells = sums(values, np.ones(len(values)) if weights is None else weights, keys)
    return scores_with_intervals(cells, binary, scale_of(cells, bits))


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
    library = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((library.low, library.high), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # 2 P(X <= min) for X ~ Binomial(first + second, 1/2), summed by hand.
    [(0, 5, 2 / 32), (1, 5, 14 / 64), (2, 10, 158 / 4096), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_mcnemar_is_the_exact_binomial_tail(first, second, p):
    assert mcnemar_exact([first, second], [second, first]) == pytest.approx([p, p])
    if first + second:
        assert p == pytest.approx(stats.binomtest(first, first + second).pvalue)


def test_holm_and_benjamini_hochberg_equal_worked_examples():
    # Holm: 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1 raised to what precedes them.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    # The fifteen p values of Benjamini and Hochberg 1995, section 4: four are found at 5 %, by
    # Bonferroni and Holm three.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))


def test_without_clusters_the_error_is_that_of_a_mean_and_the_test_the_paired_t():
    rng = np.random.default_rng(3)
    values = rng.normal(2, 1, (40, 2))
    cells = sums(values, np.ones(40), np.arange(40))
    found = spread(displacements(cells), 40)
    assert found.se == pytest.approx(stats.sem(values))
    pair = paired_differences(values, np.ones(40), np.arange(40), [0], [1])
    expected = stats.ttest_rel(values[:, 0], values[:, 1])
    # One cluster more is counted than there are, and kurtosis sets the degrees of freedom.
    t = expected.statistic / np.sqrt(1 + 1 / 40)
    assert pair.p[0] == pytest.approx(2 * stats.t.sf(abs(t), pair.df[0]))
    assert pair.test[0] == PAIRED_T


def test_the_error_of_a_ratio_is_the_jackknife_over_whole_clusters():
    bits, n_bytes = np.array([2.0, 3.0, 10.0, 4.0]), np.array([10.0, 30.0, 40.0, 20.0])
    keys = np.array([0, 0, 1, 2])
    cells = sums((bits / n_bytes)[:, None], n_bytes, keys)
    assert ratios(cells)[0] == pytest.approx(19 / 100)
    left_out = np.array([14 / 60, 9 / 60, 15 / 80])
    by_hand = np.sqrt(2 / 3 * ((left_out - 0.19) ** 2).sum())
    assert spread(displacements(cells), 3).se[0] == pytest.approx(by_hand)


def test_degrees_of_freedom_follow_the_kurtosis():
    rng = np.random.default_rng(5)
    normal = rng.normal(size=(400, 300))
    few = np.zeros((400, 1))
    few[:4, 0] = [1, -1, 1, -1]
    assert 330 < np.median(spread(normal, 400).df) <= 399
    # Four clusters of 400 decide: about twice as many degrees of freedom, not 399.
    assert 6 < spread(few, 400).df[0] < 10


def test_bits_per_byte_is_a_ratio_of_sums():
    found = scored([1.0, 3.0], binary=False, weights=np.array([100.0, 300.0]), bits=True)
    assert found.estimate[0] == pytest.approx(1000 / 400)
    assert found.method[0] == "Student's t over keys, log scale"


def test_the_interval_follows_the_clusters():
    alone = scored(np.tile([1.0, 0.0], 50))
    together = scored(np.repeat([1.0, 0.0], 50), np.repeat(np.arange(10), 10))
    assert (alone.method[0], together.method[0]) == ("Wilson", "Wilson over keys")
    assert together.n_keys[0] == 10
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_equal_answers_still_have_an_interval_over_keys():
    found = scored(np.ones(40), np.repeat(np.arange(10), 4))
    assert (found.low[0], found.high[0]) == (pytest.approx(float(wilson(10, 10).low)), 1.0)


def test_one_cluster_gives_an_estimate_and_no_interval():
    for binary in (True, False):
        found = scored([1.0, 0.0], np.zeros(2), binary)
        assert found.estimate[0] == 0.5
        assert np.isnan([found.low[0], found.high[0], found.se[0]]).all()


def test_scores_beyond_one_are_no_shares():
    cells = sums([[31.0], [55.0]], np.ones(2), np.arange(2))
    assert scale_of(cells, False) == "other"
    assert scores_with_intervals(cells, False, "other").high[0] > 55


def test_chance_is_taken_off():
    cells = sums([[1.0], [1.0], [0.0], [0.0]], np.ones(4), np.arange(4))
    assert ratios(chance_corrected(cells, 0.25)) == pytest.approx([1 / 3])
    assert ratios(chance_corrected(cells, 0.5)) == pytest.approx([0.0])
    with pytest.raises(ValueError, match="leaves nothing above"):
        chance_corrected(cells, 1.0)


def test_differences_are_taken_on_the_items_that_both_answered():
    scores = np.array([[1, 0, 1], [1, 1, np.nan], [0, 0, np.nan], [1, 0, 0], [1, 0, 1.0]])
    found = paired_differences(scores, np.ones(5), np.arange(5), [0, 0, 1], [1, 2, 1])
    assert found.n_items.tolist() == [5, 3, 5]
    assert found.difference == pytest.approx([3 / 5, 1 / 3, 0])
    assert found.p == pytest.approx([2 / 8, 1.0, 1.0])
    assert set(found.test) == {MCNEMAR}
    nothing = paired_differences([[1.0, np.nan], [np.nan, 1.0]], np.ones(2), [0, 1], [0], [1])
    assert nothing.n_items[0] == 0
    assert np.isnan([nothing.difference[0], nothing.p[0]]).all()
    assert verdicts(nothing.difference, nothing.p)[0] == "tie"


def test_clusters_that_all_differ_alike_are_as_sure_as_their_number():
    for n, told in ((4, False), (12, True)):
        scores = np.tile([[1.0, 0.0]], (2 * n, 1))
        found = paired_differences(scores, np.ones(2 * n), np.repeat(np.arange(n), 2), [0], [1])
        assert found.p[0] == pytest.approx(2.0 ** (1 - n))
        assert (found.low[0] > 0) == told
        assert found.high[0] == 1


def test_the_detectable_effect_is_millers_with_many_clusters_and_larger_with_few():
    # z_0.975 + z_0.8 = 1.960 + 0.842.
    assert minimum_detectable(0.01, 1e9, 1e9) == pytest.approx(0.02802, abs=1e-5)
    assert minimum_detectable(0.01, 8, 1e9) > 0.0315
    assert np.isnan(minimum_detectable(0.0, 8, 8))


def test_the_detectable_effect_is_that_of_the_corrected_test_with_its_own_error():
    # z at 0.05 / 66 is 3.368; ten differing clusters make the error sqrt(1.1) times as large.
    assert strictest(66) == pytest.approx(0.05 / 66)
    found = minimum_detectable([0.01, 0.01], 1e9, 1e9, strictest([1, 66]))
    assert found == pytest.approx([0.02802, 0.04209], abs=1e-5)
    assert minimum_detectable(0.01, 1e9, 10) == pytest.approx(0.02802 * 1.1**0.5, abs=1e-5)


def test_nothing_is_detectable_where_signs_of_so_few_clusters_cannot_reach_the_level():
    # 2^-4 > 0.05 > 2^-5; at 0.05 / 66 eleven clusters (2^-10 = 0.00098) are too few, twelve are not.
    assert np.isnan(minimum_detectable(0.01, 8, [5, 6])).tolist() == [True, False]
    assert np.isnan(minimum_detectable(0.01, 8, [11, 12], 0.05 / 66)).tolist() == [True, False]


def test_verdicts_know_which_way_is_better():
    told = verdicts([0.1, -0.1, 0.1], [0.01, 0.01, 0.2])
    assert told.tolist() == ["better", "worse", "tie"]
    assert verdicts([0.1, -0.1], [0.01, 0.01], higher_is_better=False).tolist() == [
        "worse",
        "better",
    ]


def test_the_mean_weighs_tasks_within_a_language_then_languages():
    def cell(language, task, scores):
        keys = np.arange(len(scores)) + 100 * task + 1000 * language
        return Cell(
            language, task, sums(np.array(scores, float)[:, None], np.ones(len(scores)), keys)
        )

    cells = [cell(0, 0, [1, 1, 0, 0]), cell(0, 1, [1] * 8), cell(1, 0, [0, 0, 0, 1])]
    mean = hierarchical_mean(cells)
    assert mean.estimate[0] == pytest.approx(((0.5 + 1) / 2 + 0.25) / 2)
    told = mean_interval(mean, "share")
    # Errors add in squares with the weights 1/4, 1/4 and 1/2.
    assert told.se[0] == pytest.approx(np.hypot(np.sqrt(1 / 12) / 4, 0.25 / 2))
    assert np.isnan(told.low_tasks[0])
    with pytest.raises(ValueError, match="tasks and languages"):
        hierarchical_mean([cells[0], cells[0]])


def test_languages_that_tell_the_same_scenes_are_no_more_evidence_than_one():
    scenes = np.random.default_rng(19).normal(size=(40, 2))

    def mean(step):
        return hierarchical_mean(
            [Cell(i, 0, sums(scenes, np.ones(40), np.arange(40) + step * i)) for i in range(4)]
        )

    one = spread(displacements(sums(scenes, np.ones(40), np.arange(40))), 40)
    joint, separate = mean_interval(mean(0), "other"), mean_interval(mean(100), "other")
    assert joint.se == pytest.approx(one.se)
    assert separate.se == pytest.approx(one.se / 2)
    assert mean_differences(mean(0), [0], [1]).se > mean_differences(mean(100), [0], [1]).se


def test_seed_noise_is_pooled_and_its_interval_is_wide():
    found = seed_deviation([[1.0, 2.0, 3.0], [5.0, 5.0], [9.0]])
    assert found.df == 3
    assert found.sd == pytest.approx(np.sqrt(2 / 3))
    low, high = np.sqrt(2 / stats.chi2.ppf([0.975, 0.025], 3))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert np.isnan(seed_deviation([[4.0], []]).sd)


def test_signal_to_noise_takes_the_largest_noise_known():
    assert signal([1.0, 2.0, 3.0, np.nan]) == 1
    assert signal_to_noise(1.0, [0.2, 0.5, np.nan]) == 2
    assert np.isnan(signal_to_noise(1.0, [np.nan]))
    assert np.isnan(signal([1.0]))
    assert checkpoint_deviation([[1.0, 2.0], [3.0, 2.0]]) == pytest.approx([np.sqrt(2), 0])
    assert np.isnan(checkpoint_deviation([[1.0, 2.0]])).all()


def test_statistics_refuse_what_does_not_belong_together():
    with pytest.raises(ValueError, match="as many items"):
        sums([[1.0]], [1.0, 1.0], [0, 1])
    with pytest.raises(ValueError, match="as many items"):
        sums(np.empty((0, 1)), [], [])
