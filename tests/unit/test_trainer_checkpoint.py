"""Checkpoints are whole or absent, and what is damaged or foreign is refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from skald_specs.checkpoint import MODEL_FILE, CheckpointState
from skald_specs.errors import UserInputError
from skald_trainer import checkpoint
from skald_trainer.train import train
from support_trainer import tiny_corpus, tiny_plan


def _saved(folder: Path, step: int = 3) -> Path:
    plan = tiny_plan(tiny_corpus(folder / "corpus"))
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}
    state = CheckpointState(step=step, tokens_seen=step * 128)
    path = checkpoint.path_of(folder / "checkpoints", step)
    return checkpoint.save(path, plan, state, weights, {"exp_avg.a": torch.zeros(2, 3)})


def test_round_trip(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    assert checkpoint.verify(path).step == 3
    assert checkpoint.load_state(path).tokens_seen == 384
    read = checkpoint.TensorFile(path / MODEL_FILE)
    assert torch.equal(read("a"), torch.arange(6.0).reshape(2, 3))
    assert checkpoint.inspect(path)["tensors"]["exp_avg.a"] == "F32 [2, 3]"


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "no manifest"])
def test_damage_is_named_and_the_previous_one_offered(tmp_path: Path, damage: str) -> None:
    earlier, path = _saved(tmp_path, 3), _saved(tmp_path, 6)
    file = path / MODEL_FILE
    content = file.read_bytes()
    if damage == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "remove":
        file.unlink()
    else:
        (path / "manifest.json").unlink()
    with pytest.raises(UserInputError):
        checkpoint.verify(path)
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    assert checkpoint.latest(tmp_path / "checkpoints", plan) == earlier
    assert checkpoint.latest(tmp_path / "checkpoints", plan.model_copy(update={"name": "x"}))
    other = tiny_plan(tiny_corpus(tmp_path / "corpus"), base_lr=0.5)
    assert checkpoint.latest(tmp_path / "checkpoints", other) is None, "not another plan's"


def test_a_failed_write_leaves_the_old_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _saved(tmp_path)
    before = {f.name: f.read_bytes() for f in path.iterdir()}

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(checkpoint, "save_tensors", full)
    with pytest.raises(UserInputError, match="the disk is full"):
        _saved(tmp_path)
    assert {f.name: f.read_bytes() for f in path.iterdir()} == before
    assert list(path.parent.iterdir()) == [path], "nothing half-written lies beside it"


def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        _saved(tmp_path, step)
    checkpoint.prune(tmp_path / "checkpoints", keep_last=2)
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == [
        "step_00000002",
        "step_00000003",
    ]


def test_another_plans_checkpoint_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    other = tiny_plan(tiny_corpus(tmp_path / "corpus"), base_lr=0.02)
    with pytest.raises(UserInputError, match="belongs to another plan"):
        train(other, tmp_path / "corpus", tmp_path / "run", resume=path)


def test_another_corpus_is_refused(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    tiny_corpus(tmp_path / "other", seed=5)
    with pytest.raises(UserInputError, match="not the corpus that plan tiny was made for"):
        train(plan, tmp_path / "other", tmp_path / "run")


def test_an_explicit_resume_into_a_used_folder_mixes_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    manifest = tiny_corpus(corpus)
    ours, other = tiny_plan(manifest), tiny_plan(manifest, base_lr=0.05)
    train(ours, corpus, tmp_path / "ours")
    train(other, corpus, tmp_path / "used")
    middle = checkpoint.path_of(tmp_path / "ours" / "checkpoints", 3)
    train(ours, corpus, tmp_path / "used", resume=middle)
    finals = [tmp_path / name / "final" / MODEL_FILE for name in ("ours", "used")]
    assert finals[0].read_bytes() == finals[1].read_bytes()
    train(other, corpus, tmp_path / "again")
    done = checkpoint.path_of(tmp_path / "ours" / "checkpoints", 6)
    with pytest.raises(UserInputError, match=r"belongs to another plan"):
        train(other, corpus, tmp_path / "again", resume=done)


def test_a_damaged_finished_run_is_not_exported(tmp_path: Path) -> None:
    from skald_mup.export import export

    corpus = tmp_path / "corpus"
    train(tiny_plan(tiny_corpus(corpus)), corpus, tmp_path / "run")
    model = tmp_path / "run" / "final" / MODEL_FILE
    content = model.read_bytes()
    model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserInputError, match=r"model\.safetensors: its checksum differs"):
        export(tmp_path / "run" / "final", corpus, tmp_path / "out")


@pytest.mark.parametrize("damage", ["flip", "cut", "index", "tokenizer"])
def test_a_damaged_corpus_is_not_trained_on(tmp_path: Path, damage: str) -> None:
    corpus = tmp_path / "corpus"
    plan = tiny_plan(tiny_corpus(corpus))
    names = {"index": "da.train.ds.index", "tokenizer": "tokenizer.json"}
    path = corpus / names.get(damage, "da.train.ds")
    content = path.read_bytes()
    path.write_bytes(content[:-8] if damage != "flip" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        UserInputError, match=r"(describes|fit its shard|of corpus\.json).*corpus build"
    ):
        train(plan, corpus, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_model_is_no_checkpoint(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    plan = tiny_plan(tiny_corpus(corpus))
    train(plan, corpus, tmp_path / "run")
    with pytest.raises(UserInputError, match=r"final: a finished model without Adam's state"):
        train(plan, corpus, tmp_path / "other", resume=tmp_path / "run" / "final")
