"""The data order: a pure function that reads every window once per epoch, in the right shares."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_specs.errors import UserInputError
from skald_trainer.loader import (
    CYCLE_SLOTS,
    IGNORED,
    TrainingData,
    TrainingOrder,
    mixture_cycle,
    permuted,
    validation_sets,
)
from support_trainer import tiny_corpus, tiny_plan


@given(size=st.integers(1, 300), seed=st.integers(0, 2**63))
def test_permuted_is_a_permutation(size: int, seed: int) -> None:
    assert sorted(permuted(i, size, seed) for i in range(size)) == list(range(size))


def test_permuted_depends_on_the_seed() -> None:
    assert [permuted(i, 50, 1) for i in range(50)] != [permuted(i, 50, 2) for i in range(50)]


@given(weights=st.lists(st.integers(1, 50), min_size=1, max_size=8), seed=st.integers(0, 2**31))
def test_each_language_gets_its_share_of_the_slots(weights: list[int], seed: int) -> None:
    shares = {f"l{i}": w / sum(weights) for i, w in enumerate(weights)}
    counts = Counter(mixture_cycle(shares, seed).tolist())
    for i, tag in enumerate(sorted(shares)):
        assert abs(counts[i] - shares[tag] * CYCLE_SLOTS) < 1


def test_a_share_below_one_slot_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"mixture\.b: a share of 1e-07 is below 1 in 1048576"):
        mixture_cycle({"a": 1 - 1e-7, "b": 1e-7}, seed=1)


def test_a_very_small_share_gets_its_slots_from_a_longer_cycle() -> None:
    # The share of Faroese in the TrustLLM mixture (TrustLLMeu/trustllm-envs).
    cycle = mixture_cycle({"rest": 1 - 8.52e-5, "fo": 8.52e-5}, seed=1)
    assert int((cycle == 0).sum()) / len(cycle) == pytest.approx(8.52e-5, rel=0.1)


def test_every_window_comes_once_per_epoch() -> None:
    order = TrainingOrder({"a": 0.25, "b": 0.75}, {"a": 10, "b": 7}, seed=3)
    drawn = [order.sample(place) for place in range(3 * CYCLE_SLOTS)]
    for language, n_windows in (("a", 10), ("b", 7)):
        windows = [s.window for s in drawn if s.language == language]
        for epoch in range(len(windows) // n_windows):
            seen = windows[epoch * n_windows : (epoch + 1) * n_windows]
            assert sorted(seen) == list(range(n_windows))
    first, second = ([s.window for s in drawn if s.language == "a"][i : i + 10] for i in (0, 10))
    assert first != second, "each epoch has an order of its own"


def test_a_global_batch_is_the_same_however_it_is_divided(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    data = TrainingData(tiny_plan(manifest), tmp_path, manifest)
    whole = data.micro_batch(5, 0, 8)[0]
    pieces = np.concatenate([data.micro_batch(5, first, 2)[0] for first in range(0, 8, 2)])
    assert np.array_equal(whole, pieces)
    assert not np.array_equal(whole, data.micro_batch(6, 0, 8)[0])


def test_labels_are_the_next_tokens(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    inputs, labels = TrainingData(tiny_plan(manifest), tmp_path, manifest).micro_batch(1, 0, 4)
    assert np.array_equal(inputs[:, 1:], labels[:, :-1])


def test_validation_predicts_every_text_token_exactly_once(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    for held_out in validation_sets(tiny_plan(manifest), tmp_path, manifest):
        shard = manifest.shard(held_out.language, "validation")
        assert shard is not None
        targets = held_out.labels[held_out.labels != IGNORED]
        assert len(targets) == shard.n_tokens - shard.n_documents
        assert held_out.n_bytes == shard.n_bytes


def test_a_corpus_too_small_for_one_sequence_is_named(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path, n_documents=0)
    with pytest.raises(UserInputError, match=r"no whole number of tokens|too few"):
        TrainingData(tiny_plan(manifest), tmp_path, manifest)
