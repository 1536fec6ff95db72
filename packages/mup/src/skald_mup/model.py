"""The decoder, written once: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Its linear and embedding layers come in through a `LayerFactory`, so the plain model and the
tensor-parallel one are the same lines. Knows nothing of optimisers, data or process groups.

Activations are (T, B, D) throughout: sequence first, because reduce-scatter tensor parallelism
shards the first dimension. Letters: B batch, T tokens, D d_model, F d_ff, N heads, K kv heads,
H d_head, V vocabulary.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import torch
from skald_specs.corpus import END_OF_TEXT_ID
from skald_specs.plan import Multipliers
from skald_specs.shape import ModelShape
from torch import nn
from torch.nn import functional as F


class LayerFactory(Protocol):
    """Builds the layers that tensor parallelism shards; `tp` is the number of shards."""

    tp: int

    def embedding(self, vocab_size: int, d_model: int) -> nn.Module:
        """Map token ids (T, B) to vectors (T, B, D).

        Args:
            vocab_size: Rows of the whole table, over all shards.
            d_model: Features of a vector; never sharded.
        """

    def column(self, fan_in: int, fan_out: int) -> nn.Module:
        """Return a linear layer without bias whose outputs are sharded.

        Args:
            fan_in: Features that every shard sees.
            fan_out: Features of all shards together; `tp` divides it.
        """

    def row(self, fan_in: int, fan_out: int) -> nn.Module:
        """Return a linear layer without bias whose inputs are sharded; its output is whole.

        Args:
            fan_in: Features of all shards together; `tp` divides it.
            fan_out: Features of the sum over shards.
        """


class PlainLayers:
    """The factory of one process: `torch.nn` layers without biases."""

    tp = 1

    def embedding(self, vocab_size: int, d_model: int) -> nn.Module:
        """See `LayerFactory.embedding`."""
        return nn.Embedding(vocab_size, d_model)

    def column(self, fan_in: int, fan_out: int) -> nn.Module:
        """See `LayerFactory.column`."""
        return nn.Linear(fan_in, fan_out, bias=False)

    def row(self, fan_in: int, fan_out: int) -> nn.Module:
        """See `LayerFactory.row`."""
        return nn.Linear(fan_in, fan_out, bias=False)


class RMSNorm(nn.Module):
    """Root-mean-square norm, with a gain or without one.

    Source: Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4.
    """

    def __init__(self, n_features: int, eps: float, gain: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_features)) if gain else None
        self.n_features, self.eps = n_features, eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension."""
        return F.rms_norm(x, (self.n_features,), self.weight, self.eps)


@lru_cache(maxsize=8)
def _rotary_tables(
    seq_len: int, d_head: int, theta: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines of the rotary angles, (T, H) in fp32.

    The two halves of a head rotate against each other, as in Hugging Face's Llama. The tables are
    no buffers: nanotron casts registered buffers to the model's dtype, and angles in bf16 are wrong.

    Source: Su et al. 2021, arXiv 2104.09864, eq. 34.
    """
    # Made outside inference mode: the tables outlive the call, and training may use them next.
    with torch.inference_mode(False):
        inverse_H2 = theta ** (
            -torch.arange(0, d_head, 2, dtype=torch.float32, device=device) / d_head
        )
        angle_TH = torch.outer(torch.arange(seq_len, device=device).float(), inverse_H2).repeat(
            1, 2
        )
        return angle_TH.cos(), angle_TH.sin()


def _rotate(x_BNTH: torch.Tensor, theta: float) -> torch.Tensor:
    """Apply rotary position embeddings."""
    cos_TH, sin_TH = _rotary_tables(x_BNTH.shape[2], x_BNTH.shape[3], theta, x_BNTH.device)
    first, second = x_BNTH.chunk(2, dim=-1)
    turned_BNTH = torch.cat((-second, first), dim=-1)
    return (x_BNTH * cos_TH + turned_BNTH * sin_TH).to(x_BNTH.dtype)


def document_mask(ids_BT: torch.Tensor) -> torch.Tensor:
    """Return what each token may attend to, (B, 1, T, T): itself and before it, its own text only.

    An end-of-text token opens the text that follows it, as in evaluation: it sees nothing before
    it and predicts the next text's first token. Positions run on through the window; rotary
    attention knows differences of positions alone, so counting afresh in each text is the same.

    Source: Dubey et al. 2024 (Llama 3), arXiv 2407.21783, section 3.2.
    """
    text_BT = (ids_BT == END_OF_TEXT_ID).cumsum(1)
    return (text_BT[:, :, None] == text_BT[:, None, :]).tril()[:, None]


class Attention(nn.Module):
    """Causal grouped-query attention; the logits are `attn_scale * q.k`.

    With QK-norm each head's queries and keys are normalised before the rotation, as in Qwen3; one
    gain serves all heads.
    """

    def __init__(self, shape: ModelShape, attn_scale: float, layers: LayerFactory) -> None:
        super().__init__()
        d_kv = shape.n_kv_heads * shape.d_head
        self.q_proj = layers.column(shape.d_model, shape.d_model)
        self.k_proj = layers.column(shape.d_model, d_kv)
        self.v_proj = layers.column(shape.d_model, d_kv)
        self.o_proj = layers.row(shape.d_model, shape.d_model)
        self.q_norm = self.k_norm = None
        if shape.qk_norm:
            self.q_norm = RMSNorm(shape.d_head, shape.norm_eps, shape.norm_gains)
            self.k_norm = RMSNorm(shape.d_head, shape.norm_eps, shape.norm_gains)
        self.d_head, self.rope_theta, self.attn_scale = shape.d_head, shape.rope_theta, attn_scale

    def _heads(self, x_TBX: torch.Tensor) -> torch.Tensor:
        n_tokens, batch, width = x_TBX.shape
        return x_TBX.view(n_tokens, batch, width // self.d_head, self.d_head).permute(1, 2, 0, 3)

    def queries_keys(self, x_TBD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return queries (B, N, T, H) and keys (B, K, T, H) as they meet in the dot product."""
        q_BNTH, k_BKTH = self._heads(self.q_proj(x_TBD)), self._heads(self.k_proj(x_TBD))
        if self.q_norm is not None and self.k_norm is not None:
            q_BNTH, k_BKTH = self.q_norm(q_BNTH), self.k_norm(k_BKTH)
        return _rotate(q_BNTH, self.rope_theta), _rotate(k_BKTH, self.rope_theta)

    def forward(self, x_TBD: torch.Tensor, mask_B1TT: torch.Tensor | None = None) -> torch.Tensor:
        """Attend; input and output are (T, B, D). Without a mask (`document_mask`): causally."""
        q_BNTH, k_BKTH = self.queries_keys(x_TBD)
        v_BKTH = self._heads(self.v_proj(x_TBD))
        # On CUDA grouped heads are for the flash kernel alone, which takes no mask and no fp32 (torch's
        # documentation); any other would keep the probabilities.
        grouped = mask_B1TT is None and not (q_BNTH.is_cuda and q_BNTH.dtype == torch.float32)
        if not grouped:
            n_queries = q_BNTH.shape[1] // k_BKTH.shape[1]
            k_BKTH, v_BKTH = (x.repeat_interleave(n_queries, 1) for x in (k_BKTH, v_BKTH))
        y_BNTH = F.scaled_dot_product_attention(
            q_BNTH, k_BKTH, v_BKTH, attn_mask=mask_B1TT, is_causal=mask_B1TT is None,
            scale=self.attn_scale, enable_gqa=grouped,
        )  # fmt: skip
        y_TBD = y_BNTH.permute(2, 0, 1, 3).flatten(2)
        out_TBD: torch.Tensor = self.o_proj(y_TBD)
        return out_TBD


class Mlp(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv 2002.05202, eq. 6)."""

    def __init__(self, shape: ModelShape, layers: LayerFactory) -> None:
        super().__init__()
        self.gate_proj = layers.column(shape.d_model, shape.d_ff)
        self.up_proj = layers.column(shape.d_model, shape.d_ff)
        self.down_proj = layers.row(shape.d_ff, shape.d_model)

    def forward(self, x_TBD: torch.Tensor) -> torch.Tensor:
        """Transform each token; input and output are (T, B, D)."""
        out_TBD: torch.Tensor = self.down_proj(F.silu(self.gate_proj(x_TBD)) * self.up_proj(x_TBD))
        return out_TBD


class EmbedStage(nn.Module):
    """Token ids (B, T) to the residual stream (T, B, D)."""

    def __init__(self, shape: ModelShape, multipliers: Multipliers, layers: LayerFactory) -> None:
        super().__init__()
        self.tokens = layers.embedding(shape.vocab_size, shape.d_model)
        self.emb_mult = multipliers.emb_mult

    def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Embed."""
        x_TBD: torch.Tensor = self.tokens(ids_BT.transpose(0, 1))
        return x_TBD if self.emb_mult == 1 else x_TBD * self.emb_mult


class Block(nn.Module):
    """One pre-norm layer: x + r * attn(norm(x)), then x + r * mlp(norm(x))."""

    def __init__(self, shape: ModelShape, multipliers: Multipliers, layers: LayerFactory) -> None:
        super().__init__()
        self.attn_norm = RMSNorm(shape.d_model, shape.norm_eps, shape.norm_gains)
        self.attn = Attention(shape, multipliers.attn_scale, layers)
        self.mlp_norm = RMSNorm(shape.d_model, shape.norm_eps, shape.norm_gains)
        self.mlp = Mlp(shape, layers)
        self.residual_mult = multipliers.residual_mult

    def forward(self, x_TBD: torch.Tensor, mask_B1TT: torch.Tensor | None = None) -> torch.Tensor:
        """Update the residual stream."""
        attended_TBD = self.attn(self.attn_norm(x_TBD), mask_B1TT)
        x_TBD = torch.add(x_TBD, attended_TBD, alpha=self.residual_mult)
        return torch.add(x_TBD, self.mlp(self.mlp_norm(x_TBD)), alpha=self.residual_mult)


class HeadStage(nn.Module):
    """The residual stream (T, B, D) to logits (T, B, V or its shard)."""

    def __init__(self, shape: ModelShape, multipliers: Multipliers, layers: LayerFactory) -> None:
        super().__init__()
        self.norm = RMSNorm(shape.d_model, shape.norm_eps, shape.norm_gains)
        self.linear = layers.column(shape.d_model, shape.vocab_size)
        self.output_mult = multipliers.output_mult

    def forward(self, x_TBD: torch.Tensor) -> torch.Tensor:
        """Read out."""
        # The multiplier acts before the head: (T, B, D) is smaller than (T, B, V).
        logits_TBV: torch.Tensor = self.linear(self.norm(x_TBD) * self.output_mult)
        return logits_TBV


class Decoder(nn.Module):
    """The whole model in one process, for export, sampling, and tests against the sharded one.

    Where it is given single texts, `mask_documents` changes nothing.
    """

    def __init__(
        self,
        shape: ModelShape,
        multipliers: Multipliers,
        layers: LayerFactory | None = None,
        mask_documents: bool = False,
    ) -> None:
        super().__init__()
        self.mask_documents = mask_documents
        factory = PlainLayers() if layers is None else layers
        self.embed = EmbedStage(shape, multipliers, factory)
        self.layers = nn.ModuleList(
            Block(shape, multipliers, factory) for _ in range(shape.n_layers)
        )
        self.head = HeadStage(shape, multipliers, factory)
        if shape.tie_embeddings:
            self.head.linear.weight = self.embed.tokens.weight

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        """Take full tensors by name; a tied output matrix needs none.

        Raises:
            RuntimeError: A tensor is missing, unknown or of another shape (torch names it).
        """
        if self.head.linear.weight is self.embed.tokens.weight and "embed.tokens.weight" in weights:
            weights = {**weights, "head.linear.weight": weights["embed.tokens.weight"]}
        self.load_state_dict(weights)

    def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, V) for token ids (B, T)."""
        x_TBD = self.embed(ids_BT)
        mask_B1TT = document_mask(ids_BT) if self.mask_documents else None
        for block in self.layers:
            x_TBD = block(x_TBD, mask_B1TT)
        logits_TBV: torch.Tensor = self.head(x_TBD)
        return logits_TBV.transpose(0, 1)
