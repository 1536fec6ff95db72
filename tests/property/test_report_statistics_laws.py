"""Laws of the report's statistics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_report.statistics.comparison import (
    mcnemar_exact,
    minimum_detectable,
    paired_differences,
    verdicts,
)
from skald_report.statistics.families import benjamini_hochberg, holm
from skald_report.statistics.intervals import scale_of, scores_with_intervals, wilson
from skald_report.statistics.means import (
    Cell,
    hierarchical_mean,
    mean_differences,
    mean_interval,
    worst,
)
from skald_report.statistics.sums import Sums, chance_corrected, sums

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
#: Items of two models and a key each.
ITEMS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 7)), min_size=2, max_size=60
)


def columns(items):
    """Return scores of two models and keys."""
    table = np.array(items, float)
    return table[:, :2], table[:, 2].astype(int)


def scored(scores, keys):
    cells = sums(scores, np.ones(len(scores)), keys)
    return scores_with_intervals(cells, True, scale_of(cells, False))


def compared(scores, keys, first=0, second=1):
    return paired_differences(scores, np.ones(len(scores)), keys, [first], [second])


def numbers(found):
    return [np.asarray(column, float) for column in found if np.asarray(column).dtype != object]


@given(st.integers(1, 400), st.data())
def test_wilson_stays_in_range_and_holds_the_estimate(n, data):
    k = data.draw(st.integers(0, n))
    found, mirrored, wider = wilson([k], [n]), wilson([n - k], [n]), wilson([10 * k], [10 * n])
    assert 0 <= found.low <= k / n <= found.high <= 1
    assert found.low < found.high
    assert mirrored.low == pytest.approx(1 - found.high)
    assert wider.high - wider.low < found.high - found.low
    if k < n:
        more = wilson([k + 1], [n])
        assert more.low >= found.low
        assert more.high >= found.high


@given(P_VALUES, st.randoms())
def test_corrections_never_lower_a_p_value_keep_order_and_follow_a_permutation(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    strict, lenient = holm(values), benjamini_hochberg(values)
    for correct, adjusted in ((holm, strict), (benjamini_hochberg, lenient)):
        assert all(p - 1e-12 <= a <= 1 for p, a in zip(values, adjusted, strict=True))
        in_order = [a for _, a in sorted(zip(values, adjusted, strict=True))]
        assert in_order == sorted(in_order)
        assert correct([values[i] for i in order]) == pytest.approx([adjusted[i] for i in order])
    assert (lenient <= strict + 1e-12).all()


@given(P_VALUES, P_VALUES)
def test_families_side_by_side_are_corrected_apart_and_missing_members_do_not_count(one, other):
    length = max(len(one), len(other)) + 1
    table = np.full((length, 2), np.nan)
    table[: len(one), 0], table[: len(other), 1] = one, other
    for correct in (holm, benjamini_hochberg):
        found = correct(table)
        assert found[: len(one), 0] == pytest.approx(correct(one))
        assert found[: len(other), 1] == pytest.approx(correct(other))
        assert np.isnan(found[len(one) :, 0]).all()


@settings(max_examples=60, deadline=None)
@given(ITEMS, st.randoms())
def test_nothing_depends_on_the_order_of_items_or_the_names_of_keys(items, random):
    scores, keys = columns(items)
    order = list(range(len(items)))
    random.shuffle(order)
    renamed = (17 - keys)[order]
    for ask in (scored, compared):
        first, second = ask(scores, keys), ask(scores[order], renamed)
        for one, other in zip(numbers(first), numbers(second), strict=True):
            assert one == pytest.approx(other, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_items_asked_twice_within_their_clusters_are_no_more_evidence(items):
    scores, keys = columns(items)
    # Wilson over items alone would take them for more.
    once = sums(scores, np.ones(len(keys)), keys)
    twice = sums(np.repeat(scores, 2, 0), np.ones(2 * len(keys)), np.repeat(keys, 2))
    first, second = (scores_with_intervals(each, False, "share") for each in (once, twice))
    assert first.low == pytest.approx(second.low, nan_ok=True)
    assert first.high == pytest.approx(second.high, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_scores_lie_in_their_intervals_and_intervals_between_0_and_1(items):
    found = scored(*columns(items))
    known = ~np.isnan(found.low)
    assert (found.low[known] >= 0).all()
    assert (found.low[known] <= found.estimate[known] + 1e-12).all()
    assert (found.estimate[known] <= found.high[known] + 1e-12).all()
    assert (found.high[known] <= 1).all()
    assert (found.low[known] < found.high[known]).all()


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_swapping_two_models_turns_the_difference_round(items):
    scores, keys = columns(items)
    there, back = compared(scores, keys), compared(scores, keys, 1, 0)
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, nan_ok=True)
    assert there.p == pytest.approx(back.p, nan_ok=True)
    assert not there.p < 0
    assert not there.p > 1


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_an_interval_leaves_out_zero_only_where_its_p_value_does(items):
    found = compared(*columns(items))
    if found.p[0] >= 0.05:
        assert found.low[0] <= 0 <= found.high[0]


@given(ITEMS)
def test_a_model_ties_with_a_copy_of_itself(items):
    scores, keys = columns(items)
    found = compared(scores[:, [0, 0]], keys)
    assert verdicts(found.difference, found.p).tolist() == ["tie"]
    assert np.isnan(minimum_detectable(found.se, found.df, found.n_differing)).all()
    assert found.difference == 0
    if len(set(keys)) > 1:
        assert (found.low, found.high, found.p) == (0, 0, 1)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_symmetric_and_surer_with_more_of_one_kind(one, other):
    p = mcnemar_exact([one, other, one + 1], [other, one, other])
    assert p[0] == p[1]
    if one >= other:
        assert p[2] <= p[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.5, 9), min_size=2, max_size=4), st.integers(2, 30))
def test_bits_per_byte_of_a_constant_rate_is_the_rate(rates, n):
    n_bytes = np.arange(1, n + 1) * 10.0
    cells = sums(np.tile(rates, (n, 1)), n_bytes, np.arange(n))
    found = scores_with_intervals(cells, False, "bits")
    assert found.estimate == pytest.approx(np.array(rates))
    assert found.low == pytest.approx(np.array(rates))
    assert found.high == pytest.approx(np.array(rates))


@st.composite
def panels(draw):
    """Return cells of three models in two to four languages, one to six tasks each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shared = draw(st.booleans())
    cells = []
    for language in range(draw(st.integers(2, 4))):
        for task in range(draw(st.integers(1, 6))):
            keys = rng.integers(0, 6, 20) + 100 * task + (0 if shared else 1000 * language)
            keys[:2] = 100 * task + (0 if shared else 1000 * language) + np.arange(2)
            right = (rng.random((20, 3)) < 0.6).astype(float)
            right[:, 2] = right[:, 1]
            cells.append(Cell(language, task, sums(right, np.ones(20), keys)))
    return cells


@settings(max_examples=40, deadline=None)
@given(panels(), st.randoms())
def test_a_mean_lies_among_its_cells_whatever_their_order(cells, random):
    mean = hierarchical_mean(cells)
    each = np.stack([cell.sums.top.sum(0) / cell.sums.bottom.sum(0) for cell in cells])
    assert (each.min(0) - 1e-12 <= mean.estimate).all()
    assert (mean.estimate <= each.max(0) + 1e-12).all()
    told = mean_interval(mean, "share")
    assert (told.low <= mean.estimate).all()
    assert (mean.estimate <= told.high).all()
    known = ~np.isnan(told.low_tasks)
    assert (told.low_tasks[known] <= told.low[known]).all()
    assert (told.high_tasks[known] >= told.high[known]).all()
    shuffled = list(cells)
    random.shuffle(shuffled)
    again = mean_interval(hierarchical_mean(shuffled), "share")
    for one, other in zip(told, again, strict=True):
        assert one == pytest.approx(other, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(panels())
def test_equal_models_have_equal_means_and_others_the_difference_of_theirs(cells):
    mean = hierarchical_mean(cells)
    found = mean_differences(mean, [0, 1, 1], [1, 0, 2])
    assert found.difference[0] == pytest.approx(mean.estimate[0] - mean.estimate[1])
    assert found.difference[0] == pytest.approx(-found.difference[1])
    assert found.p[0] == pytest.approx(found.p[1])
    assert (found.difference[2], found.low[2], found.high[2], found.p[2]) == (0, 0, 0, 1)


@settings(max_examples=40, deadline=None)
@given(panels(), st.floats(0, 0.5))
def test_taking_chance_off_moves_a_mean_and_its_interval_alike(cells, chance):
    lowest = -chance / (1 - chance)
    corrected = [
        cell._replace(sums=chance_corrected(cell.sums, chance), lowest=lowest) for cell in cells
    ]
    before = mean_interval(hierarchical_mean(cells), "share")
    after = mean_interval(hierarchical_mean(corrected), "share")
    for one, other in zip(before, after, strict=True):
        expected = one / (1 - chance) if one is before.se else (one - chance) / (1 - chance)
        assert other == pytest.approx(expected, nan_ok=True, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(panels())
def test_the_worst_language_is_below_the_mean_and_mirrors_when_lower_is_better(cells):
    tags = sorted({cell.language for cell in cells})
    own = [hierarchical_mean([c for c in cells if c.language == tag]) for tag in tags]
    low = worst(own, "share", True)
    assert (low.estimate <= hierarchical_mean(cells).estimate + 1e-12).all()
    assert (low.low <= low.estimate).all()
    assert (low.estimate <= low.high).all()
    turned = [mean._replace(estimate=1 - mean.estimate, parts=-mean.parts) for mean in own]
    high = worst(turned, "share", False)
    assert high.estimate == pytest.approx(1 - low.estimate)
    assert high.low == pytest.approx(1 - low.high)
    assert high.high == pytest.approx(1 - low.low)


def test_a_cluster_that_holds_everything_leaves_no_interval():
    cells = Sums(np.array([0]), np.array([[3.0, 4.0]]), np.array([[5.0, 5.0]]))
    found = hierarchical_mean([Cell(0, 0, cells)])
    assert np.isnan(mean_interval(found, "share").low).all()
    assert np.isnan(mean_differences(found, [0], [1]).p).all()
