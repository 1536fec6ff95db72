"""Fuzz targets: corpora in shards, checkpoints, exports, and weights of other programs.

Files that a checksum guards are given the right one, so that the reader behind the guard is met, too.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _fuzz_files_mutate import of_numbers, of_tensors, once, put
from _fuzz_target import Target
from skald_corpus.held_out import shard_documents
from skald_harness.models.counting import training_texts
from skald_harness.models.folder import read_export, read_folder
from skald_mup.export import export
from skald_mup.foreign import published_shape
from skald_mup.huggingface import hf_name
from skald_mup.init import initial_tensor
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import bytes_of, save_sharded, save_tensors
from skald_specs.checkpoint import CheckpointState
from skald_specs.corpus import CorpusManifest, load_corpus
from skald_specs.files import sha256_file
from skald_specs.plan import Plan
from skald_trainer.checkpoint import save
from skald_trainer.checkpoint_view import inspect, page, verify_tensors
from skald_trainer.generate import generate
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.start import read_foreign

support_trainer: Any = importlib.import_module("support_trainer")

_SMALL = {"d_model": 16, "n_layers": 1, "d_head": 4, "d_ff": 24}


def _plan(manifest: CorpusManifest) -> Plan:
    plan: Plan = support_trainer.tiny_plan(manifest, model=_SMALL)
    return plan


def _corpus(folder: Path) -> None:
    _plan(support_trainer.tiny_corpus(folder, n_documents=6)).save(folder / "plan.yaml")


def _checkpoint(folder: Path) -> None:
    plan = _plan(support_trainer.tiny_corpus(folder / "corpus", n_documents=6))
    weights = {n: initial_tensor(plan.identity, n) for n in tensor_shapes(plan.identity.model)}
    moments = {f"{m}.{n}": torch.zeros_like(t) for m in ("exp_avg", "exp_avg_sq") for n, t in weights.items()}  # fmt: skip
    save(
        folder / "whole", plan, CheckpointState(step=3, tokens_seen=384, samples_seen=24),
        weights, moments,
    )  # fmt: skip


def _export(folder: Path) -> None:
    _checkpoint(folder)
    export(folder / "whole", folder / "corpus", folder / "export")


def _sharded(folder: Path) -> None:
    _export(folder)
    weights = {n: torch.zeros(s) for n, s in _export_shapes(folder / "export").items()}
    (folder / "export" / "model.safetensors").unlink()
    path = folder / "export" / "model.safetensors"
    save_sharded(path, bytes_of(weights), weights.__getitem__, 4000)


def _export_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    shape = published_shape(json.loads((folder / "config.json").read_text()), "")
    return {hf_name(name): size for name, size in tensor_shapes(shape).items()}


def _nanotron(folder: Path) -> None:
    """A checkpoint of nanotron's with its head in two tensor-parallel shards."""
    config = {
        "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 8,
        "intermediate_size": 12, "is_llama_config": True, "max_position_embeddings": 16,
        "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1,
        "pad_token_id": None, "rms_norm_eps": 1e-5, "rope_scaling": None,
        "tie_word_embeddings": False, "vocab_size": 20,
    }  # fmt: skip
    put(folder / "model_config.json", json.dumps(config).encode())
    block = "model/decoder/0/pp_block"
    sizes = {
        "model/token_position_embeddings/pp_block/token_embedding": (20, 8),
        f"{block}/input_layernorm": (8,), f"{block}/attn/qkv_proj": (16, 8),
        f"{block}/attn/o_proj": (8, 8), f"{block}/post_attention_layernorm": (8,),
        f"{block}/mlp/gate_up_proj": (24, 8), f"{block}/mlp/down_proj": (8, 12),
        "model/final_layer_norm/pp_block": (8,),
    }  # fmt: skip
    for name, size in sizes.items():
        place = folder / "model" / name
        place.mkdir(parents=True, exist_ok=True)
        save_tensors({"data": torch.ones(size)}, place / "model_weight.safetensors")
    head = folder / "model/model/lm_head/pp_block"
    head.mkdir(parents=True, exist_ok=True)
    for rank in range(2):
        put(head / _HEAD.format(rank), _head_shard(rank))


_HEAD = "model_weight_pp-rank-0-of-1_tp-rank-{}-of-2.safetensors"


def _head_shard(rank: int) -> bytes:
    from safetensors.torch import save as saved

    rows = f"0,10,None|None,None,None#{10 * rank},{10 * rank + 10},None|None,None,None"
    said = {"local_global_slices_pairs": rows, "unsharded_shape": "(20, 8)"}
    found: bytes = saved({"data": torch.ones(10, 8)}, metadata=said)
    return found


def _file(make: Callable[[Path], object], name: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [(once(folder, make) / name).read_bytes()]


def _configs(folder: Path) -> list[bytes]:
    """Both architectures that an export can have; transformers knows them in other ways."""
    (llama,) = _file(_export, "export/config.json")(folder)
    qwen = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    return [llama, json.dumps({**json.loads(llama), **qwen}).encode()]


def _with_sum(manifest: Path, name: str, *keys: str | int) -> None:
    """Write a file's checksum where a manifest has it."""
    value: Any = json.loads(manifest.read_text())
    at = value
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = sha256_file(manifest.with_name(name))
    manifest.write_text(json.dumps(value))


def _read_corpus(place: Path, chance: int) -> object:
    manifest = load_corpus(place)
    if chance % 2:
        data = TrainingData(Plan.load(place / "plan.yaml"), place, manifest)
        return data.micro_batch(1, 0, 2), validation_sets(
            Plan.load(place / "plan.yaml"), place, manifest
        )
    return training_texts(place, manifest, "da"), list(
        shard_documents(place, manifest, "da", "validation")
    )


def _corpus_file(name: str, *keys: str | int) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / name, _corpus)
        put(place / name, data)
        if keys:
            _with_sum(place / "corpus.json", name, *keys)
        return _read_corpus(place, len(data))

    return call


def _checkpoint_file(name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / name, _checkpoint) / "whole"
        put(place / name, data)
        if name != "manifest.json":
            _with_sum(place / "manifest.json", name, "sha256", name)
        return page(inspect(place)) if len(data) % 2 else verify_tensors(place)

    return call


def _taken_over(place: Path) -> object:
    foreign = read_foreign(place)
    return [foreign.tensor(name).sum() for name in tensor_shapes(foreign.shape)]


def _foreign_file(make: Callable[[Path], object], name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / name.replace("/", "-"), make)
        place = place / "export" if (place / "export").is_dir() else place
        put(place / name, data)
        return _taken_over(place)

    return call


def _export_file(make: Callable[[Path], object], name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / f"scored-{name}", make) / "export"
        put(place / name, data)
        return read_export(place) if len(data) % 2 else read_folder(place, role="external")

    return call


def _sampled(name: str) -> Callable[[bytes, Path], object]:
    def call(data: bytes, folder: Path) -> object:
        place = once(folder / f"sampled-{name}", _export)
        put(place / "export" / name, data)
        return generate(place / "export", "En", 2, 1, place / "corpus")

    return call


_HEAD_FILE = f"model/model/lm_head/pp_block/{_HEAD.format(1)}"
_CONFIG = (
    b'"architectures"', b'"rope_parameters"', b'"rope_scaling"', b'"head_dim"', b'"text_config"',
    b'"auto_map"', b'"quantization_config"', b'"Qwen3ForCausalLM"', b'"dtype"',
)  # fmt: skip
_TENSORS = (b'"dtype"', b'"shape"', b'"data_offsets"', b'"BF16"', b'"I64"', b'"__metadata__"')
_TOKENIZER = (b'"vocab"', b'"merges"', b'"added_tokens"', b'"pre_tokenizer"', b'"type"', b'"Split"')
_SHARD = (b"\x00\x00", b"\xff\xff")
_EXPORTED, _INDEX = "export/{}", "model.safetensors.index.json"

TARGETS = (
    Target("corpus manifest", _file(_corpus, "corpus.json"), _corpus_file("corpus.json"), (b'"path"', b'"../x"')),
    Target("corpus tokenizer", _file(_corpus, "tokenizer.json"),
           _corpus_file("tokenizer.json", "tokenizer_sha256"), _TOKENIZER),
    Target("shard", _file(_corpus, "da.train.ds"), _corpus_file("da.train.ds", "shards", 0, "sha256"),
           _SHARD, of_numbers),
    Target("shard index", _file(_corpus, "da.train.ds.index"), _corpus_file("da.train.ds.index"),
           _SHARD, of_numbers),
    Target("checkpoint manifest", _file(_checkpoint, "whole/manifest.json"), _checkpoint_file("manifest.json"),
           (b'"sha256"', b'"../../x"')),
    Target("checkpoint state", _file(_checkpoint, "whole/state.json"), _checkpoint_file("state.json"), (b'"step"',)),
    Target("checkpoint plan", _file(_checkpoint, "whole/plan.yaml"), _checkpoint_file("plan.yaml"), (b"model:",)),
    Target("checkpoint tensors", _file(_checkpoint, "whole/model.safetensors"),
           _checkpoint_file("model.safetensors"), _TENSORS, of_tensors),
    Target("hugging face config", _file(_export, _EXPORTED.format("config.json")),
           _foreign_file(_export, "config.json"), _CONFIG),
    Target("hugging face tensors", _file(_export, _EXPORTED.format("model.safetensors")),
           _foreign_file(_export, "model.safetensors"), _TENSORS, of_tensors),
    Target("hugging face index", _file(_sharded, _EXPORTED.format(_INDEX)), _foreign_file(_sharded, _INDEX),
           (b'"weight_map"', b'"../x"')),
    Target("nanotron config", _file(_nanotron, "model_config.json"), _foreign_file(_nanotron, "model_config.json"),
           _CONFIG),
    Target("nanotron tensor", lambda folder: [_head_shard(1)], _foreign_file(_nanotron, _HEAD_FILE), _TENSORS,
           of_tensors),
    Target("export config", _configs, _export_file(_export, "config.json"),
           _CONFIG),
    Target("export tensors", _file(_export, _EXPORTED.format("model.safetensors")),
           _export_file(_export, "model.safetensors"), _TENSORS, of_tensors),
    Target("export index", _file(_sharded, _EXPORTED.format(_INDEX)), _export_file(_sharded, _INDEX),
           (b'"weight_map"', b'"../x"')),
    Target("export tokenizer", _file(_export, _EXPORTED.format("tokenizer.json")),
           _export_file(_export, "tokenizer.json"), _TOKENIZER),
    Target("export tokenizer config", _file(_export, _EXPORTED.format("tokenizer_config.json")),
           _export_file(_export, "tokenizer_config.json"), (b'"auto_map"', b'"fast_tokenizer_files"')),
    Target("sampled config", _file(_export, _EXPORTED.format("config.json")), _sampled("config.json"), _CONFIG),
    Target("sampled tokenizer", _file(_export, _EXPORTED.format("tokenizer.json")), _sampled("tokenizer.json"),
           _TOKENIZER),
    Target("sampled tensors", _file(_export, _EXPORTED.format("model.safetensors")),
           _sampled("model.safetensors"), _TENSORS, of_tensors),
)  # fmt: skip
