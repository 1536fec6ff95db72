"""Folding is exact: Hugging Face's own Llama computes the trained decoder's logits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from skald_mup.export import export, fold
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_specs.checkpoint import CheckpointState
from skald_specs.errors import UserInputError
from skald_specs.plan import Multipliers, Plan
from skald_trainer import checkpoint
from skald_trainer.generate import generate
from support_trainer import VOCAB, tiny_corpus, tiny_plan

ODD = Multipliers(emb_mult=1.7, attn_scale=0.21, residual_mult=0.6, output_mult=0.35)
SAME_LOGITS = 1e-5


def _plan(tmp_path: Path) -> Plan:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    return plan.model_copy(
        update={"identity": plan.identity.model_copy(update={"multipliers": ODD})}
    )


def _trained(tmp_path: Path, plan: Plan) -> tuple[Path, Decoder]:
    """Stand in for a training run: a checkpoint with weights, and the decoder they belong to."""
    torch.manual_seed(0)
    weights = {
        name: tensor + 0.3 * torch.randn_like(tensor)
        for name, tensor in initial_weights(plan.identity).items()
    }
    state = CheckpointState(step=1, tokens_seen=1)
    final = checkpoint.save(tmp_path / "final", plan, state, weights, None)
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_weights(weights)
    return final, decoder


def test_hugging_face_computes_the_trained_logits(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plan = _plan(tmp_path)
    final, decoder = _trained(tmp_path, plan)
    export(final, tmp_path / "corpus", tmp_path / "out")
    ids_BT = torch.randint(0, VOCAB, (3, 16), generator=torch.Generator().manual_seed(1))
    llama = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True).eval()
    assert type(llama).__name__ == "LlamaForCausalLM"
    with torch.no_grad():
        theirs, ours = llama(ids_BT).logits, decoder(ids_BT)
    assert float((theirs - ours).abs().max()) <= SAME_LOGITS
    assert AutoTokenizer.from_pretrained(tmp_path / "out").eos_token_id == 0


def test_without_folding_the_logits_differ(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    _, decoder = _trained(tmp_path, plan)
    plain = Multipliers(
        emb_mult=1, attn_scale=plan.identity.model.d_head**-0.5, residual_mult=1, output_mult=1
    )
    ids_BT = torch.arange(16)[None]

    def logits(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        other = Decoder(plan.identity.model, plain)
        other.load_weights(weights)
        return other(ids_BT)

    weights = dict(decoder.state_dict())
    assert (logits(fold(plan.identity, weights)) - decoder(ids_BT)).abs().max() <= SAME_LOGITS
    assert (logits(weights) - decoder(ids_BT)).abs().max() > 100 * SAME_LOGITS
    for name in ODD.model_dump():
        without = plan.identity.model_copy(
            update={"multipliers": ODD.model_copy(update={name: getattr(plain, name)})}
        )
        assert (logits(fold(without, weights)) - decoder(ids_BT)).abs().max() > SAME_LOGITS, name


def test_a_run_and_its_export_sample_the_same_text(tmp_path: Path) -> None:
    final, _ = _trained(tmp_path, _plan(tmp_path))
    export(final, tmp_path / "corpus", tmp_path / "out")
    sampled = [generate(m, "", 20, 7, tmp_path / "corpus") for m in (final, tmp_path / "out")]
    assert sampled[0] == sampled[1] != generate(final, "", 20, 8, tmp_path / "corpus")


def test_a_missing_run_and_a_foreign_corpus_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no finished run"):
        export(tmp_path / "nothing", tmp_path / "corpus", tmp_path / "out")
    final, _ = _trained(tmp_path, _plan(tmp_path))
    shutil.rmtree(tmp_path / "corpus")
    tiny_corpus(tmp_path / "corpus", seed=9)
    with pytest.raises(UserInputError, match="not the corpus"):
        export(final, tmp_path / "corpus", tmp_path / "out")
    assert not (tmp_path / "out").exists()
