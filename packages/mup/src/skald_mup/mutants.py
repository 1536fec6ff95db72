"""Wrong rule tables, each with one mistake that somebody has shipped or could ship.

The coordinate check has to catch all but the last, which five steps cannot see; that one is held by
a test of the formula. They go in where any table does: the `table` of a check.
"""

from __future__ import annotations

from typing import NamedTuple

from skald_mup.tables import EMBEDDING, HIDDEN, MUP, SAME, Power, RuleTable


class Mutant(NamedTuple):
    """A mistake.

    Attributes:
        name: What is wrong.
        table: The wrong table.
        visible: Whether a coordinate check can see it.
    """

    name: str
    table: RuleTable
    visible: bool = True


_SP_HEAD = {"init_std": Power(fan_in=-0.5)}

MUTANTS: tuple[Mutant, ...] = (
    Mutant("hidden learning rate not divided by the width", MUP.changed(HIDDEN, lr=SAME)),
    Mutant("output multiplier missing", MUP.changed(output_mult=SAME)),
    Mutant(
        "readout as in standard parametrisation",
        MUP.changed(output_mult=SAME).changed(("lm_head",), **_SP_HEAD),
    ),
    Mutant("hidden initialisation not divided by the root of the width",
           MUP.changed(HIDDEN, init_std=SAME)),
    Mutant(
        "learning rate of embedding and readout divided by the width",
        MUP.changed((*EMBEDDING, "lm_head"), lr=Power(width=-1)),
    ),
    Mutant("one group left at the base learning rate (down_proj)",
           MUP.changed(("down_proj",), lr=SAME)),
    Mutant("attention by the root of d_head", MUP.changed(attn_d_head=-0.5), visible=False),
)  # fmt: skip
