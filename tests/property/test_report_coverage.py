"""Intervals cover and tests keep their level on clustered items; what ignores clusters does neither.

A small version of the report's proof, whose designs are four times as many evaluations each.
"""

import numpy as np
import pytest
from _report_truths import (
    accuracies,
    answered_pairs,
    drawn_tasks,
    inside,
    languages,
    outcome,
    share_of,
    text_pairs,
    texts,
)
from scipy import special
from skald_report.statistics.comparison import mcnemar_exact
from skald_report.statistics.families import benjamini_hochberg, holm
from skald_report.statistics.intervals import scores_with_intervals, wilson
from skald_report.statistics.means import hierarchical_mean, mean_differences, mean_interval
from skald_report.statistics.spread import displacements
from skald_report.statistics.sums import ratios

N = 1_000
#: 3.3 standard errors of a share of 0.95 or 0.05 of so many evaluations.
MARGIN = 3.3 * (0.95 * 0.05 / N) ** 0.5


def covers(held):
    """Return whether a share is between 93 and 97 %, as far as so few evaluations can tell."""
    return 0.93 - MARGIN <= share_of(held) <= 0.97 + MARGIN


@pytest.mark.parametrize("n_clusters", [20, 100])
@pytest.mark.parametrize("share", [0.3, 0.8])
@pytest.mark.parametrize("correlation", [0.1, 0.5])
def test_accuracies_of_clustered_items(n_clusters, share, correlation):
    rng = np.random.default_rng(31)
    cells = accuracies(rng, n_clusters, N, share, correlation)
    found = scores_with_intervals(cells, True, "share")
    assert covers(inside(found.low, found.high, share))
    naive = wilson(cells.top.sum(0), cells.bottom.sum(0))
    assert share_of(inside(naive.low, naive.high, share)) < 0.9


@pytest.mark.parametrize("kind", ["alike", "skewed", "short-harder"])
def test_bits_per_byte_of_texts_of_very_unequal_length(kind):
    rng = np.random.default_rng(37)
    cells, truth = texts(rng, 50, N, 1.0, kind)
    found = scores_with_intervals(cells, False, "bits")
    assert covers(inside(found.low, found.high, truth))
    # A mean of the texts' own rates is another number where short texts are harder.
    mean = (cells.top / cells.bottom).mean(0)
    if kind == "short-harder":
        assert share_of(inside(found.low, found.high, float(mean.mean()))) < 0.9


@pytest.mark.parametrize(("latent", "gap"), [(0.0, 0.04), (0.7, 0.0), (0.7, 0.1)])
def test_paired_differences(latent, gap):
    rng = np.random.default_rng(41)
    pairs = answered_pairs(rng, 50, N, (0.6 + gap, 0.6), latent)
    found = outcome(pairs)
    assert covers(inside(found.low, found.high, gap))
    if not gap:
        assert share_of(found.p < 0.05) <= 0.06 + MARGIN
        one, other = (pairs.sums.top[:, side] for side in (pairs.first, pairs.second))
        # Clustered items taken for independent ones: equal models differ far too often.
        p = mcnemar_exact(np.maximum(one - other, 0).sum(0), np.maximum(other - one, 0).sum(0))
        assert share_of(p < 0.05) > 0.2


def test_few_discordant_items_do_not_make_a_difference():
    rng = np.random.default_rng(43)
    pairs = answered_pairs(rng, 50, N, (0.95, 0.95), 0.0, alike=0.99)
    found = outcome(pairs)
    assert share_of(found.p < 0.05) <= 0.06
    difference = ratios(pairs.sums)[pairs.first] - ratios(pairs.sums)[pairs.second]
    assert share_of(difference == 0) < 0.9


def test_an_unpaired_test_loses_what_pairing_finds():
    rng = np.random.default_rng(47)
    pairs = text_pairs(rng, 50, N, 0.5, 0.03)
    paired_power = share_of(outcome(pairs).p < 0.05)
    variance = (displacements(pairs.sums) ** 2).sum(0)
    error = np.sqrt(variance[pairs.first] + variance[pairs.second])
    scores = ratios(pairs.sums)
    z = (scores[pairs.first] - scores[pairs.second]) / error
    assert paired_power > 0.2
    assert share_of(2 * special.ndtr(-np.abs(z)) < 0.05) < paired_power / 4


@pytest.mark.parametrize("shared", [False, True])
def test_means_over_languages_and_their_differences(shared):
    rng = np.random.default_rng(53)
    drawn = languages(rng, (4, 2, 20), N, 0.7, 0.5, 0.03, shared)
    mean, first = hierarchical_mean(drawn.cells), np.arange(0, 2 * N, 2)
    told, gap = mean_interval(mean, "share"), mean_differences(mean, first, first + 1)
    assert covers(inside(told.low, told.high, drawn.truth)[1::2])
    assert covers(inside(gap.low, gap.high, drawn.gap))
    if shared:
        # The same keys taken for others in each language.
        apart = [
            cell._replace(sums=cell.sums._replace(keys=cell.sums.keys + 10_000 * cell.language))
            for cell in drawn.cells
        ]
        naive = mean_interval(hierarchical_mean(apart), "share")
        assert share_of(inside(naive.low, naive.high, drawn.truth)[1::2]) < 0.9


def test_tasks_drawn_anew_need_the_wider_interval():
    found = mean_interval(
        hierarchical_mean(drawn_tasks(np.random.default_rng(59), 3, 8, N, 0.6)), "share"
    )
    assert covers(inside(found.low_tasks, found.high_tasks, 0.6))
    assert share_of(inside(found.low, found.high, 0.6)) < 0.85


def test_uncorrected_families_err_and_holm_does_not():
    rng = np.random.default_rng(61)
    n_families, members = 400, 40
    found = outcome(answered_pairs(rng, 30, n_families * members, (0.6, 0.6), 0.5))
    p = found.p.reshape(members, n_families)
    assert share_of((p < 0.05).any(0)) > 0.5
    for correct in (holm, benjamini_hochberg):
        margin = 3.3 * (0.05 * 0.95 / n_families) ** 0.5
        assert share_of((correct(p) < 0.05).any(0)) <= 0.06 + margin


def test_a_clear_difference_survives_a_family_of_thousands():
    rng = np.random.default_rng(67)
    pairs = answered_pairs(rng, 200, 5_000, (0.6, 0.6), 0.3)
    p = outcome(pairs).p
    p[0] = outcome(answered_pairs(rng, 200, 1, (0.8, 0.4), 0.3)).p[0]
    assert holm(p)[0] < 1e-4
