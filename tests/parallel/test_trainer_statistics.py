"""Norms by kind of tensor: one process's in every layout, the plain model's, and free where off."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from skald_mup.coordinates import BATCH_SEQUENCES
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_mup.names import tensor_kind, tensor_kinds
from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE
from skald_specs.corpus import CorpusManifest
from skald_specs.files import read_jsonl, sha256_file
from skald_specs.plan import Plan
from skald_trainer import checkpoint
from skald_trainer.folder import RunFolder
from skald_trainer.launch import run_ranks
from skald_trainer.loader import TrainingData
from skald_trainer.metrics import Row
from support_trainer import (
    Job,
    losses_of,
    tiny_corpus,
    tiny_plan,
    train_counting_copies,
    train_each,
)

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

EVERY = 2
#: fp32 sums in another order: measured 7e-7 at most.
SAME = 1e-5
TIED = {
    "model": {"tie_embeddings": True},
    "parametrisation": {"embedding_std": 0.1, "emb_mult": 10.0},
}
QK_NORM = {"model": {"qk_norm": True}}
BF16 = {"dtype": "bfloat16"}
#: Layouts of two processes and the one process that each must equal.
LAYOUTS: dict[str, tuple[dict[str, Any], str]] = {
    "dp2": ({"dp": 2}, "one"),
    "dp2_zero1": ({"dp": 2, "zero_stage": 1}, "one"),
    "tp2": ({"tp": 2}, "one"),
    "tp2_pieces": ({"tp": 2, "tp_mode": "reduce_scatter"}, "one"),
    "pp2": ({"pp": 2}, "one"),
    "tied.pp2": ({**TIED, "pp": 2}, "tied.one"),
    "tied.tp2": ({**TIED, "tp": 2}, "tied.one"),
    "tied.dp2_zero1": ({**TIED, "dp": 2, "zero_stage": 1}, "tied.one"),
    "qk_norm.tp2": ({**QK_NORM, "tp": 2}, "qk_norm.one"),
    "bf16.dp2": ({**BF16, "dp": 2}, "bf16.one"),
    "bf16.dp2_zero1": ({**BF16, "dp": 2, "zero_stage": 1}, "bf16.one"),
    "bf16.pp2": ({**BF16, "pp": 2}, "bf16.one"),
}
ONE: dict[str, dict[str, Any]] = {
    "one": {}, "tied.one": TIED, "qk_norm.one": QK_NORM, "bf16.one": BF16,
    "accumulated_less": {"micro_batch_sequences": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("statistics")
    manifest = tiny_corpus(root / "corpus")

    def job(name: str, changes: dict[str, Any]) -> Job:
        given = {"statistics_every_steps": EVERY, "n_steps": 4, "checkpoint_every_steps": 1}
        plan = tiny_plan(manifest, name, **given | {"keep_last": 4} | changes)
        return Job(plan.model_dump_json(), root / name)

    two = [job(name, changes) for name, (changes, _) in LAYOUTS.items()]
    copies = job("copies_counted", LAYOUTS["tp2"][0])
    run_ranks(2, train_counting_copies, [*two, copies], root / "corpus")
    one = [job(name, changes) for name, changes in ONE.items()]
    run_ranks(1, train_each, [*one, job("off", {"statistics_every_steps": None})], root / "corpus")
    return root


def _step_rows(runs: Path, name: str) -> list[Row]:
    rows = read_jsonl(RunFolder(runs / name).metrics)
    return [row for row in rows if "loss_nats" in row]


def _assert_same(ours: list[Row], expected: list[Row], tolerance: float) -> None:
    for row, wanted in zip(ours, expected, strict=True):
        assert ("statistics" in row) is (row["step"] % EVERY == 0)
        if "statistics" in row:
            assert row["statistics"].keys() == wanted["statistics"].keys()
            for measure, by_name in row["statistics"].items():
                assert by_name == pytest.approx(wanted["statistics"][measure], rel=tolerance), (
                    measure
                )


@pytest.mark.parametrize("name", [*LAYOUTS, "accumulated_less"])
def test_every_layout_measures_what_one_process_does(runs: Path, name: str) -> None:
    one = LAYOUTS[name][1] if name in LAYOUTS else "one"
    _assert_same(_step_rows(runs, name), _step_rows(runs, one), SAME)


def test_a_copy_that_is_counted_twice_is_caught(runs: Path) -> None:
    with pytest.raises(AssertionError, match="grad_norm"):
        _assert_same(_step_rows(runs, "copies_counted"), _step_rows(runs, "one"), SAME)


@pytest.mark.parametrize("name", ["one", "tied.one", "qk_norm.one", "tp2", "bf16.dp2_zero1"])
def test_the_parts_make_the_whole_gradient_norm(runs: Path, name: str) -> None:
    for row in _step_rows(runs, name):
        if "statistics" in row:
            parts = row["statistics"]["grad_norm"].values()
            assert math.hypot(*parts) == pytest.approx(row["grad_norm"], rel=1e-5)
            # Clipping at 1 must have been at work, or undoing it would go untested.
            assert row["grad_norm"] > 1.1


@pytest.mark.parametrize("name", ["one", "tied.one", "qk_norm.one", "bf16.one"])
def test_updates_are_those_of_the_saved_weights(runs: Path, name: str) -> None:
    folder = RunFolder(runs / name).checkpoints
    for row in _step_rows(runs, name)[1::EVERY]:
        before, after = (
            load_file(checkpoint.path_of(folder, row["step"] - back) / MODEL_FILE)
            for back in (1, 0)
        )
        measured = row["statistics"]["update_to_weight"]
        plan = Plan.load(checkpoint.path_of(folder, row["step"]) / PLAN_FILE)
        assert set(measured) == set(tensor_kinds(plan.identity.model))
        for kind, ratio in measured.items():
            names = [tensor for tensor in after if tensor_kind(tensor) == kind]
            update = math.hypot(*(float((after[n] - before[n]).norm()) for n in names))
            weight = math.hypot(*(float(before[n].norm()) for n in names))
            assert ratio == pytest.approx(update / weight, rel=1e-4), kind


def test_activations_are_the_coordinate_checks_in_the_plain_model(runs: Path) -> None:
    """At the second step, after one update: its weights are a checkpoint."""
    corpus = runs / "corpus"
    manifest = CorpusManifest.load(corpus / "corpus.json")
    plan = tiny_plan(manifest)
    identity, data = plan.identity, TrainingData(plan, corpus, manifest)
    decoder = Decoder(identity.model, identity.multipliers)
    weights = load_file(checkpoint.path_of(RunFolder(runs / "one").checkpoints, 1) / MODEL_FILE)
    assert not torch.equal(
        weights["embed.tokens.weight"], initial_weights(identity)["embed.tokens.weight"]
    )
    decoder.load_weights(weights)
    ids_BT = torch.from_numpy(data.micro_batch(2, 0, BATCH_SEQUENCES)[0].copy())
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in decoder.named_modules():
        for kind in ("q_proj", "o_proj", "down_proj"):
            if name.endswith(kind):
                module.register_forward_hook(
                    lambda module, inputs, out, kind=kind: seen.setdefault(kind, []).append(out)
                )
    attention = decoder.layers[-1].attn
    with torch.no_grad():
        x_TBD = decoder.embed(ids_BT)
        seen["embedding"] = [x_TBD]
        for block in decoder.layers:
            if block.attn is attention:
                q_BNTH, k_BKTH = attention.queries_keys(block.attn_norm(x_TBD))
                seen["q_proj"].pop()
            x_TBD = block(x_TBD)
        seen["residual"], seen["output_logits"] = [x_TBD], [decoder.head(x_TBD)]
    k_BNTH = k_BKTH.repeat_interleave(q_BNTH.shape[1] // k_BKTH.shape[1], dim=1)
    logits_BNTT = attention.attn_scale * q_BNTH @ k_BNTH.transpose(-1, -2)
    causal_TT = torch.ones(logits_BNTT.shape[-2:]).tril().bool()
    seen["attn_logits"] = [logits_BNTT[..., causal_TT]]
    measured = _step_rows(runs, "one")[1]["statistics"]["activation_rms"]
    assert len(seen) == 7
    for name, parts in seen.items():
        whole = torch.cat([part.flatten() for part in parts])
        assert measured[name] == pytest.approx(float(whole.square().mean().sqrt()), rel=1e-5), name


def test_measuring_changes_no_bit_of_the_run(runs: Path) -> None:
    measured, off = RunFolder(runs / "one"), RunFolder(runs / "off")
    assert losses_of(measured.metrics) == losses_of(off.metrics)
    for step in (1, 4):
        first, second = (
            sha256_file(checkpoint.path_of(f.checkpoints, step) / MODEL_FILE)
            for f in (measured, off)
        )
        assert first == second
    assert not any("statistics" in row for row in _step_rows(runs, "off"))
