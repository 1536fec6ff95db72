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
from skald_mup.tensorfile import Source, Tensors


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
    """
    shape, tensor = folding(identity, weights.__getitem__)
    dtype = weights["embed.tokens.weight"].dtype
    return Folded(shape, {name: tensor(name).to(dtype) for name in tensor_shapes(shape)})


def folding(identity: PlanIdentity, source: Source) -> tuple[ModelShape, Source]:
    """Fold tensor by tensor, as each is asked for.

    Args:
        identity: The plan's identity: shape and multipliers.
        source: The trained model's tensors.

    Returns:
        The plain model's shape and its tensors.

    Source: embed' = emb_mult * embed; o' = residual_mult * o; down' = residual_mult * down; with
        r = attn_scale * sqrt(d_head): q' = r * q, or, where a norm follows and would undo that,
        q_gain' = r * q_gain; final_gain' = output_mult * final_gain, which needs no matrix of its
        own; a tied readout brings emb_mult along, which final_gain' is divided by.
    Standing: derived (exact up to rounding; tests compare logits, also with Hugging Face's).
    """
    shape = identity.model
    folded = shape.model_copy(update={"norm_gains": True})
    own, sizes = set(tensor_shapes(shape)), tensor_shapes(folded)

    def tensor(name: str) -> torch.Tensor:
        found = source(name) if name in own else torch.ones(sizes[name], dtype=torch.float64)
        return found * _factor(identity, name)

    return folded, tensor


def unfolding(identity: PlanIdentity, source: Source) -> Source:
    """Divide the multipliers out of a plain model: what `folding` undoes.

    Args:
        identity: The plan's identity, whose model has gains.
        source: The plain model's tensors, in any floating type.

    Returns:
        The trained model's tensors, in fp32.

    Standing: derived; exact for powers of two, else to one rounding of fp32 (a folded bf16 weight
        comes back to the bit).
    """
    return lambda name: source(name).float() / _factor(identity, name)


def _factor(identity: PlanIdentity, name: str) -> float:
    """Return what folding multiplies a tensor with."""
    m, shape = identity.multipliers, identity.model
    factors = {
        "embed.tokens.weight": m.emb_mult,
        "head.norm.weight": m.output_mult / (m.emb_mult if shape.tie_embeddings else 1.0),
        f"attn.{'q_norm' if shape.qk_norm else 'q_proj'}.weight": m.attn_scale
        * math.sqrt(shape.d_head),
        "attn.o_proj.weight": m.residual_mult,
        "mlp.down_proj.weight": m.residual_mult,
    }
    return factors.get(name, factors.get(".".join(name.split(".")[-3:]), 1.0))
