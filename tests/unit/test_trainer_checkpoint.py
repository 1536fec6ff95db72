"""Checkpoints are whole or absent, and what is damaged or foreign is refused by name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from skald_mup.export import export
from skald_mup.init import initial_weights
from skald_mup.tensorfile import TensorReader, load_tensors
from skald_specs.checkpoint import (
    MODEL_FILE,
    MOMENTS,
    OPTIMIZER_FILE,
    PLAN_FILE,
    CheckpointState,
)
from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.plan import NO_CORPUS, Plan
from skald_trainer import checkpoint
from skald_trainer.checkpoint_view import inspect, verify_tensors
from skald_trainer.generate import generate
from skald_trainer.train import train
from support_trainer import losses_of, tiny_corpus, tiny_plan
from transformers import AutoModelForCausalLM


def _moments(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{what}.{n}": torch.zeros_like(t) for what in MOMENTS for n, t in weights.items()}


def _saved(folder: Path, step: int = 3, shard_bytes: int = 1 << 30, **changes: Any) -> Path:
    plan = tiny_plan(tiny_corpus(folder / "corpus"), **changes)
    weights = initial_weights(plan.identity)
    state = CheckpointState(step=step, tokens_seen=step * 128, samples_seen=step * 8)
    path = checkpoint.path_of(folder / "checkpoints", step)
    return checkpoint.save(path, plan, state, weights, _moments(weights), shard_bytes)


def _flip(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("shard_bytes", [1 << 30, 20_000])
def test_round_trip(tmp_path: Path, shard_bytes: int) -> None:
    path = _saved(tmp_path, shard_bytes=shard_bytes)
    assert (path / MODEL_FILE).is_file() == (shard_bytes > 20_000)
    assert (path / f"{MODEL_FILE}.index.json").is_file() == (shard_bytes == 20_000)
    manifest = checkpoint.verify(path)
    plan = Plan.load(path / PLAN_FILE)
    assert (manifest.step, manifest.plan_fingerprint) == (3, plan.fingerprint)
    assert manifest.corpus_fingerprint == plan.identity.data.corpus_fingerprint
    state = checkpoint.load_state(path)
    assert (state.tokens_seen, state.samples_seen) == (384, 24)
    read, expected = TensorReader(path / MODEL_FILE), initial_weights(plan.identity)
    assert all(torch.equal(read(name), tensor) for name, tensor in expected.items())
    assert inspect(path)["tensors"]["exp_avg.layers.0.attn.k_proj.weight"] == "F32 [16, 32]"
    checkpoint.check(path, plan)


def test_shards_hold_no_more_than_their_limit_and_resume_like_one_file(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    plan = tiny_plan(tiny_corpus(corpus))
    train(plan, corpus, tmp_path / "run")
    whole = checkpoint.path_of(tmp_path / "run" / "checkpoints", 3)
    weights, moments = (load_tensors(whole / f) for f in (MODEL_FILE, OPTIMIZER_FILE))
    cut = tmp_path / "cut" / "step_00000003"
    checkpoint.save(cut, plan, checkpoint.load_state(whole), weights, moments, 10_000)
    sizes = [f.stat().st_size for f in cut.glob("model-*.safetensors")]
    assert len(sizes) > 2 and max(sizes) < 10_000 + 4000, "4000 bytes are for the header"
    train(plan, corpus, tmp_path / "again", resume=cut)
    finals = [tmp_path / name / "final" / MODEL_FILE for name in ("run", "again")]
    assert finals[0].read_bytes() == finals[1].read_bytes()
    done = tmp_path / "cut" / "step_00000006"
    last = whole.with_name(done.name)
    weights, moments = (load_tensors(last / f) for f in (MODEL_FILE, OPTIMIZER_FILE))
    checkpoint.save(done, plan, checkpoint.load_state(last), weights, moments, 10_000)
    train(plan, corpus, tmp_path / "finished", resume=done)
    final = tmp_path / "finished" / "final"
    assert not (final / MODEL_FILE).exists()
    export(final, corpus, tmp_path / "shards", shard_bytes=10_000)
    export(tmp_path / "run" / "final", corpus, tmp_path / "one")
    one, shards = (AutoModelForCausalLM.from_pretrained(tmp_path / n) for n in ("one", "shards"))
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    expected = one.state_dict()
    assert all(torch.equal(expected[n], tensor) for n, tensor in shards.state_dict().items())
    samples = [
        generate(tmp_path / n, "", 8, 1, corpus) for n in ("one", "shards", "finished/final")
    ]
    assert len(set(samples)) == 1


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "no manifest", "adam", "foreign"])
def test_damage_is_named_and_the_previous_one_offered(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier, path = _saved(tmp_path, 3), _saved(tmp_path, 6)
    file = path / (OPTIMIZER_FILE if damage == "adam" else MODEL_FILE)
    if damage in ("flip", "adam"):
        _flip(file)
    elif damage == "truncate":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "remove":
        file.unlink()
    elif damage == "foreign":
        shutil.rmtree(path)
        path = _saved(tmp_path, 6, base_lr=0.5)
    else:
        (path / "manifest.json").unlink()
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    named = {"no manifest": "step_00000006: no complete", "foreign": "step_00000006: belongs to"}
    with pytest.raises(UserInputError) as refused:
        train(plan, tmp_path / "corpus", tmp_path / "run", resume=path)
    assert named.get(damage, f"step_00000006/{file.name}: ") in str(refused.value)
    assert f"--resume {earlier}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert checkpoint.latest(tmp_path / "checkpoints", plan) == earlier
    assert "passing over" in capsys.readouterr().out
    assert checkpoint.latest(tmp_path / "checkpoints", plan.model_copy(update={"name": "x"}))
    other = tiny_plan(tiny_corpus(tmp_path / "corpus"), base_lr=0.25)
    assert checkpoint.latest(tmp_path / "checkpoints", other) is None, "not another plan's"
    with pytest.raises(UserInputError) as refused:
        train(other, tmp_path / "corpus", tmp_path / "run", resume=path)
    assert "--resume " not in str(refused.value).replace("without --resume", "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: (f / "model.pt").write_bytes(b"x"), r"holds a pickle \(model\.pt\)"),
        (lambda f: (f / "config.json").write_text("{}"), r"a Hugging Face folder.*convert"),
        (lambda f: (f / "model_config.json").write_text("{}"), r"checkpoint of nanotron.*convert"),
        (lambda f: (f / "checkpoints").mkdir(), r"a run's folder\. Name one under"),
        (lambda f: f.rmdir(), "no such checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, make: Any, said: str) -> None:
    folder = tmp_path / "theirs"
    (folder / "model").mkdir(parents=True)
    if "such" in said:
        (folder / "model").rmdir()
    make(folder)
    with pytest.raises(UserInputError, match=said):
        checkpoint.verify(folder)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pth", ".ckpt"])
def test_a_pickle_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    torch.save({"a": torch.ones(2)}, path)
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    with pytest.raises(UserInputError, match=rf"model\{suffix}: a pickle .* never read"):
        train(plan, tmp_path / "corpus", tmp_path / "run", resume=path)
    assert not (tmp_path / "run").exists()


def test_a_failed_write_leaves_the_old_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _saved(tmp_path)
    before = {f.name: f.read_bytes() for f in path.iterdir()}

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(checkpoint, "save_sharded", full)
    with pytest.raises(UserInputError, match="the disk is full"):
        _saved(tmp_path)
    assert {f.name: f.read_bytes() for f in path.iterdir()} == before
    assert list(path.parent.iterdir()) == [path], "nothing half-written lies beside it"


def test_a_failed_write_ends_the_run_at_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, whole = tmp_path / "corpus", checkpoint.save
    plan = tiny_plan(tiny_corpus(corpus), n_steps=40)

    def full_after_first(folder: Path, *args: Any) -> Path:
        if folder.name > "step_00000003":
            raise UserInputError(str(folder), "the disk is full", "Free some space")
        return whole(folder, *args)

    monkeypatch.setattr(checkpoint, "save", full_after_first)
    with pytest.raises(UserInputError, match=r"step_00000006: the disk is full"):
        train(plan, corpus, tmp_path / "run")
    logged = losses_of(tmp_path / "run" / "metrics.jsonl")
    assert 6 <= len(logged) <= 9, "stops at once, and not at the end"
    checkpoint.check(tmp_path / "run" / "checkpoints" / "step_00000003", plan)


def test_prune_keeps_the_newest_and_the_multiples(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    for step in range(1, 10):
        checkpoint.path_of(folder, step).mkdir(parents=True)

    def left() -> list[int]:
        return [int(p.name[-8:]) for p in sorted(folder.iterdir())]

    checkpoint.prune(folder, 8, keep_last=2, keep_every_steps=3)
    assert left() == [3, 6, 7, 8, 9], "9 lies beyond the step reached and counts for nothing"
    checkpoint.prune(folder, 9, keep_last=1, keep_every_steps=None)
    assert left() == [9]


def test_a_newer_damaged_one_does_not_push_out_the_good_one(tmp_path: Path) -> None:
    """Resumed at 3 beside a damaged 6: 3 stays until 4 is whole, and the place of 6 is usable."""
    corpus = tmp_path / "corpus"
    plan = tiny_plan(tiny_corpus(corpus), keep_last=1, checkpoint_every_steps=1)
    train(plan, corpus, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "final")
    last = tmp_path / "run" / "checkpoints" / "step_00000006"
    good = checkpoint.save(
        last.with_name("step_00000003"), plan, CheckpointState(step=3, tokens_seen=384, samples_seen=24),
        load_tensors(last / MODEL_FILE), load_tensors(last / OPTIMIZER_FILE),
    )  # fmt: skip
    (last / "manifest.json").unlink()
    (last.parent / ".step_00000005.k1ll3d").mkdir()
    train(plan, corpus, tmp_path / "run")
    assert not good.exists()
    assert checkpoint.verify(last).step == 6
    assert [p.name for p in last.parent.iterdir() if p.name.startswith(".")] == []


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


def test_a_plan_made_without_a_corpus_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    data = plan.identity.data.model_copy(update={"corpus_fingerprint": NO_CORPUS})
    bare = plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})})
    for corpus in (tmp_path / "corpus", tmp_path / "none"):
        with pytest.raises(UserInputError, match=r"made without a corpus.*plan predict") as error:
            train(bare, corpus, tmp_path / "run")
        assert "\n" not in str(error.value) and error.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_other_data_are_named(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    other = tiny_plan(tiny_corpus(tmp_path / "other", seed=5))
    with pytest.raises(UserInputError, match=r"another plan \(for other data: corpus \w{12} there"):
        train(other, tmp_path / "other", tmp_path / "run", resume=path)
    lr = tiny_plan(tiny_corpus(tmp_path / "corpus"), base_lr=0.02)
    path = _saved(tmp_path / "recipe")
    recipes = [lr.model_copy(update={"recipe_fingerprint": name}) for name in ("a", "b")]
    weights = initial_weights(lr.identity)
    state = CheckpointState(step=3, tokens_seen=384, samples_seen=24)
    path = checkpoint.save(tmp_path / "step_00000003", recipes[0], state, weights, None)
    changed = recipes[1].identity.model_copy(update={"model_seed": 5})
    with pytest.raises(UserInputError, match=r"from another recipe: model_seed = 1 there, 5 here"):
        checkpoint.check(path, recipes[1].model_copy(update={"identity": changed}))


def test_tensors_that_do_not_fit_the_plan_are_named(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    weights = initial_weights(plan.identity)
    state = CheckpointState(step=3, tokens_seen=384, samples_seen=24)

    def saved(weights: dict[str, torch.Tensor], moments: dict[str, torch.Tensor] | None) -> Path:
        return checkpoint.save(tmp_path / "step_00000003", plan, state, weights, moments)

    name = "layers.0.attn.q_proj.weight"
    for changed, said in (
        (weights | {name: torch.ones(32, 16)}, rf"{name} is F32 \[32, 16\], the plan's is F32"),
        (weights | {name: weights[name].bfloat16()}, rf"{name} is BF16"),
        (weights | {"x": torch.ones(1)}, "has x, a stranger"),
        ({k: v for k, v in weights.items() if k != name}, f"lacks the tensor {name}"),
    ):
        with pytest.raises(UserInputError, match=said):
            checkpoint.check(saved(changed, None), plan)
        with pytest.raises(UserInputError, match=said):
            verify_tensors(tmp_path / "step_00000003")
    with pytest.raises(UserInputError, match="has no Adam state"):
        checkpoint.check(saved(weights, None), plan)
    checkpoint.check(saved(weights, _moments(weights)), plan)
    assert verify_tensors(tmp_path / "step_00000003")[1] == 3 * len(weights)


def test_an_explicit_resume_into_a_used_folder_mixes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus"
    manifest = tiny_corpus(corpus)
    ours, other = tiny_plan(manifest), tiny_plan(manifest, base_lr=0.05)
    train(ours, corpus, tmp_path / "ours")
    train(other, corpus, tmp_path / "used")
    middle = checkpoint.path_of(tmp_path / "ours" / "checkpoints", 3)
    train(ours, corpus, tmp_path / "used", resume=middle)
    finals = [tmp_path / name / "final" for name in ("ours", "used")]
    for file in (MODEL_FILE, "curve.jsonl", "manifest.json"):
        assert finals[0].joinpath(file).read_bytes() == finals[1].joinpath(file).read_bytes(), file
    assert "no log" not in capsys.readouterr().out
    shutil.copytree(middle, tmp_path / "alone" / "x" / middle.name)
    train(ours, corpus, tmp_path / "new", resume=tmp_path / "alone" / "x" / middle.name)
    assert "has no log of the steps before 4 beside it" in capsys.readouterr().out
    assert len(losses_of(tmp_path / "new" / "final" / "curve.jsonl")) == 3
    train(other, corpus, tmp_path / "again")
    done = checkpoint.path_of(tmp_path / "ours" / "checkpoints", 6)
    with pytest.raises(UserInputError, match=r"belongs to another plan"):
        train(other, corpus, tmp_path / "again", resume=done)


def test_a_log_that_lost_its_last_rows_is_kept_and_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that loses power may lose rows that were written, but not synced."""
    corpus, root = tmp_path / "corpus", tmp_path / "run"
    plan = tiny_plan(tiny_corpus(corpus))
    train(plan, corpus, root)
    shutil.rmtree(root / "final")
    shutil.rmtree(checkpoint.path_of(root / "checkpoints", 6))
    rows = [line for line in (root / "metrics.jsonl").read_text().splitlines(keepends=True)
            if json.loads(line)["step"] <= 2]  # fmt: skip
    (root / "metrics.jsonl").write_text("".join(rows))
    train(plan, corpus, root)
    assert "the log misses steps up to 3" in capsys.readouterr().out
    kept = (root / "metrics.jsonl").read_text()
    assert kept.startswith("".join(rows)), "nothing that was there is gone"
    steps = [row["step"] for row in read_jsonl(root / "final" / "curve.jsonl") if "lr" in row]
    assert steps == [4, 5, 6]


def test_a_damaged_finished_run_is_not_exported(tmp_path: Path) -> None:
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
