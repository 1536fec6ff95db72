"""The coordinate check: how large a few activations are, and how far a few steps move them.

Trains a plain decoder on one fixed batch for a few steps and records, at every step, the mean
absolute value of some activations and of their change since initialisation. Under a correct
parametrisation neither grows nor shrinks with width (or depth). RMSNorm outputs are not among them:
they look alike under every parametrisation.

Knows one model at a time; slopes over a family and the verdict are in `slopes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import torch
from skald_specs.parametrisation import Parametrisation
from skald_specs.plan import TensorKind, TensorRule
from skald_specs.shape import ModelShape
from torch import nn
from torch.nn import functional as F

from skald_mup.init import drawn
from skald_mup.model import Attention, Block, Decoder
from skald_mup.names import tensor_kind, tensor_shapes
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.tables import RuleTable

#: `readout` is the part of the logits that the readout has learned: what its change since
#: initialisation makes of its input.
Quantity = Literal["embedding", "residual", "attn_logits", "output_logits", "readout"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
#: Sequences in the fixed batch.
BATCH_SEQUENCES = 8
#: Steeper than words, as bytes and small vocabularies are: a few steps then learn something at every
#: width (measured: slopes of the readout stay within 0.05; at 1.0 they need more steps).
ZIPF_EXPONENT = 1.25


@dataclass(frozen=True)
class Coordinate:
    """One activation of one model after so many steps: mean |x|, and mean |x - x at step 0|."""

    d_model: int
    n_layers: int
    seed: int
    step: int
    quantity: Quantity
    size: float
    change: float


@dataclass(frozen=True)
class Study:
    """What is trained for how long.

    Attributes:
        parametrisation: Base shape and values.
        base_lr: Peak learning rate at the base shape; there is no schedule.
        n_steps: Adam steps on the fixed batch.
        betas: Adam's.
        table: A rule table in the place of the parametrisation's own.
        loss_mult: Factor of the loss. Adam ignores it but for eps, so it sets the gradient's scale.
    """

    parametrisation: Parametrisation
    base_lr: float
    n_steps: int = 5
    betas: tuple[float, float] = (0.9, 0.95)
    table: RuleTable | None = None
    loss_mult: float = 1.0


def fixed_batch(shape: ModelShape, seed: int) -> torch.Tensor:
    """Draw token ids (B, T + 1) whose frequencies fall as in text (Zipf), the same at every width.

    Args:
        shape: Vocabulary and context length.
        seed: Seed of the draw.

    Returns:
        Ids of `BATCH_SEQUENCES` sequences and their last target.
    """
    weight = np.arange(1, shape.vocab_size + 1) ** -ZIPF_EXPONENT
    size = (BATCH_SEQUENCES, shape.seq_len + 1)
    drawn_ids = np.random.default_rng(seed).choice(
        shape.vocab_size, size=size, p=weight / weight.sum()
    )
    return torch.from_numpy(drawn_ids)


def adam_groups(
    named: Iterable[tuple[str, torch.nn.Parameter]], rules: dict[TensorKind, TensorRule]
) -> list[dict[str, object]]:
    """Return AdamW's parameter groups: one for each kind of tensor, with its lr, eps and decay.

    Args:
        named: Parameters by the plain model's names.
        rules: The resolved rules.
    """
    by_kind: dict[TensorKind, list[torch.nn.Parameter]] = {}
    for name, parameter in named:
        by_kind.setdefault(tensor_kind(name), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rules[kind].lr,
            "eps": rules[kind].eps,
            "weight_decay": rules[kind].weight_decay,
        }
        for kind, parameters in by_kind.items()
    ]


def coordinates(shape: ModelShape, study: Study, seed: int) -> list[Coordinate]:
    """Train one model for a few steps and record its activations before, between and after them.

    Args:
        shape: The model.
        study: What is trained for how long.
        seed: Seed of the weights and of the batch; the batch is the same at every width.

    Returns:
        One row for each step from 0 to `n_steps` and each quantity.

    Source: the idea is microsoft/mup's coord_check; the quantities are this project's
        (`docs/mup.md` says why).
    """
    decoder, optimizer = built(shape, study, seed)
    ids_BT = fixed_batch(shape, seed)
    first: dict[Quantity, torch.Tensor] = {}
    readout_VD = cast(nn.Linear, decoder.head.linear).weight.detach().clone()
    rows = []
    for step in range(study.n_steps + 1):
        loss, seen = _observed(decoder, ids_BT, readout_VD)
        first = first or seen
        for quantity, x in seen.items():
            size, change = x.abs().mean(), (x - first[quantity]).abs().mean()
            rows.append(
                Coordinate(
                    shape.d_model, shape.n_layers, seed, step, quantity, float(size), float(change)
                )
            )
        if step < study.n_steps:
            optimizer.zero_grad()
            torch.autograd.backward(loss * study.loss_mult)
            optimizer.step()
    return rows


def built(shape: ModelShape, study: Study, seed: int) -> tuple[Decoder, torch.optim.AdamW]:
    """Return the plain decoder with its initial weights, and AdamW with a group for each kind.

    Args:
        shape: What to build.
        study: Base shape, learning rate, betas and, where set, the rule table; its steps play no
            part.
        seed: Seed of the weights.
    """
    given, table = study.parametrisation, study.table
    rules = tensor_rules(shape, given, study.base_lr, table)
    decoder = Decoder(shape, multipliers(shape, given, table))
    decoder.load_weights(
        {
            name: drawn(name, size, rules[tensor_kind(name)], seed)
            for name, size in tensor_shapes(shape).items()
        }
    )
    groups = adam_groups(decoder.named_parameters(), rules)
    return decoder, torch.optim.AdamW(groups, betas=study.betas, fused=True)


def _observed(
    decoder: Decoder, ids_BT: torch.Tensor, readout_VD: torch.Tensor
) -> tuple[torch.Tensor, dict[Quantity, torch.Tensor]]:
    """Run forward; return the loss in nats and the activations, without their graph."""
    seen: dict[Quantity, torch.Tensor] = {}
    with _watching(decoder, readout_VD, seen):
        logits_BTV = decoder(ids_BT[:, :-1])
    seen["output_logits"] = logits_BTV.detach()
    loss = F.cross_entropy(logits_BTV.flatten(0, 1), ids_BT[:, 1:].flatten())
    return loss, {quantity: seen[quantity] for quantity in QUANTITIES}


@contextmanager
def _watching(
    decoder: Decoder, readout_VD: torch.Tensor, seen: dict[Quantity, torch.Tensor]
) -> Iterator[None]:
    """Catch the embedding, the residual stream after the last block, and that block's attention."""
    last = cast(Block, decoder.layers[-1])

    def keep(quantity: Quantity) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
            seen[quantity] = out.detach()

        return hook

    def attention(module: Attention, inputs: tuple[torch.Tensor, ...]) -> None:
        with torch.no_grad():
            q_BNTH, k_BKTH = module.queries_keys(inputs[0])
            k_BNTH = k_BKTH.repeat_interleave(q_BNTH.shape[1] // k_BKTH.shape[1], dim=1)
            logits_BNTT = module.attn_scale * q_BNTH @ k_BNTH.transpose(-1, -2)
            causal_TT = torch.ones(logits_BNTT.shape[-2:]).tril().bool()
            seen["attn_logits"] = logits_BNTT[..., causal_TT]

    def readout(module: nn.Linear, inputs: tuple[torch.Tensor, ...]) -> None:
        with torch.no_grad():
            seen["readout"] = inputs[0] @ (module.weight - readout_VD).T

    handles = [
        decoder.head.linear.register_forward_pre_hook(readout),
        decoder.embed.register_forward_hook(keep("embedding")),
        last.register_forward_hook(keep("residual")),
        last.attn.register_forward_pre_hook(attention),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
