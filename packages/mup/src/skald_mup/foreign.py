"""Weights of other programs as a plain model: a published Hugging Face folder.

Knows the two architectures that are this decoder, in the ways their folders differ; what the decoder
cannot compute is refused by name. Reads safetensors alone, runs no code, needs no transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from skald_specs.shape import ModelShape

from skald_mup.huggingface import ARCHITECTURES, hf_name, shape_of
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import Source, TensorReader, tensor_files

_TYPES = ("F32", "F16", "BF16")
_REMEDY = "Only a plain Llama or Qwen3 can be taken over"


class Foreign(NamedTuple):
    """A plain model of another program: its shape, and its tensors by our names."""

    shape: ModelShape
    tensor: Source
    path: Path


def read_huggingface(folder: Path) -> Foreign:
    """Open a published folder.

    Args:
        folder: Holds config.json and safetensors, one file or several with an index.

    Returns:
        The plain model; tensors are read as they are asked for, in the type they are stored in.

    Raises:
        UserInputError: The decoder cannot compute this model, or the folder is incomplete.
    """
    path = folder / "config.json"
    config = read_json(path)
    if not isinstance(config, dict):
        raise UserInputError(str(path), "holds no JSON object", "Name a Hugging Face folder")
    shape = published_shape(config, str(path))
    if not tensor_files(folder / MODEL_FILE):
        pickles = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt*"))
        held = f", and a pickle ({pickles[0].name}) is never read" if pickles else ""
        raise UserInputError(
            str(folder), f"no {MODEL_FILE}{held}", "Name a folder with safetensors"
        )
    reader = TensorReader(folder / MODEL_FILE)
    _check_tensors(reader, shape, folder)
    return Foreign(shape, lambda name: reader(hf_name(name)), folder)


def published_shape(config: dict[str, Any], where: str) -> ModelShape:
    """Read a shape from a config.json that leaves defaults out.

    Args:
        config: Its content.
        where: Its path, for the error.

    Returns:
        The plain model's shape.

    Raises:
        UserInputError: The decoder cannot compute this model; the field is named.

    Source: the defaults of transformers' LlamaConfig and Qwen3Config.
    """
    named = config.get("architectures")
    if named not in [[name] for name in ARCHITECTURES]:
        raise UserInputError(where, f"architecture {named}", _REMEDY)
    qwen = named == ["Qwen3ForCausalLM"]
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise UserInputError(where, f"rope_parameters = {rope!r}", _REMEDY)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise UserInputError(where, f"rope_scaling of type {kind}", _REMEDY)
    refused: dict[str, tuple[Any, ...]] = {
        "hidden_act": ("silu",),
        "attention_bias": (False, None),
        "mlp_bias": (False, None),
        "partial_rotary_factor": (1, None),
        "use_sliding_window": (False, None),
        "quantization_config": (None,),
    }
    for field, allowed in refused.items():
        value = config.get(field, allowed[0])
        if value not in allowed:
            raise UserInputError(where, f"{field} = {value}", _REMEDY)
    heads = config.get("num_attention_heads", 32)
    with_heads = {**config, "num_attention_heads": heads}
    defaults = {
        "num_attention_heads": heads,
        "num_key_value_heads": 32 if qwen else heads,
        "head_dim": 128
        if qwen
        else share_of(with_heads, "hidden_size", "num_attention_heads", where),
        "max_position_embeddings": 32_768 if qwen else 2048,
        "rope_theta": rope.get("rope_theta", 10_000.0),
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
    }
    given = {key: value for key, value in config.items() if value is not None}
    return shape_of(defaults | given, where)


def share_of(config: dict[str, Any], whole: str, parts: str, where: str) -> int:
    """Return a field of a config.json divided by another, rounded down.

    Args:
        config: What the file held.
        whole: The dividend's field; no default is known for one that is missing.
        parts: The divisor's field.
        where: The file, for the error's line.

    Raises:
        UserInputError: One of them is no positive integer.
    """
    for field in (whole, parts):
        value = config.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserInputError(where, f"{field} = {value!r} is no positive integer", _REMEDY)
    return int(config[whole] // config[parts])


def _check_tensors(reader: TensorReader, shape: ModelShape, folder: Path) -> None:
    wanted = {hf_name(name): size for name, size in tensor_shapes(shape).items()}
    found = set(reader.names())
    for name, size in wanted.items():
        if name not in found:
            raise UserInputError(str(folder), f"no tensor {name}", "Fetch the folder again")
        dtype, stored = reader.describe(name)
        if stored != size or dtype not in _TYPES:
            raise UserInputError(
                str(folder),
                f"{name} is {dtype} {list(stored)}; its config.json says {list(size)}, and "
                f"{', '.join(_TYPES)} are read",
                "Fetch the folder again, or another form of it",
            )
    # Old folders store the rotary angles, and tied ones the output matrix once more.
    known = set(wanted) | ({"lm_head.weight"} if shape.tie_embeddings else set())
    strangers = sorted(n for n in found - known if not n.endswith("rotary_emb.inv_freq"))
    if strangers:
        raise UserInputError(str(folder), f"has {strangers[0]}, unknown to the model", _REMEDY)


def same_model(foreign: ModelShape, ours: ModelShape, where: str) -> None:
    """Check that a plan's model can hold a foreign one's weights and computes with them as it did.

    Args:
        foreign: The foreign model's shape.
        ours: The plan's; its vocabulary may be larger, its context any.
        where: The foreign model's path, for the error.

    Raises:
        UserInputError: A field differs.
    """
    free = ("vocab_size", "seq_len")
    for field, theirs in foreign.model_dump().items():
        value = getattr(ours, field)
        if field not in free and value != theirs:
            raise UserInputError(
                where,
                f"its {field} is {theirs}, the plan's model.{field} = {value}",
                "Make a plan with the model's own shape",
            )
    if ours.vocab_size < foreign.vocab_size:
        raise UserInputError(
            where,
            f"its vocabulary has {foreign.vocab_size} rows, more than the plan's "
            f"model.vocab_size = {ours.vocab_size}",
            "Raise model.vocab_size to at least that",
        )


def finite(tensor: torch.Tensor, name: str, where: str) -> torch.Tensor:
    """Return a tensor in fp32, and refuse one with NaN or infinity in it.

    Args:
        tensor: Of any dtype and shape.
        name: What the file calls it.
        where: The foreign model's path, for the error's line.

    Raises:
        UserInputError: NaN or infinity.
    """
    full = tensor.float()
    if not bool(torch.isfinite(full).all()):
        raise UserInputError(where, f"{name} holds NaN or infinity", "Name other weights")
    return full
