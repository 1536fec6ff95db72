"""Laws of the report's statistics, and their coverage in simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
ITEMS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), min_size=2, max_size=60)


@given(st.integers(1, 400), st.data())
def test_wilson_stays_in_range_and_holds_the_estimate(n, data):
    k = data.draw(st.integers(0, n))
    found = wilson(k, n)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high
    mirrored = wilson(n - k, n)
    assert mirrored.low == pytest.approx(1 - found.high)
    wider = wilson(10 * k, 10 * n)
    assert wider.high - wider.low < found.high - found.low


@given(P_VALUES, st.randoms())
def test_holm_never_lowers_a_p_value_keeps_order_and_follows_a_permutation(values, random):
    adjusted = holm(values)
    assert all(p <= a <= 1 for p, a in zip(values, adjusted, strict=True))
    in_order = [a for _, a in sorted(zip(values, adjusted, strict=True))]
    assert in_order == sorted(in_order)
    order = list(range(len(values)))
    random.shuffle(order)
    assert holm([values[i] for i in order]) == pytest.approx([adjusted[i] for i in order])


@settings(max_examples=30, deadline=None)
@given(ITEMS, st.randoms())
def test_an_interval_does_not_depend_on_the_order_of_items(items, random):
    shuffled = list(items)
    random.shuffle(shuffled)
    first, second = (
        proportion([s for s, _ in rows], [k for _, k in rows]) for rows in (items, shuffled)
    )
    assert first[:3] == pytest.approx(second[:3], nan_ok=True)
    assert first.method == second.method


@settings(max_examples=30, deadline=None)
@given(ITEMS, st.data())
def test_swapping_two_models_turns_the_difference_round(items, data):
    keys = [key for _, key in items]
    other = data.draw(st.lists(st.integers(0, 1), min_size=len(items), max_size=len(items)))
    ones = np.ones(len(items))
    first = clusters([score for score, _ in items], ones, keys)
    second = clusters(other, ones, keys)
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert there.estimate == pytest.approx(-back.estimate)
    assert there.low == pytest.approx(-back.high, nan_ok=True)
    assert there.p == pytest.approx(back.p)
    assert 0 < there.p <= 1


@given(ITEMS)
def test_a_model_ties_with_itself(items):
    cells = clusters([s for s, _ in items], np.ones(len(items)), [k for _, k in items])
    found = paired_difference(cells, cells)
    assert (found.estimate, found.low, found.high, found.p) == (0, 0, 0, 1)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 9), st.integers(2, 30))
def test_bits_per_byte_of_a_constant_rate_is_the_rate(rate, n):
    n_bytes = np.arange(1, n + 1) * 10
    found = cluster_bootstrap(clusters(rate * n_bytes, n_bytes, np.arange(n)))
    assert (found.estimate, found.low, found.high) == pytest.approx((rate, rate, rate))


def _clustered(rng, n_clusters, size, spread, centre=0.0):
    """Draw binary items whose chance of success differs between clusters; return truth too."""
    odds = centre + spread * rng.normal(size=n_clusters)
    chance = 1 / (1 + np.exp(-np.repeat(odds, size)))
    return (rng.random(n_clusters * size) < chance).astype(float)


def test_wilson_covers_about_95_percent():
    rng = np.random.default_rng(7)
    for n, p in ((50, 0.5), (100, 0.9), (200, 0.3)):
        found = [wilson(k, n) for k in rng.binomial(n, p, 2000)]
        coverage = np.mean([f.low <= p <= f.high for f in found])
        assert 0.93 <= coverage <= 0.975, (n, p, coverage)


def test_the_cluster_bootstrap_covers_about_95_percent_and_ignoring_clusters_does_not():
    rng = np.random.default_rng(11)
    keys = np.repeat(np.arange(40), 6)
    # With centre 0 the odds are symmetric, so the true accuracy is exactly one half.
    samples = [_clustered(rng, 40, 6, spread=1.5) for _ in range(600)]
    kept = [proportion(right, keys, seed=i) for i, right in enumerate(samples)]
    naive = [wilson(right.sum(), len(right)) for right in samples]
    coverage = np.mean([f.low <= 0.5 <= f.high for f in kept])
    without = np.mean([f.low <= 0.5 <= f.high for f in naive])
    assert 0.93 <= coverage <= 0.97
    assert without < 0.88


def test_the_document_bootstrap_covers_about_95_percent():
    rng = np.random.default_rng(13)
    hits = 0
    for seed in range(600):
        n_bytes = rng.integers(100, 900, 30)
        bits = n_bytes * (1.5 + 0.2 * rng.normal(size=30))
        found = cluster_bootstrap(clusters(bits, n_bytes, np.arange(30)), seed)
        hits += found.low <= 1.5 <= found.high
    assert 0.93 <= hits / 600 <= 0.97


def test_paired_differences_of_equal_models_are_rarely_significant_and_mcnemar_ignores_clusters():
    rng = np.random.default_rng(17)
    keys, ones = np.repeat(np.arange(30), 6), np.ones(180)
    clustered, exact = [], []
    for seed in range(300):
        # Each model has its own taste for clusters; on average they are equally good.
        first, second = (_clustered(rng, 30, 6, spread=1.5) for _ in range(2))
        pair = clusters(first, ones, keys), clusters(second, ones, keys)
        clustered.append(paired_difference(*pair, seed=seed).p < 0.05)
        exact.append(mcnemar_exact(int((first > second).sum()), int((second > first).sum())) < 0.05)
    assert np.mean(clustered) <= 0.08
    assert np.mean(exact) > 0.1


def test_shared_keys_are_resampled_together():
    rng = np.random.default_rng(19)
    scene = rng.normal(size=40)
    same = [clusters(scene, np.ones(40), np.arange(40)) for _ in range(4)]
    apart = [clusters(scene, np.ones(40), np.arange(40) + 100 * i) for i in range(4)]
    joint, separate = macro_mean(same), macro_mean(apart)
    assert joint.estimate == pytest.approx(separate.estimate)
    # Four copies of one scene are no more evidence than one; four independent sets halve the width.
    one = cluster_bootstrap(same[0])
    assert joint.high - joint.low == pytest.approx(one.high - one.low, rel=0.1)
    assert separate.high - separate.low == pytest.approx((one.high - one.low) / 2, rel=0.2)
