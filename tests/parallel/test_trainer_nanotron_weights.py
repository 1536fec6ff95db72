"""Weights that nanotron's own Llama saved under tp = 2 compute here what they computed there."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from skald_cli.main import main
from skald_mup.model import Decoder
from skald_mup.tensorfile import load_tensors
from skald_specs.checkpoint import MODEL_FILE, PLAN_FILE
from skald_specs.errors import UserInputError
from skald_specs.plan import Multipliers, Plan
from skald_trainer import nanotron_weights
from skald_trainer.launch import run_ranks
from skald_trainer.nanotron_weights import halves_of_pairs
from skald_trainer.start import read_foreign, write_start
from skald_trainer.train import train
from support_nanotron import REFERENCE, rotate_neighbours, write_checkpoints
from support_trainer import losses_of, tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

CONFIGS: dict[str, dict[str, Any]] = {
    "grouped": {},
    "every head its own": {"num_key_value_heads": 4},
    "tied": {"tie_word_embeddings": True},
}
OURS: dict[str, dict[str, Any]] = {
    "grouped": {},
    "every head its own": {"n_kv_heads": 4},
    "tied": {"tie_embeddings": True},
}
SAME_LOGITS = 2e-5


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nanotron")
    run_ranks(2, write_checkpoints, folder, CONFIGS)
    return folder


def _plan(tmp_path: Path, name: str = "grouped", **changes: Any) -> Plan:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), model=OURS[name], n_steps=3, **changes)
    odd = Multipliers(emb_mult=1.7, attn_scale=0.21, residual_mult=0.6, output_mult=0.35)
    identity = plan.identity.model_copy(update={"multipliers": odd})
    return plan.model_copy(update={"identity": identity})


def _error(plan: Plan, start: Path, reference: Path) -> float:
    decoder = Decoder(plan.identity.model, plan.identity.multipliers)
    decoder.load_weights(load_tensors(start / MODEL_FILE))
    said = load_file(reference / REFERENCE)
    assert float(said["logits"].std()) > 0.3, "logits near zero would agree whatever they are"
    with torch.no_grad():
        return float((decoder(said["ids"]) - said["logits"]).abs().max())


@pytest.mark.parametrize("name", CONFIGS)
def test_our_decoder_computes_nanotrons_logits(saved: Path, tmp_path: Path, name: str) -> None:
    plan = write_start(read_foreign(saved / name), _plan(tmp_path, name), tmp_path / "start")
    assert _error(plan, tmp_path / "start", saved / name) <= SAME_LOGITS


def test_rotary_pairs_left_as_they_are_would_be_caught(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nanotron_weights, "halves_of_pairs", lambda weight, d_head: weight)
    plan = write_start(read_foreign(saved / "grouped"), _plan(tmp_path), tmp_path / "start")
    assert _error(plan, tmp_path / "start", saved / "grouped") > 1000 * SAME_LOGITS


def test_the_metadata_that_numpy_2_spoils_is_what_was_read(saved: Path) -> None:
    shard = next((saved / "grouped").rglob("qkv_proj/*tp-rank-1-of-2.safetensors"))
    with safe_open(shard, framework="pt") as opened:
        assert "np.int64" in opened.metadata()["unsharded_shape"]


def test_training_goes_on_from_it(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, start = _plan(tmp_path), tmp_path / "start"
    plan.save(tmp_path / "plan.yaml")
    words = ["checkpoint", "convert", str(saved / "grouped"), "--out", str(start)]
    assert main([*words, "--plan", str(tmp_path / "plan.yaml")]) == 0
    assert "--resume" in capsys.readouterr().out
    train(Plan.load(start / PLAN_FILE), tmp_path / "corpus", tmp_path / "run", resume=start)
    losses = losses_of(tmp_path / "run" / "final" / "curve.jsonl")
    assert len(losses) == 3 and losses[2] < losses[0]


def test_nanotrons_own_rotary_embedding_rotates_neighbours() -> None:
    """The class of models/llama.py as it stands, but for the device, against the rotation here."""
    file = metadata.distribution("nanotron").locate_file("nanotron/models/llama.py")
    source = Path(str(file)).read_text()
    node = next(
        n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "RotaryEmbedding"
    )  # fmt: skip
    code = ast.unparse(node).replace("'cuda'", "'cpu'")
    names: dict[str, Any] = {"torch": torch, "nn": torch.nn, "Optional": Callable}
    exec("from __future__ import annotations\n" + code, names)
    x_BTNH = torch.randn(2, 5, 3, 8)
    theirs = names["RotaryEmbedding"](dim=8, end=16)(x_BTNH, position_ids=None)
    torch.testing.assert_close(theirs, rotate_neighbours(x_BTNH))


def test_halves_of_pairs_moves_rows_inside_heads_alone() -> None:
    weight = torch.arange(8.0)[:, None].repeat(1, 3)
    assert halves_of_pairs(weight, 4)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def _edit_config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "model_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _remove(pattern: str) -> Callable[[Path], None]:
    return lambda folder: next(folder.rglob(pattern)).unlink()


def _cut(folder: Path) -> None:
    shard = next(folder.rglob("qkv_proj/*tp-rank-1-of-2.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-8])


def _said(**metadata: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shard = next(folder.rglob("0/*/mlp/down_proj/*tp-rank-1-of-2.safetensors"))
        save_file(load_file(shard), shard, metadata=metadata)

    return change


SLICES, SHAPE = "None,None,None|0,4,None#None,None,None|0,4,None", "(32, 48)"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edit_config(rope_scaling={"type": "linear"}), "rope_scaling = "),
        (_edit_config(hidden_act="gelu"), "hidden_act = gelu"),
        (_edit_config(rope_theta=5e5), "has a field rope_theta, which 0.4 has not"),
        (_edit_config(rms_norm_eps=1e-6), r"its norm_eps is 1e-06, the plan's"),
        (_edit_config(num_hidden_layers=3), r"decoder/2/pp_block/input_layernorm: not one file"),
        (_edit_config(intermediate_size=96), r"its d_ff is 96, the plan's model\.d_ff = 48"),
        (_remove("qkv_proj/*tp-rank-1-of-2*"), r"qkv_proj: not one file of each .*are: 0\)"),
        (_cut, r"qkv_proj/model_weight_.*: no readable tensor"),
        (
            _said(local_global_slices_pairs=SLICES, unsharded_shape="(32, 96)"),
            r"does not fit \(its",
        ),
        (_said(local_global_slices_pairs=SLICES, unsharded_shape=SHAPE), "do not cover the tensor"),
        (_said(local_global_slices_pairs="a#b", unsharded_shape=SHAPE), "down_proj.*does not fit"),
        (_said(format="pt"), r"down_proj.*does not fit \(its tensor is"),
    ],
)
def test_what_cannot_be_taken_over_is_named(
    saved: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    shutil.copytree(saved / "grouped", tmp_path / "theirs")
    change(tmp_path / "theirs")
    with pytest.raises(UserInputError, match=said) as refused:
        write_start(read_foreign(tmp_path / "theirs"), _plan(tmp_path), tmp_path / "start")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "start").exists()
