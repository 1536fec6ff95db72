"""The plain model in Hugging Face's words: architecture, tensor names and config.json.

Knows the two architectures an export can have; free of torch and of transformers.
"""

from __future__ import annotations

from typing import Any

from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.errors import UserInputError
from skald_specs.modelcard import LLAMA, QWEN3, architecture
from skald_specs.shape import ModelShape

#: Qwen3's QK-norm is as `model.Attention` has it.
ARCHITECTURES = (LLAMA, QWEN3)

_LEAF = {
    "attn_norm": "input_layernorm",
    "mlp_norm": "post_attention_layernorm",
    "attn": "self_attn",
    "mlp": "mlp",
}


def hf_name(name: str) -> str:
    """Return the name a tensor of ours has in both architectures."""
    fixed = {
        "embed.tokens.weight": "model.embed_tokens.weight",
        "head.norm.weight": "model.norm.weight",
        "head.linear.weight": "lm_head.weight",
    }
    if name in fixed:
        return fixed[name]
    _, layer, part, *rest = name.split(".")
    return ".".join(["model.layers", layer, _LEAF[part], *rest])


def config_of(shape: ModelShape) -> dict[str, Any]:
    """Return config.json of a plain model.

    Args:
        shape: Its shape; both architectures have gains.

    Returns:
        The fields of transformers 5.23.
    """
    config = {
        "architectures": [architecture(shape)],
        "model_type": "qwen3" if shape.qk_norm else "llama",
        "hidden_size": shape.d_model,
        "intermediate_size": shape.d_ff,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.n_kv_heads,
        "head_dim": shape.d_head,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.seq_len,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "rms_norm_eps": shape.norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": shape.tie_embeddings,
        "bos_token_id": END_OF_TEXT_ID,
        "eos_token_id": END_OF_TEXT_ID,
        "dtype": "float32",
    }
    return config | ({"use_sliding_window": False} if shape.qk_norm else {"mlp_bias": False})


def shape_of(config: Any, where: str) -> ModelShape:
    """Read the shape back from config.json.

    Args:
        config: Content of an export's config.json.
        where: Its path, for the error.

    Returns:
        The plain model's shape.

    Raises:
        UserInputError: It is of another architecture, lacks a field, or is no possible shape.
    """
    if not isinstance(config, dict):
        raise UserInputError(where, "holds no JSON object", "Run `skald export` again")
    named = config.get("architectures")
    if named not in ([LLAMA], [QWEN3]):
        raise UserInputError(where, f"architecture {named}", "Use an export of Skald")
    fields = {
        "d_model": "hidden_size",
        "n_layers": "num_hidden_layers",
        "d_head": "head_dim",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "d_ff": "intermediate_size",
        "vocab_size": "vocab_size",
        "seq_len": "max_position_embeddings",
        "rope_theta": "rope_theta",
        "norm_eps": "rms_norm_eps",
        "tie_embeddings": "tie_word_embeddings",
    }
    if missing := [theirs for theirs in fields.values() if theirs not in config]:
        raise UserInputError(where, f"no field {missing[0]}", "Run `skald export` again")
    given = {ours: config[theirs] for ours, theirs in fields.items()}
    return ModelShape.check({**given, "qk_norm": named == [QWEN3]}, where)
