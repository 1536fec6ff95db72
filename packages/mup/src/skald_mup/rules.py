"""From a rule table to numbers: what each tensor gets at a shape, as pure functions of floats.

Knows how base values and exponents become standard deviation, learning rate, eps, weight decay and
forward multipliers. Refuses to know any tensor: importable without torch, so that a plan can be made
without it. At the base shape every ratio is 1, so every value is the base value to the last bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from skald_specs.errors import UserInputError
from skald_specs.parametrisation import BaseShape, Parametrisation
from skald_specs.plan import Multipliers, TensorKind, TensorRule
from skald_specs.shape import ModelShape

from skald_mup.names import tensor_kinds
from skald_mup.tables import Power, Row, RuleTable, table_of


class Ratios(NamedTuple):
    """A shape over its base: one tensor's fan-in, the width, the depth."""

    fan_in: float
    width: float
    depth: float


def fan_in_mult(kind: TensorKind, shape: ModelShape, base: BaseShape) -> float:
    """Return a tensor's own fan-in as a multiple of the base shape's.

    The ratio is the tensor's true one, never a common width ratio: a rounded `d_ff` gives
    `down_proj` another ratio than its neighbours, and KV heads that do not grow change nothing,
    because they are a fan-out. Ratios need not be whole numbers.

    Args:
        kind: The kind of tensor.
        shape: The model's shape.
        base: The base shape.

    Returns:
        A positive ratio; 1 for what has no fan-in that grows: the rows of the embedding, gains.

    Source: arXiv 2203.03466, Table 8; true ratio per tensor as in microsoft/mup.
    Standing: derived.
    """
    if kind == "embedding" or kind.endswith("_norm"):
        return 1.0
    return shape.d_ff / base.base_d_ff if kind == "down_proj" else shape.d_model / base.base_width


def ratios(kind: TensorKind, shape: ModelShape, base: BaseShape) -> Ratios:
    """Return all ratios one tensor's rules can depend on.

    Args:
        kind: The kind of tensor.
        shape: The model's shape.
        base: The base shape; without `base_depth` the depth ratio is 1.

    Returns:
        Positive ratios.

    Standing: derived.
    """
    return Ratios(
        fan_in=fan_in_mult(kind, shape, base),
        width=shape.d_model / base.base_width,
        depth=shape.n_layers / (base.base_depth or shape.n_layers),
    )


def scaled(value: float, power: Power, by: Ratios) -> float:
    """Return `value x fan_in^a x width^b x depth^c`; an exponent of 0 leaves every bit alone.

    Args:
        value: The value at the base shape, in any unit.
        power: The exponents.
        by: The ratios.

    Returns:
        The value at the shape, in the same unit.

    Standing: derived.
    """
    for ratio, exponent in zip(by, power, strict=True):
        # -1 as a division and -0.5 through sqrt: exact for powers of two, where pow need not be.
        match exponent:
            case 0:
                pass
            case 1:
                value *= ratio
            case -1:
                value /= ratio
            case 0.5:
                value *= math.sqrt(ratio)
            case -0.5:
                value /= math.sqrt(ratio)
            case _:
                value *= ratio**exponent
    return value


def init_std(row: Row, by: Ratios, shape: ModelShape, parametrisation: Parametrisation) -> float:
    """Return the standard deviation of a tensor's normal initialisation.

    Args:
        row: The tensor's row of the table.
        by: Its ratios.
        shape: The model's shape; its depth divides the ends of residual branches, where the table
            says so.
        parametrisation: Standard deviations at the base shape.

    Returns:
        A standard deviation; 0 for gains, which start at one without spread.

    Source: the table's basis for `init_std`; sqrt(2 n_layers) as in the public TrustLLM recipe.
    Standing: as the table's basis says.
    """
    bases = {
        "input": parametrisation.embedding_std,
        "hidden": parametrisation.hidden_std,
        "output": parametrisation.output_std,
        "vector": 0.0,
    }
    branch = math.sqrt(2 * shape.n_layers) if row.branch_init else 1.0
    return scaled(bases[row.role], row.init_std, by) / branch


def weight_decay(row: Row, by: Ratios, parametrisation: Parametrisation, lr: float) -> float:
    """Return the `weight_decay` to hand to torch's AdamW, whose step decays by lr x weight_decay.

    `coupled`: the base value times the table's power, which in muP undoes that of the learning rate.
    `independent`: base value / lr, so that at the peak a step decays by the base value whatever the
    learning rate; the schedule still scales it.

    Args:
        row: The tensor's row of the table.
        by: Its ratios.
        parametrisation: The convention, and the decay at the base shape (`coupled`: torch's weight
            decay; `independent`: the share of a weight that one step at the peak removes).
        lr: The tensor's own peak learning rate.

    Returns:
        torch's weight decay, 0 where the table has none.

    Raises:
        UserInputError: The decay is left to the horizon, and nobody has resolved it.

    Source: the table's basis for `weight_decay`.
    Standing: as the table's basis says.
    """
    if row.weight_decay is None:
        return 0.0
    asked = parametrisation.weight_decay
    if asked == "horizon":
        raise UserInputError(
            "parametrisation",
            "weight_decay = horizon is a number only in a plan",
            "Run `skald plan predict` and use its plan, or write a number",
        )
    if parametrisation.decay == "independent":
        return asked / lr
    return scaled(asked, row.weight_decay, by)


def tensor_rules(
    shape: ModelShape,
    parametrisation: Parametrisation,
    base_lr: float,
    table: RuleTable | None = None,
) -> dict[TensorKind, TensorRule]:
    """Resolve the whole table for one shape.

    Args:
        shape: The model's shape.
        parametrisation: The rule table's name, the base shape, and the values at it.
        base_lr: Peak learning rate at the base shape.
        table: Another table in the place of the named one, to study variants.

    Returns:
        A row for every kind of tensor the shape has, in the order of `TENSOR_KINDS`.

    Source: see the table's basis.
    Standing: as the table's basis says.
    """
    table = table_of(parametrisation.rules, parametrisation.depth_alpha) if table is None else table
    rules: dict[TensorKind, TensorRule] = {}
    for kind in tensor_kinds(shape):
        row, by = table.rows[kind], ratios(kind, shape, parametrisation.base)
        lr = scaled(base_lr, row.lr, by)
        rules[kind] = TensorRule(
            role=row.role,
            fan_in_mult=by.fan_in,
            init_std=init_std(row, by, shape, parametrisation),
            lr=lr,
            eps=scaled(parametrisation.eps, row.eps, by),
            weight_decay=weight_decay(row, by, parametrisation, lr),
        )
    return rules


def multipliers(
    shape: ModelShape, parametrisation: Parametrisation, table: RuleTable | None = None
) -> Multipliers:
    """Resolve the forward multipliers for one shape.

    Args:
        shape: The model's shape.
        parametrisation: The rule table's name, the base shape and the multipliers at it.
        table: Another table in the place of the named one, to study variants.

    Returns:
        The multipliers that the model's forward pass applies. The attention scale is
        `attn_mult / sqrt(base_d_head) x (d_head / base_d_head)^attn_d_head`.

    Source: see the table's basis for `multipliers`.
    Standing: as the table's basis says.
    """
    table = table_of(parametrisation.rules, parametrisation.depth_alpha) if table is None else table
    base = parametrisation.base
    by = ratios("lm_head", shape, base)
    heads = Ratios(fan_in=shape.d_head / base.base_d_head, width=1.0, depth=1.0)
    at_base = parametrisation.attn_mult / math.sqrt(base.base_d_head)
    return Multipliers(
        emb_mult=parametrisation.emb_mult,
        attn_scale=scaled(at_base, Power(fan_in=table.attn_d_head), heads),
        residual_mult=scaled(parametrisation.residual_mult, table.residual_mult, by),
        output_mult=scaled(parametrisation.output_mult, table.output_mult, by),
    )
