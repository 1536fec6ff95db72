"""What a batch holds: the very tokens that the order names, and validation text cut by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skald_specs.corpus import END_OF_TEXT, CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.order import MixtureOrder
from skald_specs.plan import Plan
from skald_specs.shards import (
    UINT16_VOCAB,
    index_path,
    read_document_ends,
    read_tokens,
    token_dtype,
    write_shard,
)
from skald_trainer.loader import (
    TrainingData,
    TrainingOrder,
    permuted,
    token_bytes,
    validation_sets,
)
from support_trainer import VOCAB, tiny_corpus, tiny_plan
from tokenizers import Tokenizer, models

#: What the order of the first release drew where two languages are too rare for a cycle.
RARE = {"a": 0.9, "b": 0.0999, "c": 0.00006, "d": 0.00004}
FROZEN_RARE_COUNTS = {"a": 9000008, "b": 998981, "c": 608, "d": 403}
FROZEN_RARE_PLACES = [(6195, 2, 63), (13027, 2, 64), (29197, 2, 65), (53987, 3, 40)]


def limited(plan: Plan, tokens: int) -> Plan:
    data = plan.identity.data.model_copy(update={"validation_tokens": tokens})
    return plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})})


@pytest.mark.parametrize("step", [1, 171, 172, 400])
def test_a_batch_is_made_of_the_windows_that_the_order_names(tmp_path: Path, step: int) -> None:
    """Step 171 of 24 sequences lies across the border of two blocks, 400 far beyond it."""
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, batch_sequences=24, micro_batch_sequences=24)
    data = TrainingData(plan, tmp_path, manifest)
    texts = [np.fromfile(tmp_path / f"{tag}.train.ds", np.uint16) for tag in ("da", "sv")]
    windows = {tag: (len(text) - 1) // 16 for tag, text in zip(("da", "sv"), texts, strict=True)}
    order = TrainingOrder({"da": 0.5, "sv": 0.5}, windows, seed=1)
    found = order.samples(np.arange((step - 1) * 24, step * 24))
    inputs, labels = data.micro_batch(step, 0, 24)
    assert inputs.dtype == labels.dtype == np.int64
    read: dict[str, list[int]] = {"da": [], "sv": []}
    for row, (language, window) in enumerate(zip(*found, strict=True)):
        text = texts[language][window * 16 : window * 16 + 17]
        assert inputs[row].tolist() == text[:-1].tolist()
        assert labels[row].tolist() == text[1:].tolist()
        read[("da", "sv")[language]].append(int(window))
    assert data.windows(step) == read
    part, _ = data.micro_batch(step, 5, 3)
    assert np.array_equal(part, inputs[5:8])


def test_validation_text_is_cut_as_by_hand(tmp_path: Path) -> None:
    """Each token is predicted from all before it in its window; the text's end is no target."""
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest)
    found = validation_sets(plan, tmp_path, manifest)
    assert [one.language for one in found] == ["da", "sv"]
    for one in found:
        tokens = np.fromfile(tmp_path / f"{one.language}.validation.ds", np.uint16).tolist()
        padding = [0] * (-len(tokens) % 16)
        assert one.inputs.shape == one.labels.shape == ((len(tokens) + len(padding)) // 16, 16)
        assert one.inputs.ravel().tolist() == [0, *tokens[:-1], *padding]
        labels = [-1 if token == 0 else token for token in tokens]
        assert one.labels.ravel().tolist() == labels + [-1 for _ in padding]
        assert one.inputs.dtype == one.labels.dtype == np.int64


@pytest.mark.parametrize(("tokens", "n_windows"), [(1, 1), (95, 2), (96, 3), (10_000, 21)])
def test_a_limit_is_shared_by_the_languages_and_leaves_one_window(
    tmp_path: Path, tokens: int, n_windows: int
) -> None:
    """328 tokens of two languages: 21 windows of 16 each."""
    manifest = tiny_corpus(tmp_path)
    whole = validation_sets(tiny_plan(manifest), tmp_path, manifest)
    found = validation_sets(limited(tiny_plan(manifest), tokens), tmp_path, manifest)
    for one, full in zip(found, whole, strict=True):
        assert len(one.inputs) == n_windows
        at = np.linspace(0, 20, n_windows).round().astype(int) if n_windows < 21 else range(21)
        assert np.array_equal(one.inputs, full.inputs[list(at)])
        assert np.array_equal(one.labels, full.labels[list(at)])
        # One byte a token in this tokenizer, none for the text's end; a shard says three.
        n_targets = int((one.labels >= 0).sum())
        assert one.n_bytes == (n_targets if n_windows < 21 else full.n_bytes)


def test_a_language_without_validation_text_is_passed_over_and_the_next_is_not(
    tmp_path: Path,
) -> None:
    manifest = tiny_corpus(tmp_path)

    def changed(**update: object) -> CorpusManifest:
        shards = [
            shard.model_copy(update=update)
            if (shard.language, shard.split) == ("da", "validation")
            else shard
            for shard in manifest.shards
        ]
        return manifest.model_copy(update={"shards": tuple(shards)})

    for none in (changed(n_tokens=0), changed(split="test")):
        found = validation_sets(tiny_plan(manifest), tmp_path, none)
        assert [one.language for one in found] == ["sv"]


def test_a_language_without_training_text_is_named(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path)
    kept = tuple(shard for shard in manifest.shards if shard.language == "da")
    with pytest.raises(UserInputError, match=r"^mixture\.sv: the corpus has no training text in"):
        TrainingData(tiny_plan(manifest), tmp_path, manifest.model_copy(update={"shards": kept}))


def test_a_text_of_exactly_one_sequence_is_enough(tmp_path: Path) -> None:
    """41 tokens: 40 and the last target."""
    manifest = tiny_corpus(tmp_path, n_documents=1)
    data = TrainingData(tiny_plan(manifest, model={"seq_len": 40}), tmp_path, manifest)
    assert data.micro_batch(1, 0, 1)[0].shape == (1, 40)
    with pytest.raises(UserInputError, match=r"41 tokens are too few for one sequence of 41 \+ 1"):
        TrainingData(tiny_plan(manifest, model={"seq_len": 41}), tmp_path, manifest)


def test_bytes_of_a_token_are_its_characters_and_the_texts_end_has_none(tmp_path: Path) -> None:
    """Also where the end is a token that was added to the vocabulary."""
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "ab": 1, "b": 2}, merges=[("a", "b")]))
    tokenizer.add_special_tokens([END_OF_TEXT])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = token_bytes(tmp_path / "tokenizer.json")
    assert found.tolist() == [1, 2, 1, 0]
    assert found.dtype == np.int64


def test_tokens_take_two_bytes_as_long_as_they_fit(tmp_path: Path) -> None:
    assert token_dtype(UINT16_VOCAB) == np.uint16
    assert token_dtype(UINT16_VOCAB + 1) == np.uint32
    documents = [np.array([5, 6, 0]), np.array([7, 0])]
    for vocab_size, n_bytes in ((VOCAB, 10), (100_000, 20)):
        path = tmp_path / f"{vocab_size}.ds"
        assert write_shard(path, documents, vocab_size) == 5
        assert index_path(path).name == f"{vocab_size}.ds.index"
        assert path.stat().st_size == n_bytes
        assert read_tokens(path, vocab_size).tolist() == [5, 6, 0, 7, 0]
        assert read_tokens(path, vocab_size, 5).tolist() == [5, 6, 0, 7, 0]
        assert read_document_ends(path).tolist() == [3, 5]
        with pytest.raises(UserInputError, match=rf"{n_bytes} bytes, but 4 tokens of uint"):
            read_tokens(path, vocab_size, 4)
    empty = tmp_path / "empty.ds"
    empty.write_bytes(b"")
    for content in (b"", b"123"):
        empty.write_bytes(content)
        with pytest.raises(UserInputError, match=rf"{len(content)} bytes is no whole number of"):
            read_tokens(empty, VOCAB)


def test_permutations_are_of_whole_numbers_and_of_one_too() -> None:
    for size in (1, 2, 3, 64, 65):
        found = permuted(np.arange(size), size, np.full(size, 7, dtype=np.uint64))
        assert found.dtype == np.int64
        assert sorted(found.tolist()) == list(range(size))


def test_the_order_of_rare_languages_is_the_one_that_finished_runs_had() -> None:
    """Frozen: another order is another result under the same plan fingerprint."""
    order = MixtureOrder(RARE, seed=3)
    assert order.counts(10**7) == FROZEN_RARE_COUNTS
    languages, before = order.draws(np.arange(10**6, 10**6 + 200_000))
    rare = np.flatnonzero(languages >= 2)[:4]
    found = [(int(at), int(languages[at]), int(before[at])) for at in rare]
    assert found == FROZEN_RARE_PLACES
