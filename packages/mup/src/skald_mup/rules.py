"""The muP rule table: what each kind of tensor gets at a shape, as pure functions of floats.

Knows how standard deviation, learning rate, eps, weight decay and forward multipliers follow from
a shape and the base shape. Refuses to know any tensor: importable without torch, so that a plan can
be made without it.

The form is the one with constant input and output standard deviations and a forward multiplier at
the output (Table 8 of arXiv 2203.03466), as the public TrustLLM recipe uses it. The base shape is
chosen freely: with the base at the target width, proxies have ratios below 1 and the target itself
needs no multiplier. `base_lr` always means the learning rate at the base shape.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from skald_specs.plan import Multipliers, TensorKind, TensorRule
from skald_specs.recipe import BaseShape, ModelShape, Parametrisation

Role = Literal["input", "hidden", "output", "vector"]
FanIn = Literal["width", "ffn", "finite"]


class KindRow(NamedTuple):
    """What a kind of tensor is: its role, what its fan-in grows with, whether it ends a branch."""

    role: Role
    fan_in: FanIn
    ends_residual: bool = False


#: One row for each kind of tensor, in the order of `TENSOR_KINDS`. A `finite` fan-in does not grow
#: with the width: the vocabulary of an embedding row, the single factor of a norm gain.
KIND_ROWS: dict[TensorKind, KindRow] = {
    "embedding": KindRow("input", "finite"),
    "q_proj": KindRow("hidden", "width"),
    "k_proj": KindRow("hidden", "width"),
    "v_proj": KindRow("hidden", "width"),
    "o_proj": KindRow("hidden", "width", ends_residual=True),
    "gate_proj": KindRow("hidden", "width"),
    "up_proj": KindRow("hidden", "width"),
    "down_proj": KindRow("hidden", "ffn", ends_residual=True),
    "norm": KindRow("vector", "finite"),
    "lm_head": KindRow("output", "width"),
}


def fan_in_mult(kind: TensorKind, shape: ModelShape, base: BaseShape) -> float:
    """Return a tensor's own fan-in as a multiple of the base shape's.

    The ratio is the tensor's true one, never a common width ratio: a rounded `d_ff` gives
    `down_proj` another ratio than its neighbours. Ratios need not be whole numbers.

    Args:
        kind: The kind of tensor.
        shape: The model's shape.
        base: The base shape.

    Returns:
        A positive ratio; 1 where the fan-in does not grow with the width.

    Source: arXiv 2203.03466, Table 8; true ratio per tensor as in microsoft/mup.
    Standing: derived.
    """
    match KIND_ROWS[kind].fan_in:
        case "width":
            return shape.d_model / base.base_width
        case "ffn":
            return shape.d_ff / base.base_d_ff
        case "finite":
            return 1.0


def init_std(kind: TensorKind, shape: ModelShape, parametrisation: Parametrisation) -> float:
    """Return the standard deviation of a tensor's normal initialisation.

    Hidden matrices get `hidden_std / sqrt(m)`; those that end a residual branch (`o_proj`,
    `down_proj`) are divided by `sqrt(2 n_layers)` as well. Embedding and output matrix keep their
    base values. Norm gains start at one without spread, so their standard deviation is 0.

    Args:
        kind: The kind of tensor.
        shape: The model's shape.
        parametrisation: Standard deviations at the base shape.

    Returns:
        A standard deviation, 0 for gains.

    Source: arXiv 2203.03466, Table 8; the division by sqrt(2 n_layers) is the public TrustLLM
        recipe's (TrustLLMeu/trustllm-envs), which keeps one depth for the whole family.
    Standing: derived; the division by sqrt(2 n_layers) is a convention of that recipe.
    """
    row = KIND_ROWS[kind]
    match row.role:
        case "input":
            return parametrisation.embedding_std
        case "hidden":
            branch = math.sqrt(2 * shape.n_layers) if row.ends_residual else 1.0
            m = fan_in_mult(kind, shape, parametrisation.base)
            return parametrisation.hidden_std / math.sqrt(m) / branch
        case "output":
            return parametrisation.output_std
        case "vector":
            return 0.0


def learning_rate(role: Role, fan_in_ratio: float, base_lr: float) -> float:
    """Return a tensor's peak Adam learning rate.

    Args:
        role: The tensor's role.
        fan_in_ratio: Its fan-in as a multiple of the base shape's.
        base_lr: Learning rate at the base shape.

    Returns:
        `base_lr / m` for hidden matrices, `base_lr` for all others.

    Source: arXiv 2203.03466, Table 8 (Adam).
    Standing: derived.
    """
    return base_lr / fan_in_ratio if role == "hidden" else base_lr


def adam_eps(role: Role, fan_in_ratio: float, eps: float) -> float:
    """Return a tensor's Adam eps.

    Gradients of hidden matrices shrink as 1/m, so an eps that did not would take over in wide
    models.

    Args:
        role: The tensor's role.
        fan_in_ratio: Its fan-in as a multiple of the base shape's.
        eps: Adam's eps at the base shape.

    Returns:
        `eps / m` for hidden matrices, `eps` for all others.

    Source: the public TrustLLM recipe (TrustLLMeu/trustllm-envs); arXiv 2407.05872 for the need.
    Standing: derived for hidden matrices, a convention of that recipe for the others.
    """
    return eps / fan_in_ratio if role == "hidden" else eps


def weight_decay(
    role: Role,
    fan_in_ratio: float,
    decay: Literal["coupled", "independent"],
    base_decay: float,
    lr: float,
) -> float:
    """Return the `weight_decay` to hand to torch's AdamW, whose step decays by lr x weight_decay.

    `coupled`: hidden matrices get `base_decay * m`, so that lr x weight_decay is the same at every
    width; embedding and output matrix keep `base_decay`. `independent`: every decayed tensor gets
    `base_decay / lr`, so that at the peak a step decays by `base_decay` whatever the learning rate.
    Norm gains are not decayed.

    Args:
        role: The tensor's role.
        fan_in_ratio: Its fan-in as a multiple of the base shape's.
        decay: The convention of the recipe.
        base_decay: `coupled`: torch's weight decay at the base shape; `independent`: the share of a
            weight that one step at the peak removes.
        lr: The tensor's own peak learning rate.

    Returns:
        torch's weight decay, 0 for gains.

    Source: coupled as in the public TrustLLM recipe and microsoft/mup; independent as in arXiv
        2407.17465 and argued for in arXiv 2510.19093. No decay on gains as in nanoGPT-mup; the
        TrustLLM recipe leaves theirs decayed.
    Standing: derived for hidden matrices, conventions for the others.
    """
    if role == "vector":
        return 0.0
    if decay == "independent":
        return base_decay / lr
    return base_decay * fan_in_ratio if role == "hidden" else base_decay


def tensor_rules(
    shape: ModelShape, parametrisation: Parametrisation, base_lr: float
) -> dict[TensorKind, TensorRule]:
    """Resolve the whole table for one shape.

    Args:
        shape: The model's shape.
        parametrisation: The rule table's name, the base shape, and the values at it.
        base_lr: Peak learning rate at the base shape.

    Returns:
        A row for every kind of tensor, in the order of `TENSOR_KINDS`.

    Source: see the single rules of this module.
    Standing: derived.
    """
    rules: dict[TensorKind, TensorRule] = {}
    for kind, row in KIND_ROWS.items():
        role = row.role
        m = fan_in_mult(kind, shape, parametrisation.base)
        lr = learning_rate(role, m, base_lr)
        rules[kind] = TensorRule(
            role=role,
            fan_in_mult=m,
            init_std=init_std(kind, shape, parametrisation),
            lr=lr,
            eps=adam_eps(role, m, parametrisation.eps),
            weight_decay=weight_decay(
                role, m, parametrisation.decay, parametrisation.weight_decay, lr
            ),
        )
    return rules


def multipliers(shape: ModelShape, parametrisation: Parametrisation) -> Multipliers:
    """Resolve the forward multipliers for one shape.

    The attention scale follows 1/d_head and meets `1/sqrt(d_head)` at the base; the output logits
    are divided by the width ratio; the residual multiplier stays as given, because this table does
    not scale depth.

    Args:
        shape: The model's shape.
        parametrisation: The base shape and the multipliers at it.

    Returns:
        The multipliers that the model's forward pass applies.

    Source: arXiv 2203.03466, Table 8 and Definition 4.1 (attention); logit and softmax scale as in
        the public TrustLLM recipe.
    Standing: derived.
    """
    base = parametrisation.base
    return Multipliers(
        emb_mult=parametrisation.emb_mult,
        attn_scale=parametrisation.attn_mult * math.sqrt(base.base_d_head) / shape.d_head,
        residual_mult=parametrisation.residual_mult,
        output_mult=parametrisation.output_mult / fan_in_mult("lm_head", shape, base),
    )
