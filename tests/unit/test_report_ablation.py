"""The statistics and the table of an ablation of data, on answers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_report.corpora.ablation import Trained, conclude
from skald_report.corpora.ablation_page import render
from skald_report.statistics.crossed import by_group, crossed_difference
from skald_specs.ablation import AblationItem, AblationRun, AblationText
from skald_specs.corpus import CorpusManifest, ShardInfo
from support_corpus import small_recipe

N_ITEMS = 80


def drawn(rng, n_seeds, seed_sd, item_sd, both_sd, n_items=N_ITEMS, truth=0.0):
    """Differences in bits of one run a seed: every error is drawn afresh."""
    seeds, items = rng.normal(0, seed_sd, (n_seeds, 1)), rng.normal(0, item_sd, (1, n_items))
    return truth + seeds + items + rng.normal(0, both_sd, (n_seeds, n_items))


def found_in(rng, n_seeds, *spreads):
    ones, keys = np.ones(N_ITEMS), np.arange(N_ITEMS)
    return crossed_difference(drawn(rng, n_seeds, *spreads), ones, np.zeros(N_ITEMS), keys)


@pytest.mark.parametrize("n_seeds", [2, 3, 8])
@pytest.mark.parametrize(
    "spreads", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.1, 1.0, 1.0), (1.0, 3.0, 3.0)]
)
def test_the_interval_covers_as_often_as_it_says(n_seeds, spreads):
    rng = np.random.default_rng(n_seeds)
    found = [found_in(rng, n_seeds, *spreads) for _ in range(1000)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    # 1,000 draws have a standard error of 0.7 %.
    assert covered >= 0.93, covered
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(1 - covered, abs=1e-9)


def test_an_interval_without_the_seeds_does_not():
    rng, misses = np.random.default_rng(0), 0
    for _ in range(500):
        found = found_in(rng, 3, 0.5, 1.0, 0.0)
        misses += abs(found.estimate) > 1.96 * found.se_items
    assert misses / 500 > 0.3, "seeds that differ are a source of error that texts do not show"


def test_keys_not_items_are_the_independent_units():
    rng, widths = np.random.default_rng(0), []
    tops = np.repeat(rng.normal(0, 1, (2, 10)), 20, axis=1)
    for keys in (np.repeat(np.arange(10), 20), np.arange(200)):
        widths.append(crossed_difference(tops, np.ones(200), np.zeros(200), keys).se_items)
    assert widths[0] > 3 * widths[1]


numbers = st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 3))


@given(
    st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=2, max_size=4),
    st.floats(0.5, 4),
)
def test_laws_of_the_difference(rows, scale):
    sizes, groups, keys = [1, 2, 3, 4, 5, 6], ["a", "a", "a", "b", "b", "b"], list("uvwuxy")
    one = crossed_difference(rows, sizes, groups, keys)
    assert (one.p < 0.05) == (not one.low <= 0 <= one.high) or one.p == pytest.approx(0.05)
    other = crossed_difference(-np.array(rows) * scale, sizes, groups, keys)
    assert one.estimate == pytest.approx(by_group(rows, sizes, groups).mean())
    assert other.estimate == pytest.approx(-scale * one.estimate, abs=1e-9)
    assert (other.low, other.high) == pytest.approx((-scale * one.high, -scale * one.low), abs=1e-6)
    assert one.low <= one.estimate <= one.high and 0 <= one.p <= 1
    same = crossed_difference(np.zeros((2, 6)), sizes, groups, keys)
    assert same.p == 1 and same.low == same.high == 0
    with pytest.raises(ValueError, match="too few"):
        crossed_difference(rows[:1], sizes, groups, keys)


def manifest(seed):
    shards = [
        ShardInfo(
            language=tag, split="train", path=f"{tag}.train.ds", sha256=str(seed), n_documents=9,
            n_tokens=1000, n_bytes=3000,
        )
        for tag in ("da", "sv")
    ]  # fmt: skip
    return CorpusManifest(
        schema_version=1, recipe=small_recipe().corpus, vocab_size=300, tokenizer_sha256="x",
        shards=tuple(shards),
    )  # fmt: skip


ITEMS = [
    AblationItem(language=tag, key=f"{tag}{i}", texts=("teksten", "teksetn")[: 1 + i % 2])
    for tag in ("da", "sv")
    for i in range(200)
]
TEXTS = [
    AblationText(
        language=tag, n_documents=100, n_keys=100, n_bytes=700, n_documents_contaminated=3,
        n_pairs=100, n_pairs_contaminated=0,
    )
    for tag in ("da", "sv")
]  # fmt: skip


def trained(worse, wrong, seed):
    """Runs whose texts cost `worse` bits more and that get a share `wrong` of the pairs wrong."""
    rng, runs = np.random.default_rng(seed), []
    for _ in range(3):
        shift, bits = rng.normal(0, 0.05), []
        for item in ITEMS:
            one = 20 + worse + shift + rng.normal(0, 0.5)
            bits.append((one, one + 1 - 2 * float(rng.random() < wrong))[: len(item.texts)])
        runs.append(AblationRun(schema_version=1, plan_fingerprint="p", bits=tuple(bits)))
    return Trained(manifest(seed), {"da": 1.5, "sv": 0.5}, runs)


def concluded(**corpora):
    return conclude(small_recipe(), 1000, (1, 2, 3), "a text", ITEMS, TEXTS, corpora)


def test_ranks_verdicts_and_ties():
    result = concluded(
        plain=trained(0, 0.2, 1), twin=trained(0, 0.2, 2), damaged=trained(1, 0.4, 3)
    )
    assert {c.name: c.rank for c in result.corpora} == {"plain": 1, "twin": 1, "damaged": 3}
    verdicts = {(d.metric, d.corpus, d.reference): d.verdict for d in result.differences}
    assert verdicts == {
        (metric, corpus, reference): verdict
        for metric in ("bits_per_byte", "pairs")
        for corpus, reference, verdict in [
            ("twin", "plain", "tied"), ("damaged", "plain", "worse"), ("damaged", "twin", "worse"),
        ]
    }  # fmt: skip
    by_hand = [1 / 7, -0.2]
    estimates = [d.estimate for d in result.differences if d.reference == "plain"][1::2]
    assert estimates == pytest.approx(by_hand, abs=0.06)
    assert all(d.p_adjusted >= d.p for d in result.differences)
    turned = concluded(damaged=trained(1, 0.4, 3), plain=trained(0, 0.2, 1))
    assert {(d.corpus, d.verdict) for d in turned.differences} == {("plain", "better")}
    assert {c.name: c.rank for c in turned.corpora} == {"plain": 1, "damaged": 2}


def test_the_page_says_what_the_result_says():
    result = concluded(plain=trained(0, 0.2, 1), damaged=trained(1, 0.4, 3))
    page = render(result)
    row = next(line for line in page.splitlines() if line.startswith("| 2 | damaged"))
    assert row.count("worse") == 2 and f"{result.corpora[1].bits_per_byte:.4f}" in row
    assert "| 1 | plain | 2,000 | 0.5-1.5 |" in page
    assert "| da | 100 | 700 | 3 | 100 | 0 |" in page
