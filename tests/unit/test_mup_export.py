"""Folding is exact: Hugging Face's own models compute the trained decoder's logits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from skald_harness.models.folder import read_export
from skald_harness.models.loading import load_model, random_model
from skald_mup.export import export
from skald_mup.fold import Folded, fold, plain_multipliers
from skald_mup.huggingface import config_of, shape_of
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_specs.checkpoint import CheckpointState
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from skald_specs.plan import Multipliers, Plan
from skald_trainer import checkpoint
from skald_trainer.generate import generate
from support_trainer import VOCAB, tiny_corpus, tiny_plan

ODD = Multipliers(emb_mult=1.7, attn_scale=0.21, residual_mult=0.6, output_mult=0.35)
SAME_LOGITS = 1e-5
TIED, QK_NORM, NO_GAINS = {"tie_embeddings": True}, {"qk_norm": True}, {"norm_gains": False}
MODELS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tied": TIED,
    "qk_norm": QK_NORM,
    "tied_qk_norm": TIED | QK_NORM,
    "no_gains": NO_GAINS,
    "qk_norm_no_gains": QK_NORM | NO_GAINS,
    "tied_qk_norm_no_gains": TIED | QK_NORM | NO_GAINS,
    "one_kv_head": {"n_kv_heads": 1},
    "no_shared_kv_heads": {"n_kv_heads": 4},
    "wide_heads": {"d_head": 16, "n_heads": 2},
    "wide_heads_qk_norm": {"d_head": 16, "n_heads": 2} | QK_NORM,
}
#: What the rules themselves resolve, beside the odd values: width 32 of 64, d_head 16 of 8, depth
#: 4 of 2.
COMPLETEP = {
    "rules": "completep", "depth_alpha": 1.0,
    "emb_mult": 1.5, "attn_mult": 0.5, "output_mult": 0.2,
}  # fmt: skip


def _plan(
    tmp_path: Path, model: dict[str, Any] | None = None, multipliers: Multipliers | None = ODD,
    **changes: Any,
) -> Plan:  # fmt: skip
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), model=model or {}, **changes)
    if multipliers is None:
        return plan
    identity = plan.identity.model_copy(update={"multipliers": multipliers})
    return plan.model_copy(update={"identity": identity})


def _trained(tmp_path: Path, plan: Plan) -> tuple[Path, Decoder]:
    """Stand in for a training run: a checkpoint with weights, and the decoder they belong to."""
    torch.manual_seed(0)
    weights = {
        name: tensor + 0.3 * torch.randn_like(tensor)
        for name, tensor in initial_weights(plan.identity).items()
    }
    state = CheckpointState(step=1, tokens_seen=1, samples_seen=1)
    final = checkpoint.save(tmp_path / "final", plan, state, weights, None)
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_weights(weights)
    return final, decoder.eval()


def _compare(tmp_path: Path, plan: Plan) -> float:
    """Export, load the folder as the harness does, and return the largest difference of logits."""
    from transformers import AutoModelForCausalLM

    final, decoder = _trained(tmp_path, plan)
    export(final, tmp_path / "corpus", tmp_path / "out")
    theirs = load_model(read_export(tmp_path / "out")).cpu()
    auto = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True).eval()
    ids_BT = torch.randint(0, VOCAB, (3, 16), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, ours = theirs(ids_BT).logits, decoder(ids_BT)
        assert torch.equal(auto(ids_BT).logits, logits)
    expected = "Qwen3ForCausalLM" if plan.identity.model.qk_norm else "LlamaForCausalLM"
    assert type(theirs).__name__ == type(auto).__name__ == expected
    assert float(ours.std()) > 0.1, "logits near zero would agree whatever they are"
    return float((logits - ours).abs().max())


@pytest.mark.parametrize("name", MODELS)
def test_hugging_face_computes_the_trained_logits(tmp_path: Path, name: str) -> None:
    assert _compare(tmp_path, _plan(tmp_path, MODELS[name])) <= SAME_LOGITS
    config = read_json(tmp_path / "out" / "config.json")
    assert config["tie_word_embeddings"] == ("tied" in name)
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert ("lm_head.weight" in stored) != ("tied" in name)


@pytest.mark.parametrize("name", ["plain", "tied", "wide_heads", "tied_qk_norm_no_gains"])
def test_hugging_face_computes_the_logits_of_completep(tmp_path: Path, name: str) -> None:
    model = MODELS[name] | {"n_layers": 4}
    plan = _plan(tmp_path, model, multipliers=None, parametrisation=COMPLETEP)
    assert plan.identity.multipliers.residual_mult == 0.5
    assert _compare(tmp_path, plan) <= SAME_LOGITS


def test_the_tokenizer_comes_along(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    final, _ = _trained(tmp_path, _plan(tmp_path))
    export(final, tmp_path / "corpus", tmp_path / "out")
    assert AutoTokenizer.from_pretrained(tmp_path / "out").eos_token_id == 0


@pytest.mark.parametrize("name", ["plain", "tied_qk_norm_no_gains"])
def test_without_folding_the_logits_differ(tmp_path: Path, name: str) -> None:
    plan = _plan(tmp_path, MODELS[name])
    _, decoder = _trained(tmp_path, plan)
    ids_BT = torch.arange(16)[None]

    def error(multipliers: Multipliers) -> float:
        identity = plan.identity.model_copy(update={"multipliers": multipliers})
        plain = fold(identity, dict(decoder.state_dict())).decoder()
        with torch.no_grad():
            return float((plain(ids_BT) - decoder(ids_BT)).abs().max())

    plain = plain_multipliers(plan.identity.model)
    assert error(ODD) <= SAME_LOGITS
    assert error(plain) > 100 * SAME_LOGITS
    for field in ODD.model_dump():
        without = ODD.model_copy(update={field: getattr(plain, field)})
        assert error(without) > 10 * SAME_LOGITS, field


def test_folding_into_the_wrong_tensor_is_caught(tmp_path: Path) -> None:
    """The attention scale in q_proj under QK-norm is undone by the norm that follows."""
    plan = _plan(tmp_path, MODELS["qk_norm"])
    _, decoder = _trained(tmp_path, plan)
    shape, weights = fold(plan.identity, dict(decoder.state_dict()))
    ratio = ODD.attn_scale * shape.d_head**0.5
    for i in range(shape.n_layers):
        weights[f"layers.{i}.attn.q_norm.weight"] /= ratio
        weights[f"layers.{i}.attn.q_proj.weight"] *= ratio
    ids_BT = torch.arange(16)[None]
    with torch.no_grad():
        wrong_BTV = Folded(shape, weights).decoder()(ids_BT)
        assert float((wrong_BTV - decoder(ids_BT)).abs().max()) > 100 * SAME_LOGITS


@pytest.mark.parametrize("name", ["plain", "tied", "qk_norm", "tied_qk_norm_no_gains"])
def test_a_run_and_its_export_sample_the_same_text(tmp_path: Path, name: str) -> None:
    final, _ = _trained(tmp_path, _plan(tmp_path, MODELS[name]))
    export(final, tmp_path / "corpus", tmp_path / "out")
    sampled = [generate(m, "", 20, 7, tmp_path / "corpus") for m in (final, tmp_path / "out")]
    assert sampled[0] == sampled[1] != generate(final, "", 20, 8, tmp_path / "corpus")


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_is_read_back_from_the_config(tmp_path: Path, name: str) -> None:
    shape = _plan(tmp_path, MODELS[name]).identity.model
    expected = shape.model_copy(update={"norm_gains": True})
    assert shape_of(config_of(shape), "here") == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, r"here: architecture \['GPT2LMHeadModel'\]"),
        ({"architectures": None}, "here: architecture None"),
        ({"head_dim": 7}, "differs from"),
    ],
)
def test_a_foreign_config_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    config = config_of(_plan(tmp_path).identity.model)
    with pytest.raises(UserInputError, match=said):
        shape_of(config | change, "here")
    del config["head_dim"]
    with pytest.raises(UserInputError, match="no field head_dim"):
        shape_of(config, "here")


@pytest.mark.parametrize("name", ["tied", "qk_norm"])
def test_an_untrained_control_has_the_exports_architecture(tmp_path: Path, name: str) -> None:
    final, _ = _trained(tmp_path, _plan(tmp_path, MODELS[name]))
    export(final, tmp_path / "corpus", tmp_path / "out")
    found = read_export(tmp_path / "out")
    trained, control = load_model(found), random_model(found, 1)
    assert {n: p.shape for n, p in trained.named_parameters()} == {
        n: p.shape for n, p in control.named_parameters()
    }
    assert found.about.startswith("Qwen3 decoder" if name == "qk_norm" else "Llama decoder")
    assert sum(p.numel() for p in control.parameters()) == found.n_params_total


def test_a_lost_tensor_is_named_not_random(tmp_path: Path) -> None:
    final, _ = _trained(tmp_path, _plan(tmp_path, MODELS["qk_norm"]))
    export(final, tmp_path / "corpus", tmp_path / "out")
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.self_attn.q_norm.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(UserInputError, match="q_norm"):
        load_model(read_export(tmp_path / "out"))
    with pytest.raises(UserInputError, match=r"no tensor model\.layers\.1\.self_attn\.q_norm"):
        generate(tmp_path / "out", "", 2, 1, tmp_path / "corpus")


def test_a_missing_run_and_a_foreign_corpus_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no finished run"):
        export(tmp_path / "nothing", tmp_path / "corpus", tmp_path / "out")
    final, _ = _trained(tmp_path, _plan(tmp_path))
    shutil.rmtree(tmp_path / "corpus")
    tiny_corpus(tmp_path / "corpus", seed=9)
    with pytest.raises(UserInputError, match="not the corpus"):
        export(final, tmp_path / "corpus", tmp_path / "out")
    assert not (tmp_path / "out").exists()
