"""Names and shapes of the decoder's tensors, and which kind of tensor each one is.

Pure data: no torch. Every station that handles weights by name asks here.
"""

from __future__ import annotations

from skald_specs.plan import TensorKind
from skald_specs.recipe import ModelShape

_KIND_BY_LEAF: dict[str, TensorKind] = {
    "embed.tokens.weight": "embedding",
    "attn_norm.weight": "norm",
    "mlp_norm.weight": "norm",
    "head.norm.weight": "norm",
    "head.linear.weight": "lm_head",
    "attn.q_proj.weight": "q_proj",
    "attn.k_proj.weight": "k_proj",
    "attn.v_proj.weight": "v_proj",
    "attn.o_proj.weight": "o_proj",
    "mlp.gate_proj.weight": "gate_proj",
    "mlp.up_proj.weight": "up_proj",
    "mlp.down_proj.weight": "down_proj",
}


def tensor_shapes(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the decoder by name, in forward order.

    Args:
        shape: The decoder's shape.

    Returns:
        Unsharded shapes, matrices as (fan_out, fan_in).
    """
    d_model, d_ff = shape.d_model, shape.d_ff
    d_kv = shape.n_kv_heads * shape.d_head
    tensors: dict[str, tuple[int, ...]] = {"embed.tokens.weight": (shape.vocab_size, d_model)}
    for i in range(shape.n_layers):
        block = f"layers.{i}."
        tensors |= {
            block + "attn_norm.weight": (d_model,),
            block + "attn.q_proj.weight": (d_model, d_model),
            block + "attn.k_proj.weight": (d_kv, d_model),
            block + "attn.v_proj.weight": (d_kv, d_model),
            block + "attn.o_proj.weight": (d_model, d_model),
            block + "mlp_norm.weight": (d_model,),
            block + "mlp.gate_proj.weight": (d_ff, d_model),
            block + "mlp.up_proj.weight": (d_ff, d_model),
            block + "mlp.down_proj.weight": (d_model, d_ff),
        }
    tensors |= {"head.norm.weight": (d_model,), "head.linear.weight": (shape.vocab_size, d_model)}
    return tensors


def tensor_kind(name: str) -> TensorKind:
    """Return the kind of a tensor; its rule stands under that kind in the plan.

    Raises:
        KeyError: No tensor of the decoder has this name.
    """
    leaf = name.split(".", 2)[2] if name.startswith("layers.") else name
    return _KIND_BY_LEAF[leaf]
