"""Names and shapes of the decoder's tensors, and which kind of tensor each one is.

Pure data: no torch. Every station that handles weights by name asks here.
"""

from __future__ import annotations

from skald_specs.plan import TENSOR_KINDS, TensorKind
from skald_specs.shape import ModelShape

_KIND_BY_LEAF: dict[str, TensorKind] = {
    "embed.tokens.weight": "embedding",
    "attn_norm.weight": "block_norm",
    "mlp_norm.weight": "block_norm",
    "attn.q_norm.weight": "qk_norm",
    "attn.k_norm.weight": "qk_norm",
    "head.norm.weight": "final_norm",
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
        Unsharded shapes, matrices as (fan_out, fan_in); a tied output matrix has no entry.
    """
    d_model, d_ff = shape.d_model, shape.d_ff
    d_kv = shape.n_kv_heads * shape.d_head
    tensors: dict[str, tuple[int, ...]] = {"embed.tokens.weight": (shape.vocab_size, d_model)}
    for i in range(shape.n_layers):
        block = {
            "attn_norm.weight": (d_model,),
            "attn.q_proj.weight": (d_model, d_model),
            "attn.k_proj.weight": (d_kv, d_model),
            "attn.v_proj.weight": (d_kv, d_model),
            "attn.q_norm.weight": (shape.d_head,),
            "attn.k_norm.weight": (shape.d_head,),
            "attn.o_proj.weight": (d_model, d_model),
            "mlp_norm.weight": (d_model,),
            "mlp.gate_proj.weight": (d_ff, d_model),
            "mlp.up_proj.weight": (d_ff, d_model),
            "mlp.down_proj.weight": (d_model, d_ff),
        }
        tensors |= {f"layers.{i}.{leaf}": size for leaf, size in block.items()}
    tensors |= {"head.norm.weight": (d_model,), "head.linear.weight": (shape.vocab_size, d_model)}
    kinds = set(tensor_kinds(shape))
    return {name: size for name, size in tensors.items() if tensor_kind(name) in kinds}


def tensor_kinds(shape: ModelShape) -> tuple[TensorKind, ...]:
    """Return the kinds of tensor a shape has, in the order of `TENSOR_KINDS`.

    Args:
        shape: The decoder's shape.

    Returns:
        All kinds, less the gains it does without and the output matrix it ties to the embedding.
    """
    absent: set[TensorKind] = set()
    if not shape.norm_gains:
        absent |= {"block_norm", "qk_norm", "final_norm"}
    if not shape.qk_norm:
        absent.add("qk_norm")
    if shape.tie_embeddings:
        absent.add("lm_head")
    return tuple(kind for kind in TENSOR_KINDS if kind not in absent)


def tensor_kind(name: str) -> TensorKind:
    """Return the kind of a tensor; its rule stands under that kind in the plan.

    Raises:
        KeyError: No tensor of the decoder has this name.
    """
    leaf = name.split(".", 2)[2] if name.startswith("layers.") else name
    return _KIND_BY_LEAF[leaf]
