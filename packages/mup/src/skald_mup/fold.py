"""Folding: the same function as a plain decoder, without forward multipliers.

Knows tensors by name and shape; refuses to know files and other libraries' names. Every shape and
every set of multipliers a recipe can ask for folds, so nothing is refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from skald_specs.plan import Multipliers, PlanIdentity
from skald_specs.shape import ModelShape

from skald_mup.model import Decoder
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import Tensors


class Folded(NamedTuple):
    """A plain model: its shape, which always has gains, and full tensors by name."""

    shape: ModelShape
    weights: Tensors

    def decoder(self) -> Decoder:
        """Build the model.

        Raises:
            RuntimeError: A tensor is missing or of another shape (torch names it).
        """
        decoder = Decoder(self.shape, plain_multipliers(self.shape))
        decoder.load_weights(self.weights)
        return decoder.eval()


def plain_multipliers(shape: ModelShape) -> Multipliers:
    """Return the multipliers of a model that has none.

    Args:
        shape: The model's shape.

    Returns:
        Ones, and the standard attention scale 1/sqrt(d_head).
    """
    return Multipliers(
        emb_mult=1.0, attn_scale=shape.d_head**-0.5, residual_mult=1.0, output_mult=1.0
    )


def fold(identity: PlanIdentity, weights: Tensors) -> Folded:
    """Multiply every forward multiplier into the weights it acts on.

    Args:
        identity: The plan's identity: shape and multipliers.
        weights: Full tensors by the plain model's names.

    Returns:
        The plain model. Gains that the trained model does without are written out as ones, times
        what is folded into them.

    Source: embed' = emb_mult * embed; o' = residual_mult * o; down' = residual_mult * down; with
        r = attn_scale * sqrt(d_head): q' = r * q, or, where a norm follows and would undo that,
        q_gain' = r * q_gain; final_gain' = output_mult * final_gain, which needs no matrix of its
        own; a tied readout brings emb_mult along, which final_gain' is divided by.
    Standing: derived (exact up to rounding; tests compare logits, also with Hugging Face's).
    """
    m, shape = identity.multipliers, identity.model
    attention = m.attn_scale * math.sqrt(shape.d_head)
    factors = {
        "embed.tokens.weight": m.emb_mult,
        "head.norm.weight": m.output_mult / (m.emb_mult if shape.tie_embeddings else 1.0),
        f"attn.{'q_norm' if shape.qk_norm else 'q_proj'}.weight": attention,
        "attn.o_proj.weight": m.residual_mult,
        "mlp.down_proj.weight": m.residual_mult,
    }

    def factor(name: str) -> float:
        return factors.get(name, factors.get(".".join(name.split(".")[-3:]), 1.0))

    folded = shape.model_copy(update={"norm_gains": True})
    dtype = weights["embed.tokens.weight"].dtype
    added = {
        name: torch.ones(size, dtype=dtype)
        for name, size in tensor_shapes(folded).items()
        if not shape.norm_gains and name.endswith("norm.weight")
    }
    return Folded(
        folded, {name: tensor * factor(name) for name, tensor in (added | weights).items()}
    )
