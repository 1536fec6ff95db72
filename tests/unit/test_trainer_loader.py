"""The data order: a pure function that reads every window once per epoch, in the right shares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_corpus.build import build
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl, sha256_file, write_json
from skald_specs.order import Indices, MixtureOrder
from skald_specs.plan import Plan
from skald_specs.recipe import TokenizerRecipe
from skald_specs.shards import read_document_ends
from skald_trainer.loader import (
    IGNORED,
    TrainingData,
    TrainingOrder,
    first_positions,
    permuted,
    token_bytes,
    validation_sets,
)
from skald_trainer.train import train
from support_planner import recipe as planner_recipe
from support_trainer import VOCAB, tiny_corpus, tiny_plan

#: What the loader of the first release drew.
FROZEN_LANGUAGES = [1, 0, 0, 1, 1, 1, 1]
FROZEN_WINDOWS = [4, 1, 0, 2, 1, 3, 1]


def seeded(seed: int, size: int) -> Indices:
    return permuted(np.arange(size), size, np.full(size, seed, dtype=np.uint64))


@given(size=st.integers(1, 300), seed=st.integers(0, 2**64 - 1))
def test_permuted_is_a_permutation(size: int, seed: int) -> None:
    assert sorted(seeded(seed, size)) == list(range(size))


def test_permuted_depends_on_the_seed() -> None:
    assert seeded(1, 50).tolist() != seeded(2, 50).tolist()
    mixed = permuted(np.arange(50), 50, np.arange(50).astype(np.uint64) % 2 + 1)
    assert mixed.tolist() == [int(seeded(1 + i % 2, 50)[i]) for i in range(50)]


def test_the_order_is_the_one_that_finished_runs_had() -> None:
    """Frozen: another order is another result under the same plan fingerprint."""
    order = TrainingOrder({"da": 0.25, "sv": 0.75}, {"da": 10, "sv": 7}, seed=3)
    found = order.samples(np.array([0, 1, 2, 3, 4, 10**6, 10**12]))
    assert found.languages.tolist() == FROZEN_LANGUAGES
    assert found.windows.tolist() == FROZEN_WINDOWS


@given(
    weights=st.lists(st.integers(1, 50), min_size=1, max_size=8),
    n_windows=st.lists(st.integers(1, 40), min_size=8, max_size=8),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 10**9),
)
def test_every_window_comes_once_per_epoch(
    weights: list[int], n_windows: list[int], seed: int, start: int
) -> None:
    """From the first epoch that begins after any place in the run."""
    shares = {f"l{i}": w / sum(weights) for i, w in enumerate(weights)}
    windows = {tag: n_windows[i] for i, tag in enumerate(shares)}
    order = TrainingOrder(shares, windows, seed)
    places = np.arange(start, start + 2000)
    drawn, mixture = order.samples(places), MixtureOrder(shares, seed)
    for which, tag in enumerate(sorted(shares)):
        count, before = windows[tag], mixture.counts(start)[tag]
        read = drawn.windows[drawn.languages == which][-before % count :]
        for epoch in range(len(read) // count):
            assert sorted(read[epoch * count :][:count]) == list(range(count))


def test_each_epoch_has_an_order_of_its_own() -> None:
    drawn = TrainingOrder({"a": 1.0}, {"a": 50}, seed=3).samples(np.arange(100)).windows
    assert drawn[:50].tolist() != drawn[50:].tolist()


@given(
    dp=st.integers(1, 6), count=st.integers(1, 5), n_micro=st.integers(1, 6),
)  # fmt: skip
def test_every_layout_reads_each_position_of_a_batch_once(
    dp: int, count: int, n_micro: int
) -> None:
    batch = dp * count * n_micro
    read = [
        first + i
        for rank in range(dp)
        for first in first_positions(batch, dp, rank, count)
        for i in range(count)
    ]
    assert sorted(read) == list(range(batch))
    assert len(first_positions(batch, dp, 0, count)) == n_micro


@pytest.mark.parametrize(("dp", "count"), [(1, 8), (1, 2), (2, 4), (2, 1), (4, 2), (8, 1)])
@pytest.mark.parametrize("step", [5, 171])
def test_a_global_batch_is_the_same_in_every_layout(
    tmp_path: Path, dp: int, count: int, step: int
) -> None:
    """Step 171 of 24 sequences lies across the border of two blocks of the order."""
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, batch_sequences=24, micro_batch_sequences=24)
    data = TrainingData(plan, tmp_path, manifest)

    def batch(step: int) -> list[tuple[int, ...]]:
        rows = [
            tuple(row)
            for rank in range(dp)
            for first in first_positions(24, dp, rank, count)
            for row in data.micro_batch(step, first, count)[0].tolist()
        ]
        return sorted(rows)

    whole = sorted(tuple(row) for row in data.micro_batch(step, 0, 24)[0].tolist())
    assert batch(step) == whole
    assert batch(step + 1) != whole


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
    plan = tiny_plan(manifest, model={"vocab_size": manifest.vocab_size})
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
    manifest = tiny_corpus(tmp_path, n_documents=1)
    plan = tiny_plan(manifest, model={"seq_len": 64})
    with pytest.raises(UserInputError, match=r"corpus da: 41 tokens are too few .* 64 \+ 1"):
        TrainingData(plan, tmp_path, manifest)


def test_a_plan_written_by_hand_is_held_to_its_cap(tmp_path: Path) -> None:
    """60 texts of 41 tokens are 153 windows; 154 steps of 8 are 616 of each language."""
    manifest = tiny_corpus(tmp_path)
    TrainingData(tiny_plan(manifest, n_steps=153, max_epochs=4.0), tmp_path, manifest)
    longer = tiny_plan(manifest, n_steps=170, max_epochs=4.0)
    with pytest.raises(
        UserInputError, match=r"plan tiny: the 2,460 .* '..' would be read 4\.\d\d times, .* = 4;"
    ) as error:
        TrainingData(longer, tmp_path, manifest)
    assert "\n" not in str(error.value)
    TrainingData(tiny_plan(manifest, n_steps=170, max_epochs=5.0), tmp_path, manifest)


def test_a_refused_plan_leaves_the_run_folder_alone(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    kept = tmp_path / "run" / "checkpoints" / "step_00000003" / "model.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    with pytest.raises(UserInputError, match="max_epochs"):
        train(
            tiny_plan(manifest, n_steps=170, max_epochs=4.0), tmp_path / "corpus", tmp_path / "run"
        )
    assert kept.read_bytes() == b"weights"


def truncated(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-2])


def widened(shard: Path) -> None:
    np.fromfile(shard, dtype=np.uint16).astype(np.uint32).tofile(shard)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (truncated, r"4918 bytes, but 2460 tokens of uint16 \(vocabulary of 64\) are 4920"),
        (widened, r"9840 bytes, but 2460 tokens of uint16 \(vocabulary of 64\) are 4920"),
        (Path.unlink, "no such shard"),
    ],
)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_bad_shard_is_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], said: str, split: str
) -> None:
    manifest = tiny_corpus(tmp_path)
    spoil(tmp_path / f"sv.{split}.ds")
    if split == "validation":
        said = said.replace("4918", "654").replace("9840", "1312")
        said = said.replace("2460", "328").replace("4920", "656")
    with pytest.raises(UserInputError, match=rf"sv\.{split}\.ds: {said}") as error:
        TrainingData(tiny_plan(manifest), tmp_path, manifest)
        validation_sets(tiny_plan(manifest), tmp_path, manifest)
    assert "\n" not in str(error.value)


def with_id(path: Path, position: int, token: int) -> None:
    tokens = np.fromfile(path, dtype=np.uint16)
    tokens[position] = token
    tokens.tofile(path)


@pytest.mark.parametrize("position", [0, 15, 16, 17, 1000])
@pytest.mark.parametrize(("token", "fits"), [(VOCAB - 1, True), (VOCAB, False), (65_535, False)])
def test_an_id_beyond_the_vocabulary_ends_in_one_line_where_it_is_read(
    tmp_path: Path, position: int, token: int, fits: bool
) -> None:
    manifest = tiny_corpus(tmp_path)
    with_id(tmp_path / "sv.train.ds", position, token)
    plan = tiny_plan(manifest, n_steps=40)
    data = TrainingData(plan, tmp_path, manifest)
    bad = None
    for step in range(1, 41):
        # A window holds its successor's first token, as a label.
        windows = data.windows(step).get("sv", [])
        reads = any(at * 16 <= position <= (at + 1) * 16 for at in windows)
        if fits or not reads:
            data.micro_batch(step, 0, plan.batch_sequences)
            continue
        bad = step
        said = rf"sv\.train\.ds: the token at position {position:,} has id {token}, .* ends at {VOCAB - 1}:"
        with pytest.raises(UserInputError, match=said) as error:
            data.micro_batch(step, 0, plan.batch_sequences)
        assert "\n" not in str(error.value)
    assert fits == (bad is None)


def test_an_id_beyond_the_models_vocabulary_is_found_where_the_corpus_has_more(
    tmp_path: Path,
) -> None:
    manifest = tiny_corpus(tmp_path)
    plan, more = tiny_plan(manifest), manifest.model_copy(update={"vocab_size": VOCAB + 7})
    with_id(tmp_path / "sv.validation.ds", 300, VOCAB)
    with pytest.raises(UserInputError, match=r"sv\.validation\.ds: the token at position 300 has"):
        validation_sets(plan, tmp_path, more)
    with_id(tmp_path / "sv.validation.ds", 300, VOCAB - 1)
    validation_sets(plan, tmp_path, more)


def test_training_on_a_damaged_shard_ends_before_its_first_wrong_step(tmp_path: Path) -> None:
    """A shard that is too large to be hashed at the start: its manifest says what it holds now."""
    manifest = tiny_corpus(tmp_path / "corpus")
    path = tmp_path / "corpus" / "sv.train.ds"
    np.full(path.stat().st_size // 2, 60_000, dtype=np.uint16).tofile(path)
    shards = tuple(
        shard.model_copy(update={"sha256": sha256_file(path)}) if shard.path == path.name else shard
        for shard in manifest.shards
    )
    manifest = manifest.model_copy(update={"shards": shards})
    write_json(tmp_path / "corpus" / "corpus.json", manifest.model_dump(mode="json"))
    with pytest.raises(
        UserInputError, match=r"sv\.train\.ds: the token at position \S+ has id 60000"
    ):
        train(tiny_plan(manifest), tmp_path / "corpus", tmp_path / "run")
    assert not any((tmp_path / "run" / "checkpoints").glob("step_*"))


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"123")])
def test_a_bad_index_is_one_line(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    tiny_corpus(tmp_path)
    read_document_ends(tmp_path / "da.train.ds")
    spoil(tmp_path / "da.train.ds.index")
    with pytest.raises(UserInputError, match=r"da\.train\.ds\.index: missing or torn"):
        read_document_ends(tmp_path / "da.train.ds")


def test_a_corpus_without_validation_text_trains(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    manifest = tiny_corpus(corpus)
    kept = tuple(shard for shard in manifest.shards if shard.split == "train")
    bare = manifest.model_copy(update={"shards": kept})
    write_json(corpus / "corpus.json", bare.model_dump(mode="json"))
    train(tiny_plan(bare, n_steps=4, validate_every_steps=2), corpus, tmp_path / "run")
    rows = list(read_jsonl(tmp_path / "run" / "metrics.jsonl"))
    assert len(rows) == 4 and not any("bits_per_byte" in row for row in rows)
