"""The data order: a pure function that reads every window once per epoch, in the right shares."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_corpus.build import build
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan
from skald_specs.recipe import TokenizerRecipe
from skald_trainer.loader import (
    CYCLE_SLOTS,
    IGNORED,
    TrainingData,
    TrainingOrder,
    mixture_cycle,
    permuted,
    token_bytes,
    validation_sets,
)
from support_planner import recipe as planner_recipe
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


def limited(plan: Plan, tokens: int | None) -> Plan:
    data = plan.identity.data.model_copy(update={"validation_tokens": tokens})
    return plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})})


def test_a_limit_takes_windows_spread_evenly_and_counts_their_bytes(tmp_path: Path) -> None:
    """On a corpus that was built: tokens of several bytes, characters of several bytes."""
    recipe = planner_recipe("mini-proxy")
    corpus = recipe.corpus.model_copy(
        update={"languages": ("da", "sv"), "validation_fraction": 0.4,
                "tokenizer": TokenizerRecipe(vocab_size=280)}
    )  # fmt: skip
    for tag, text in (("da", "Æblet ligger på øen {}. "), ("sv", "Ån är smal på våren {}. ")):
        (tmp_path / "text" / tag).mkdir(parents=True)
        paragraphs = "\n\n".join(text.format(i) * 3 for i in range(400))
        (tmp_path / "text" / tag / "text.txt").write_text(paragraphs, encoding="utf-8")
    manifest = build(
        recipe.model_copy(update={"corpus": corpus}), tmp_path / "text", tmp_path / "corpus"
    )
    plan = tiny_plan(manifest)
    lengths = token_bytes(tmp_path / "corpus" / "tokenizer.json")
    whole = validation_sets(plan, tmp_path / "corpus", manifest)
    some = validation_sets(limited(plan, 2 * 16 * 10), tmp_path / "corpus", manifest)
    for full, part in zip(whole, some, strict=True):
        assert int(lengths[full.labels[full.labels != IGNORED]].sum()) == full.n_bytes
        assert len(part.inputs) == 10 < len(full.inputs)
        assert int(lengths[part.labels[part.labels != IGNORED]].sum()) == part.n_bytes
        assert np.array_equal(part.inputs[0], full.inputs[0])
        assert np.array_equal(part.inputs[-1], full.inputs[-1])
    everything = validation_sets(limited(plan, 10**9), tmp_path / "corpus", manifest)
    assert [one.n_bytes for one in everything] == [one.n_bytes for one in whole]


def test_a_corpus_too_small_for_one_sequence_is_named(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path, n_documents=0)
    with pytest.raises(UserInputError, match=r"no whole number of tokens|too few"):
        TrainingData(tiny_plan(manifest), tmp_path, manifest)
