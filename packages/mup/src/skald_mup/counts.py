"""Parameters and floating-point operations of a shape, in closed form.

Knows the decoder's tensors by their sizes only; a built model must count the same.
"""

from __future__ import annotations

from skald_specs.shape import ModelShape

#: Logits that the loss of one rank takes at a time: what a core's cache holds, and what keeps a GPU
#: busy.
LOSS_PIECE = {"cpu": 1 << 17, "cuda": 1 << 27}


def n_params_non_embedding(shape: ModelShape) -> int:
    """Count the parameters outside the vocabulary matrices: blocks and final norm.

    Args:
        shape: The model's shape.

    Returns:
        Parameters without the token embedding and without the output matrix, whether tied or not.

    Source: the decoder's tensor list (grouped-query attention, SwiGLU, RMSNorm gains, no biases).
    Standing: derived.
    """
    d_attn, d_kv = shape.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head
    attention = 2 * shape.d_model * d_attn + 2 * shape.d_model * d_kv
    mlp = 3 * shape.d_model * shape.d_ff
    gains = 2 * shape.d_model + (2 * shape.d_head if shape.qk_norm else 0)
    block = attention + mlp + (gains if shape.norm_gains else 0)
    return shape.n_layers * block + (shape.d_model if shape.norm_gains else 0)


def n_params_total(shape: ModelShape) -> int:
    """Count all parameters.

    Args:
        shape: The model's shape.

    Returns:
        Parameters. The public 7.8B shape gives 7,799,574,528.

    Source: as `n_params_non_embedding`, plus the embedding and the output matrix.
    Standing: derived; equals the published count of the 7.8B baseline.
    """
    n_matrices = 1 if shape.tie_embeddings else 2
    return n_params_non_embedding(shape) + n_matrices * shape.vocab_size * shape.d_model


def flops_per_token(shape: ModelShape) -> int:
    """Count training operations a token, forward and backward, at full context length.

    Six for every parameter that multiplies an activation (the output matrix does, the embedding
    look-up does not) and `12 n_layers n_heads d_head seq_len` for attention scores and
    their sum. The causal half is not taken off, which is the usual convention of utilisation
    figures; norms and gains are counted as if they were matrices, which changes nothing visible.

    Args:
        shape: The model's shape.

    Returns:
        Floating-point operations a token.

    Source: arXiv 2204.02311, Appendix B.
    Standing: derived.
    """
    n_multiplying = n_params_non_embedding(shape) + shape.vocab_size * shape.d_model
    attention = 12 * shape.n_layers * shape.n_heads * shape.d_head * shape.seq_len
    return 6 * n_multiplying + attention
