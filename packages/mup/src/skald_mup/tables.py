"""The rule tables as data: what each parametrisation does to each kind of tensor, with its source.

Knows exponents only; `rules.py` turns them into numbers. A table is a value: a variant, or a
deliberately wrong one for a test, is `table.changed(...)`.

Every rule is a power law. With m the tensor's own fan-in over that of the base, w = d_model /
base_width and l = n_layers / base_depth, a value is `base value x m^fan_in x w^width x l^depth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from skald_specs.parametrisation import RulesName
from skald_specs.plan import TENSOR_KINDS, TensorKind

Role = Literal["input", "hidden", "output", "vector"]
Column = Literal["init_std", "lr", "eps", "weight_decay", "multipliers"]


class Power(NamedTuple):
    """Exponents of the tensor's fan-in ratio, the width ratio and the depth ratio."""

    fan_in: float = 0.0
    width: float = 0.0
    depth: float = 0.0


#: The value of the base at every shape.
SAME = Power()


@dataclass(frozen=True)
class Row:
    """The rules of one kind of tensor.

    Attributes:
        role: Which base standard deviation it starts from; gains start at one.
        init_std: Power of the standard deviation.
        lr: Power of the peak Adam learning rate.
        eps: Power of Adam's eps.
        weight_decay: Power of torch's weight decay under the coupled convention; None: no decay
            under either convention.
        branch_init: Whether the standard deviation is divided by sqrt(2 n_layers) as well.
    """

    role: Role
    init_std: Power = SAME
    lr: Power = SAME
    eps: Power = SAME
    weight_decay: Power | None = SAME
    branch_init: bool = False


class Basis(NamedTuple):
    """Where a column comes from, and how far it can be relied on."""

    source: str
    standing: Literal["derived", "measured", "assumed"]


@dataclass(frozen=True)
class RuleTable:
    """One parametrisation, complete.

    Attributes:
        rows: The rules of every kind of tensor, in the order of `TENSOR_KINDS`.
        output_mult: Power of the logits' multiplier.
        residual_mult: Power of the residual branches' multiplier.
        attn_d_head: Exponent of d_head / base_d_head in the attention scale, which meets
            1/sqrt(d_head) at the base: -1 or -0.5.
        basis: Source and standing of every column.
    """

    rows: Mapping[TensorKind, Row]
    output_mult: Power
    residual_mult: Power
    attn_d_head: float
    basis: Mapping[Column, Basis]

    def changed(self, kinds: tuple[TensorKind, ...] = (), /, **fields: Any) -> RuleTable:
        """Return a table that differs in some fields: of the rows of `kinds`, or, with none, its own.

        Args:
            kinds: Rows to change; empty: the fields are the table's.
            fields: New values by name.

        Returns:
            A new table.
        """
        if not kinds:
            return replace(self, **fields)
        rows = {
            kind: replace(row, **fields) if kind in kinds else row
            for kind, row in self.rows.items()
        }
        return replace(self, rows=rows)


EMBEDDING: tuple[TensorKind, ...] = ("embedding",)
HIDDEN: tuple[TensorKind, ...] = (
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
)  # fmt: skip
#: The matrices that end a residual branch.
BRANCH_ENDS: tuple[TensorKind, ...] = ("o_proj", "down_proj")
GAINS: tuple[TensorKind, ...] = ("block_norm", "qk_norm", "final_norm")
BLOCK_GAINS: tuple[TensorKind, ...] = ("block_norm", "qk_norm")


def _rows(embedding: Row, hidden: Row, gain: Row, head: Row) -> dict[TensorKind, Row]:
    by_kind = {**dict.fromkeys(HIDDEN, hidden), **dict.fromkeys(GAINS, gain)}
    by_kind |= {"embedding": embedding, "lm_head": head}
    return {kind: by_kind[kind] for kind in TENSOR_KINDS}


_PER_WIDTH = Power(width=-1)
_VAR_PER_FAN_IN = Power(fan_in=-0.5)

#: TP-V's Table 8 form: constant input and output, a multiplier at the readout. Every gradient then
#: carries that multiplier, so eps follows it in all groups; a gain that all heads share sums over
#: as many heads as the width has, which cancels it.
MUP = RuleTable(
    rows=_rows(
        embedding=Row("input", eps=_PER_WIDTH),
        hidden=Row(
            "hidden", init_std=_VAR_PER_FAN_IN, lr=Power(fan_in=-1), eps=_PER_WIDTH,
            weight_decay=Power(fan_in=1),
        ),
        gain=Row("vector", eps=_PER_WIDTH, weight_decay=None),
        head=Row("output", eps=_PER_WIDTH),
    ),
    output_mult=_PER_WIDTH,
    residual_mult=SAME,
    attn_d_head=-1.0,
    basis={
        "init_std": Basis("arXiv 2203.03466, Table 8", "derived"),
        "lr": Basis("arXiv 2203.03466, Table 8 (Adam)", "derived"),
        "eps": Basis("gradients in that form scale as output_mult; arXiv 2407.05872 for the need", "derived"),
        "weight_decay": Basis(
            "coupled: lr x decay kept, as microsoft/mup; independent: arXiv 2407.17465, 2510.19093; "
            "none on gains, as nanoGPT-mup",
            "derived",
        ),
        "multipliers": Basis("arXiv 2203.03466, Table 8 and Definition 4.1", "derived"),
    },
).changed(("qk_norm",), eps=SAME)  # fmt: skip


def completep(alpha: float) -> RuleTable:
    """Return CompleteP's table: muP in width, and residual branches divided by depth^alpha.

    Args:
        alpha: 1 (CompleteP) or 0.5 (depth-muP).

    Returns:
        The table. eps is scaled in all groups by m^-1 l^-alpha, gains and biases included.

    Source: arXiv 2505.01618, Table 1, and EleutherAI/nanoGPT-mup, branch completep, model.py.
    Standing: derived for the powers; the source has no QK-norm, whose gains are treated as the
        other gains of a block here (assumed).
    """
    in_block = Power(depth=alpha - 1)
    eps = Power(width=-1, depth=-alpha)
    rows = _rows(
        embedding=Row("input", eps=eps),
        hidden=Row(
            "hidden", init_std=_VAR_PER_FAN_IN, lr=Power(fan_in=-1, depth=alpha - 1), eps=eps,
            weight_decay=Power(fan_in=1),
        ),
        gain=Row("vector", lr=in_block, eps=eps, weight_decay=None),
        head=Row("output", eps=eps),
    )  # fmt: skip
    source = "arXiv 2505.01618, Table 1; EleutherAI/nanoGPT-mup, branch completep"
    columns: tuple[Column, ...] = ("init_std", "lr", "eps", "weight_decay", "multipliers")
    table = RuleTable(
        rows=rows,
        output_mult=_PER_WIDTH,
        residual_mult=Power(depth=-alpha),
        attn_d_head=-1.0,
        basis={column: Basis(source, "derived") for column in columns},
    )
    return table.changed(("final_norm",), lr=SAME)


#: The public TrustLLM recipe: muP with one depth, eps and decay of all but the hidden matrices left
#: alone, gains decayed, and residual branches that start smaller by sqrt(2 n_layers).
TRUSTLLM = RuleTable(
    rows=_rows(
        embedding=Row("input"),
        hidden=Row(
            "hidden", init_std=_VAR_PER_FAN_IN, lr=Power(fan_in=-1), eps=_PER_WIDTH,
            weight_decay=Power(fan_in=1),
        ),
        gain=Row("vector"),
        head=Row("output"),
    ),
    output_mult=_PER_WIDTH,
    residual_mult=SAME,
    attn_d_head=-1.0,
    basis={
        column: Basis("TrustLLMeu/trustllm-envs, run_baseline_7.8B_training_jwb.sbatch", "derived")
        for column in ("init_std", "lr", "eps", "weight_decay", "multipliers")
    },
).changed(BRANCH_ENDS, branch_init=True)  # fmt: skip

#: Standard parametrisation: variance 1/fan_in, one learning rate for all.
SP = RuleTable(
    rows=_rows(
        embedding=Row("input"),
        hidden=Row("hidden", init_std=_VAR_PER_FAN_IN),
        gain=Row("vector", weight_decay=None),
        head=Row("output", init_std=_VAR_PER_FAN_IN),
    ),
    output_mult=SAME,
    residual_mult=SAME,
    attn_d_head=-0.5,
    basis={
        "init_std": Basis("arXiv 2203.03466, Table 3 (grey: standard)", "derived"),
        "lr": Basis("arXiv 2203.03466, Table 3 (grey: standard)", "derived"),
        "eps": Basis("torch's convention: one eps", "assumed"),
        "weight_decay": Basis("torch's convention, none on gains", "assumed"),
        "multipliers": Basis("arXiv 1706.03762, equation 1 (attention); no other", "derived"),
    },
)

#: Standard parametrisation with learning rates per layer: no forward multiplier at all, so a
#: checkpoint is plain as it is. Readout entries of order 1/sqrt(width) carry every other gradient.
SP_PER_LAYER = RuleTable(
    rows=_rows(
        embedding=Row("input", eps=Power(width=-0.5)),
        hidden=Row(
            "hidden", init_std=_VAR_PER_FAN_IN, lr=Power(fan_in=-1), eps=Power(width=-0.5),
            weight_decay=Power(fan_in=1),
        ),
        gain=Row("vector", eps=Power(width=-0.5), weight_decay=None),
        head=Row(
            "output", init_std=_VAR_PER_FAN_IN, lr=Power(fan_in=-1), weight_decay=Power(fan_in=1)
        ),
    ),
    output_mult=SAME,
    residual_mult=SAME,
    attn_d_head=-0.5,
    basis={
        "init_std": Basis("arXiv 2407.05872, standard parametrisation", "derived"),
        "lr": Basis("arXiv 2407.05872, per-layer exponents under full alignment", "derived"),
        "eps": Basis("the scale of each gradient; arXiv 2407.05872 for the need", "derived"),
        "weight_decay": Basis("coupled: lr x decay kept; none on gains", "assumed"),
        "multipliers": Basis("none but the attention scale, at fixed d_head", "derived"),
    },
).changed(("qk_norm",), eps=Power(width=0.5))  # fmt: skip


def table_of(rules: RulesName, depth_alpha: float | None = None) -> RuleTable:
    """Return a table by the name a recipe gives it.

    Args:
        rules: The recipe's `parametrisation.rules`.
        depth_alpha: The exponent of `completep`, and of no other.

    Returns:
        The table.
    """
    if rules == "completep":
        assert depth_alpha is not None, "recipes with completep have an alpha"
        return completep(depth_alpha)
    return {"mup": MUP, "trustllm": TRUSTLLM, "sp": SP, "sp_per_layer": SP_PER_LAYER}[rules]
