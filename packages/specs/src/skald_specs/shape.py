"""The decoder's shape: widths, counts and the options that decide which tensors it has."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec

#: What weights and activations are computed in; fp32 copies are kept beside bf16 ones.
DType = Literal["float32", "bfloat16"]
#: Counts that a float holds exactly, and factors whose products stay numbers.
Positive = Annotated[int, Field(gt=0, le=10**15)]
PositiveFloat = Annotated[float, Field(gt=0, le=1e30)]
#: Far beyond any model: a file that says more is wrong, and would be counted through layer by layer.
_Size = Annotated[int, Field(gt=0, le=1 << 24)]
_Layers = Annotated[int, Field(gt=0, le=10_000)]
_Length = Annotated[int, Field(gt=0, le=1 << 31)]


class ModelShape(Spec):
    """The decoder's shape; names and units as in docs/notation.md.

    `tie_embeddings`: the token embedding is the output matrix too. `qk_norm`: queries and keys of
    each head are RMS-normalised before the rotation, with one gain for all heads. `norm_gains`:
    whether RMSNorms have gains at all.
    """

    d_model: _Size
    n_layers: _Layers
    d_head: _Size
    n_heads: _Size
    n_kv_heads: _Size
    d_ff: _Size
    vocab_size: _Size
    seq_len: _Length
    rope_theta: PositiveFloat = 10_000.0
    norm_eps: PositiveFloat = 1e-5
    tie_embeddings: bool = False
    qk_norm: bool = False
    norm_gains: bool = True

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.n_heads * self.d_head != self.d_model:
            raise ValueError(
                f"n_heads x d_head = {self.n_heads * self.d_head} differs from "
                f"d_model = {self.d_model}; make them equal"
            )
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads = {self.n_heads} is not a multiple of n_kv_heads = {self.n_kv_heads}"
            )
        if self.d_head % 2:
            raise ValueError(f"d_head = {self.d_head} must be even for rotary embeddings")
        return self
