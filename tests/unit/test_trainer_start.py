"""Training goes on from a published model: its logits, its loss, and back to its very weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from skald_cli.main import main
from skald_mup.export import export
from skald_mup.foreign import published_shape, read_huggingface
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_mup.tensorfile import load_tensors
from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE, PLAN_FILE, verify
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.plan import Multipliers, Plan
from skald_trainer import checkpoint
from skald_trainer.loader import TrainingData
from skald_trainer.start import read_foreign, write_start
from skald_trainer.train import train
from support_trainer import VOCAB, losses_of, tiny_corpus, tiny_plan

ODD = Multipliers(emb_mult=1.7, attn_scale=0.21, residual_mult=0.6, output_mult=0.35)
SAME_LOGITS = 1e-5


def _published(folder: Path, family: str = "llama", dtype: str = "float32", **changes: Any) -> Any:
    """Write a random model with Hugging Face's own code, as published ones are."""
    import transformers

    given = {
        "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "initializer_range": 0.15, "tie_word_embeddings": False,
        "attention_bias": False,
    } | changes  # fmt: skip
    shard = given.pop("shard", "50GB")
    name = {"llama": "Llama", "qwen3": "Qwen3"}[family]
    torch.manual_seed(3)
    model = getattr(transformers, f"{name}ForCausalLM")(
        getattr(transformers, f"{name}Config")(**given)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard)
    # Read back: `to` rounds the rotary angles of the model at hand, too.
    return type(model).from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()


def _plan(manifest: CorpusManifest, model: dict[str, Any] | None = None, **changes: Any) -> Plan:
    plan = tiny_plan(manifest, n_steps=3, model=model or {}, **changes)
    identity = plan.identity.model_copy(update={"multipliers": ODD})
    return plan.model_copy(update={"identity": identity})


MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "sharded bf16": ({"shard": "20KB", "dtype": "bfloat16"}, {}),
    "fp16 tied": (
        {"dtype": "float16", "tie_word_embeddings": True}, {"tie_embeddings": True}
    ),
    "rope": (
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}, {"rope_theta": 5e5}
    ),
    "qwen3": ({"family": "qwen3"}, {"qk_norm": True}),
    "tied qwen3": (
        {"family": "qwen3", "tie_word_embeddings": True},
        {"qk_norm": True, "tie_embeddings": True},
    ),
    "one kv head": ({"num_key_value_heads": 1}, {"n_kv_heads": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_published_model_is_taken_over_and_given_back(tmp_path: Path, name: str) -> None:
    theirs, ours = MODELS[name]
    hf = _published(tmp_path / "hf", **theirs)
    if name == "sharded bf16":
        assert len(list((tmp_path / "hf").glob("*.safetensors"))) > 1
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = write_start(read_foreign(tmp_path / "hf"), _plan(manifest, ours), tmp_path / "start")
    assert plan == Plan.load(tmp_path / "start" / PLAN_FILE)
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_weights(load_tensors(tmp_path / "start" / MODEL_FILE))
    ids_BT = torch.randint(0, VOCAB, (3, 16), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = hf(ids_BT).logits
        assert float((decoder(ids_BT) - expected).abs().max()) <= SAME_LOGITS
    assert float(expected.std()) > 0.3, "logits near zero would agree whatever they are"
    dtype = "bfloat16" if "bf16" in name else "float32"
    export(tmp_path / "start", tmp_path / "corpus", tmp_path / "back", dtype)
    back = load_file(tmp_path / "back" / MODEL_FILE)
    for key, tensor in hf.state_dict().items():
        if key == "lm_head.weight" and "tied" in name:
            continue
        if dtype == "bfloat16":
            assert torch.equal(back[key], tensor.bfloat16()), key
        else:
            torch.testing.assert_close(back[key], tensor, rtol=2e-7, atol=0)


def test_without_dividing_the_multipliers_out_the_logits_differ(tmp_path: Path) -> None:
    hf = _published(tmp_path / "hf")
    plan = _plan(tiny_corpus(tmp_path / "corpus"))
    foreign, ids_BT = read_huggingface(tmp_path / "hf"), torch.arange(16)[None]
    decoder = Decoder(plan.identity.model, ODD)
    decoder.load_weights({name: foreign.tensor(name) for name in initial_weights(plan.identity)})
    with torch.no_grad():
        assert float((decoder(ids_BT) - hf(ids_BT).logits).abs().max()) > 1000 * SAME_LOGITS


@pytest.mark.parametrize("layout", [{}, {"dtype": "bfloat16"}])
def test_training_goes_on_from_its_loss(
    tmp_path: Path, layout: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    hf, corpus = _published(tmp_path / "hf"), tmp_path / "corpus"
    plan = _plan(tiny_corpus(corpus), **layout)
    plan.save(tmp_path / "plan.yaml")
    start = tmp_path / "start"
    words = ["checkpoint", "convert", str(tmp_path / "hf"), "--out", str(start)]
    words += ["--plan", str(tmp_path / "plan.yaml"), "--corpus", str(corpus)]
    (tmp_path / "hf" / "tokenizer.json").write_text("{}")
    assert main(words) == 0
    assert "is not the tokenizer of" in capsys.readouterr().err
    shutil.copyfile(corpus / "tokenizer.json", tmp_path / "hf" / "tokenizer.json")
    assert main(words) == 0
    said = capsys.readouterr()
    assert f"skald train {start}/plan.yaml --resume {start}" in said.out
    assert "is not the tokenizer of" not in said.err
    started = Plan.load(start / PLAN_FILE)
    train(started, corpus, tmp_path / "run", resume=start)
    inputs, labels = TrainingData(
        started, corpus, CorpusManifest.load(corpus / "corpus.json")
    ).micro_batch(1, 0, 8)
    with torch.no_grad():
        logits = hf(torch.from_numpy(inputs.copy())).logits
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), torch.from_numpy(labels.copy()).flatten()
    )
    losses = losses_of(tmp_path / "run" / "final" / "curve.jsonl")
    assert losses[0] == pytest.approx(float(expected), abs=5e-6 if not layout else 0.05)
    assert len(losses) == 3 and losses[2] < losses[0]
    random = tmp_path / "random"
    train(plan, corpus, random)
    assert abs(losses_of(random / "final" / "curve.jsonl")[0] - float(expected)) > 0.1


def test_a_start_is_where_a_run_begins_not_where_a_stopped_one_goes_on(tmp_path: Path) -> None:
    _published(tmp_path / "hf")
    corpus, start = tmp_path / "corpus", tmp_path / "start"
    plan = _plan(tiny_corpus(corpus), checkpoint_every_steps=1, keep_last=5)
    started = write_start(read_foreign(tmp_path / "hf"), plan, start)
    assert not (start / OPTIMIZER_FILE).exists()
    verify(start)
    with pytest.raises(UserInputError, match=r"starts from given weights .*--resume"):
        train(started, corpus, tmp_path / "run")
    assert not (tmp_path / "run" / "origin.json").exists()
    train(started, corpus, tmp_path / "run", resume=start)
    final = (tmp_path / "run" / "final" / MODEL_FILE).read_bytes()
    middle = tmp_path / "run" / "checkpoints" / "step_00000002"
    written = middle.stat().st_mtime_ns
    last = middle.with_name("step_00000003")
    (last / "manifest.json").unlink()
    train(started, corpus, tmp_path / "run", resume=start)
    assert middle.stat().st_mtime_ns == written, "went on from 2"
    assert (tmp_path / "run" / "final" / MODEL_FILE).read_bytes() == final
    train(started, corpus, tmp_path / "run")
    with pytest.raises(UserInputError, match=r"start: belongs to another plan \(start_weights"):
        train(plan, corpus, tmp_path / "other", resume=start)


def test_swapped_weights_are_not_those_of_the_plan(tmp_path: Path) -> None:
    _published(tmp_path / "hf")
    corpus, start = tmp_path / "corpus", tmp_path / "start"
    plan = write_start(read_foreign(tmp_path / "hf"), _plan(tiny_corpus(corpus)), start)
    weights = initial_weights(plan.identity)
    checkpoint.save(start, plan, checkpoint.load_state(start), weights, None)
    with pytest.raises(UserInputError, match=r"other weights \(\w{12}\) than the plan's"):
        train(plan, corpus, tmp_path / "run", resume=start)


def test_a_larger_vocabulary_is_filled_up_and_a_smaller_one_refused(tmp_path: Path) -> None:
    hf = _published(tmp_path / "hf")
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = _plan(manifest, {"vocab_size": VOCAB + 8})
    write_start(read_foreign(tmp_path / "hf"), plan, tmp_path / "start")
    found, drawn = load_tensors(tmp_path / "start" / MODEL_FILE), initial_weights(plan.identity)
    for name in ("embed.tokens.weight", "head.linear.weight"):
        assert torch.equal(found[name][VOCAB:], drawn[name][VOCAB:])
    torch.testing.assert_close(found["head.linear.weight"][:VOCAB], hf.lm_head.weight.detach())
    small = _plan(manifest, {"vocab_size": VOCAB - 8})
    with pytest.raises(UserInputError, match=r"64 rows, more than the plan's model.vocab_size"):
        write_start(read_foreign(tmp_path / "hf"), small, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def _edit(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _edit_tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / MODEL_FILE)
        change(tensors)
        save_file(tensors, folder / MODEL_FILE)

    return apply


def _cut(folder: Path) -> None:
    file = folder / MODEL_FILE
    file.write_bytes(file.read_bytes()[:-100])


def _to_pickle(folder: Path) -> None:
    (folder / MODEL_FILE).rename(folder / "pytorch_model.bin")


def _nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"][3] = float("nan")


Q = "model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit(architectures=["MistralForCausalLM"]), r"architecture \['MistralForCausalLM'\]"),
        (_edit(rope_parameters={"rope_type": "llama3", "rope_theta": 1e4}), "of type llama3"),
        (_edit(rope_parameters=None, rope_scaling={"type": "linear"}), "rope_scaling of type lin"),
        (_edit(attention_bias=True), "attention_bias = True"),
        (_edit(mlp_bias=True), "mlp_bias = True"),
        (_edit(hidden_act="gelu"), "hidden_act = gelu"),
        (_edit(quantization_config={"bits": 4}), "quantization_config = "),
        (_edit(head_dim=16), "n_heads x d_head = 64 differs from d_model = 32"),
        (_edit(num_hidden_layers=3), r"no tensor model\.layers\.2\.input_layernorm"),
        (_edit(intermediate_size=64), r"mlp\.gate_proj\.weight is F32 \[48, 32\]; .* says \[64"),
        (_edit(rms_norm_eps=1e-6), r"its norm_eps is 1e-06, the plan's model\.norm_eps = 1e-05"),
        (_edit(rope_parameters={"rope_type": "default", "rope_theta": 7.0}), "its rope_theta is 7"),
        (_edit_tensors(lambda t: t.pop(Q)), f"no tensor {Q}"),
        (_edit_tensors(lambda t: t.update({Q: t[Q].double()})), f"{Q} is F64"),
        (_edit_tensors(lambda t: t.update(x=torch.ones(1))), "has x, unknown to the model"),
        (_edit_tensors(_nan), r"head\.norm\.weight holds NaN or infinity"),
        (_cut, "no readable tensors"),
        (_to_pickle, r"a pickle \(pytorch_model\.bin\) is never read"),
    ],
)
def test_what_cannot_be_taken_over_is_named(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    _published(tmp_path / "hf")
    change(tmp_path / "hf")
    plan = _plan(tiny_corpus(tmp_path / "corpus"))
    with pytest.raises(UserInputError, match=said) as refused:
        write_start(read_foreign(tmp_path / "hf"), plan, tmp_path / "start")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "start").exists()


def test_a_config_that_leaves_defaults_out_is_llamas() -> None:
    first = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
        "num_attention_heads": 32, "num_hidden_layers": 32, "rms_norm_eps": 1e-6,
        "vocab_size": 32000, "rope_scaling": None, "hidden_act": "silu",
    }  # fmt: skip
    shape = published_shape(first, "here")
    assert (shape.n_kv_heads, shape.d_head, shape.rope_theta, shape.tie_embeddings) == (
        32, 128, 10_000.0, False,
    )  # fmt: skip


def test_a_checkpoint_becomes_a_folder_and_shows_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = tmp_path / "corpus"
    train(tiny_plan(tiny_corpus(corpus)), corpus, tmp_path / "run")
    middle = str(tmp_path / "run" / "checkpoints" / "step_00000003")
    words = ["checkpoint", "convert", middle, "--out", str(tmp_path / "hf")]
    assert main([*words, "--corpus", str(corpus), "--weights-dtype", "bfloat16"]) == 0
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", local_files_only=True)
    assert model.dtype == torch.bfloat16
    assert main(["checkpoint", "inspect", middle]) == 0
    assert main(["checkpoint", "inspect", str(tmp_path / "run")]) == 0
    page = capsys.readouterr().out
    assert "step 3 of 6" in page and "step 6 of 6" in page and "exp_avg_sq embedding" in page
    assert main(["checkpoint", "inspect", "--json", middle]) == 0
    assert json.loads(capsys.readouterr().out)["samples_seen"] == 24
    assert main(["checkpoint", "verify", middle]) == 0
    assert "63 tensors as planned" in capsys.readouterr().out
    (tmp_path / "run" / "checkpoints" / "step_00000003" / "state.json").write_text("{}")
    assert main(["checkpoint", "verify", middle]) == 2
    assert "state.json: its checksum differs" in capsys.readouterr().err
    assert main(["checkpoint", "convert", str(tmp_path / "hf"), "--out", str(tmp_path / "x")]) == 2
    assert "--plan: a start checkpoint needs a plan" in capsys.readouterr().err
