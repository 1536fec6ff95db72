"""Weights of nanotron 0.4's own checkpoints as a plain model, without nanotron.

    MODEL_FOLDER/
      model_config.json
      model/model/decoder/0/pp_block/attn/qkv_proj/model_weight_pp-rank-0-of-1_tp-rank-0-of-2.safetensors

A file holds one tensor, `data`: whole, or one tensor-parallel shard whose metadata says where it
lies in the whole. Source of every convention: nanotron 0.4, `serialize/weights.py` (folders),
`serialize/metadata.py` and `parallel/parameters.py` (metadata), `models/llama.py` (fused matrices).
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from skald_mup.foreign import Foreign, share_of
from skald_mup.names import tensor_shapes
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_json
from skald_specs.shape import ModelShape

_REMEDY = "Only checkpoints of nanotron 0.4's LlamaForTraining can be taken over"
#: The rotary base of nanotron 0.4: LlamaConfig has no field for it, and both of its embeddings keep
#: their default (models/llama.py:57 and flash_attn's).
_ROPE_THETA = 10_000.0
#: Fields of nanotron 0.4's LlamaConfig that change no tensor and no logit of a plain decoder.
_IGNORED = {
    "bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "is_llama_config",
    "pretraining_tp", "use_cache",
}  # fmt: skip
_SHAPE_FIELDS = {
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "d_ff": "intermediate_size",
    "vocab_size": "vocab_size",
    "seq_len": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
    "tie_embeddings": "tie_word_embeddings",
}
_FIXED = {
    "embed.tokens.weight": "model/token_position_embeddings/pp_block/token_embedding",
    "head.norm.weight": "model/final_layer_norm/pp_block",
    "head.linear.weight": "model/lm_head/pp_block",
}
_LEAF = {
    "attn_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attn.q_proj": "attn/qkv_proj",
    "attn.k_proj": "attn/qkv_proj",
    "attn.v_proj": "attn/qkv_proj",
    "attn.o_proj": "attn/o_proj",
    "mlp.gate_proj": "mlp/gate_up_proj",
    "mlp.up_proj": "mlp/gate_up_proj",
    "mlp.down_proj": "mlp/down_proj",
}
Slices = tuple[slice, ...]
_RANKS = re.compile(r"pp-rank-(\d+)-of-(\d+)_tp-rank-(\d+)-of-(\d+)\.safetensors$")


def read_nanotron(folder: Path) -> Foreign:
    """Open the model of a nanotron checkpoint.

    Args:
        folder: Holds model_config.json and model/.

    Returns:
        The plain model; tensors are put together as they are asked for.

    Raises:
        UserInputError: It is another model, or a shard is missing or damaged.
    """
    path = folder / "model_config.json"
    config = read_json(path)
    if not isinstance(config, dict):
        raise UserInputError(str(path), "holds no JSON object", _REMEDY)
    shape = _shape_of(config, str(path))
    whole = {name: _whole_shape(name, shape) for name in tensor_shapes(shape)}
    for name in whole:
        _files(folder, name)

    def tensor(name: str) -> torch.Tensor:
        return _unfused(name, _merged(_files(folder, name), whole[name]), shape)

    return Foreign(shape, tensor, folder)


def _shape_of(config: dict[str, Any], where: str) -> ModelShape:
    refused = {"hidden_act": "silu", "rope_scaling": None}
    for field, wanted in refused.items():
        if config.get(field, wanted) != wanted:
            raise UserInputError(where, f"{field} = {config[field]}", _REMEDY)
    if strangers := sorted(set(config) - _IGNORED - set(refused) - set(_SHAPE_FIELDS.values())):
        raise UserInputError(where, f"has a field {strangers[0]}, which 0.4 has not", _REMEDY)
    if missing := sorted(set(_SHAPE_FIELDS.values()) - set(config)):
        raise UserInputError(where, f"no field {missing[0]}", _REMEDY)
    given = {ours: config[theirs] for ours, theirs in _SHAPE_FIELDS.items()}
    d_head = share_of(config, "hidden_size", "num_attention_heads", where)
    return ModelShape.check({**given, "d_head": d_head, "rope_theta": _ROPE_THETA}, where)


def _whole_shape(name: str, shape: ModelShape) -> tuple[int, ...]:
    """Return the unsharded shape of the (fused) matrix that a tensor of ours lies in."""
    d_kv = shape.n_kv_heads * shape.d_head
    if "qkv_proj" in _folder_of(name):
        return (shape.d_model + 2 * d_kv, shape.d_model)
    if "gate_up_proj" in _folder_of(name):
        return (2 * shape.d_ff, shape.d_model)
    return tensor_shapes(shape)[name]


def _folder_of(name: str) -> str:
    if name in _FIXED:
        return _FIXED[name]
    _, layer, rest = name.split(".", 2)
    return f"model/decoder/{layer}/pp_block/{_LEAF[rest.removesuffix('.weight')]}"


def _files(folder: Path, name: str) -> list[Path]:
    """Find a tensor's only file, or one of each tensor-parallel rank."""
    place = folder / "model" / _folder_of(name)
    whole = place / "model_weight.safetensors"
    if whole.is_file():
        return [whole]
    shards = sorted(place.glob("model_weight_*.safetensors"))
    ranks = [(int(m[3]), int(m[4])) for path in shards if (m := _RANKS.search(path.name))]
    if not shards or sorted(rank for rank, _ in ranks) != list(range(ranks[0][1] if ranks else 0)):
        held = ", ".join(str(rank) for rank, _ in ranks) or "none"
        raise UserInputError(
            str(place),
            f"not one file of each tensor-parallel rank (there are: {held})",
            "Fetch the checkpoint again",
        )
    return shards


def _merged(files: list[Path], size: tuple[int, ...]) -> torch.Tensor:
    """Lay the shards of a tensor into the whole."""
    pieces: list[tuple[Path, torch.Tensor, Slices]] = []
    for path in files:
        with (
            read_by_library(path, "no readable tensor", "Fetch the checkpoint again"),
            safe_open(path, framework="pt") as opened,
        ):
            data, said = opened.get_tensor("data"), opened.metadata() or {}
        with read_by_library(path, "does not fit", _REMEDY):
            pairs: list[tuple[Slices, Slices]] = [((), ())]
            stated = tuple(data.shape)
            if "local_global_slices_pairs" in said:
                pairs = _slices(said["local_global_slices_pairs"])
                stated = _numbers(said.get("unsharded_shape", ""))
            if stated != size:
                raise ValueError(f"its tensor is {list(stated)}, the config's {list(size)}")
            pieces += [(path, data[local], place) for local, place in pairs]
    # Before room is made for what a config alone says is there.
    if sum(piece.numel() for _, piece, _ in pieces) != math.prod(size):
        raise UserInputError(
            str(files[0].parent), "its shards do not cover the tensor", "Fetch the checkpoint again"
        )
    whole = torch.empty(size)
    for path, piece, place in pieces:
        with read_by_library(path, "does not fit", _REMEDY):
            whole[place] = piece.float()
    return whole


def _numbers(text: str) -> tuple[int, ...]:
    """Read `(128, 64)`, or `(np.int64(128), 64)` as numpy 2 makes nanotron write it."""
    return tuple(int(number) for number in re.findall(r"\d+", re.sub(r"np\.u?int\d+", "", text)))


def _slices(text: str) -> list[tuple[Slices, Slices]]:
    """Read `0,16,None|None,None,None#...;...`: slices of the shard and of the whole.

    Source: `SlicesPair.from_str`, nanotron 0.4, parallel/parameters.py:42.
    """

    def one(words: str) -> Slices:
        clean = re.sub(r"np\.u?int\d+\((\d+)\)", r"\1", words)
        return tuple(
            slice(*(None if word == "None" else int(word) for word in part.split(",")))
            for part in clean.split("|")
        )

    pairs = (pair.split("#") for pair in text.split(";"))
    return [(one(local), one(place)) for local, place in pairs]


def _unfused(name: str, whole: torch.Tensor, shape: ModelShape) -> torch.Tensor:
    """Cut a tensor of ours out of a fused matrix, and turn its rotary pairs into ours.

    Source: nanotron 0.4, models/llama.py:303 (rows are all queries, all keys, all values; heads in
        order) and :133 (gate, then up).
    """
    d_kv, part = shape.n_kv_heads * shape.d_head, name.split(".")[-2]
    rows = {
        "q_proj": (0, shape.d_model),
        "k_proj": (shape.d_model, shape.d_model + d_kv),
        "v_proj": (shape.d_model + d_kv, shape.d_model + 2 * d_kv),
        "gate_proj": (0, shape.d_ff),
        "up_proj": (shape.d_ff, 2 * shape.d_ff),
    }
    piece = whole[slice(*rows[part])] if part in rows else whole
    return halves_of_pairs(piece, shape.d_head) if part in ("q_proj", "k_proj") else piece


def halves_of_pairs(weight: torch.Tensor, d_head: int) -> torch.Tensor:
    """Reorder the rows of each head from rotating neighbours to rotating halves.

    Args:
        weight: A query or key matrix, (heads x d_head, d_model), whose features 2i and 2i + 1 of a
            head rotate against each other.
        d_head: Width of a head, features.

    Returns:
        The same function of the dot product where features i and i + d_head / 2 rotate.

    Source: nanotron 0.4, models/llama.py:324 trains with `interleaved=True` (flash-attn's word for
        neighbours) and :107-114 samples with neighbours as complex numbers; ours is Hugging Face's.
    """
    pairs = weight.view(-1, d_head // 2, 2, weight.shape[-1])
    return pairs.transpose(1, 2).reshape(weight.shape)
