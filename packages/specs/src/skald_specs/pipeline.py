"""Which parts of a decoder each pipeline stage holds: the costs that are balanced, and the cut."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from skald_specs.shape import ModelShape


class BlockCosts(NamedTuple):
    """Weights of the parts in pipeline balance: the matrix parameters of a layer and of the readout."""

    layer: int
    readout: int


def block_costs(shape: ModelShape, pp: int) -> BlockCosts:
    """Return what the parts weigh when a pipeline is cut; the embedding and the loss weigh nothing.

    A readout that outweighs the layers would take the last layers with it and leave later stages
    empty, so it counts for no more than leaves every stage a layer.

    Args:
        shape: The model's shape.
        pp: Pipeline stages, at most `n_layers`.

    Source: with L layers of cost c and a readout of cost h, the last cut of `pipeline_stages` falls
        among the layers when L c > (L c + h) (pp - 1) / pp, that is when h < L c / (pp - 1).
    Standing: derived; costs stand for the operations of a token, attention scores left out.
    """
    d_kv = shape.n_kv_heads * shape.d_head
    layer = 2 * shape.d_model * (shape.d_model + d_kv) + 3 * shape.d_model * shape.d_ff
    readout = shape.d_model * shape.vocab_size
    if pp > 1:
        readout = min(readout, (shape.n_layers * layer - 1) // (pp - 1))
    return BlockCosts(layer, readout)


def pipeline_stages(shape: ModelShape, pp: int) -> tuple[tuple[str, ...], ...]:
    """Return the parts (`embed`, `layers.0`, ..., `head`, `loss`) each pipeline stage holds.

    Args:
        shape: The model's shape.
        pp: Pipeline stages, at most `n_layers`.

    Returns:
        Parts by stage, in forward order; every stage has a layer or, the last one, the readout.

    Source: nanotron 0.4, `models.base.build_model`: a stage ends after the block that takes the
        cumulative cost past its share.
    Standing: derived; a test compares it with the real assignment.
    """
    layer, readout = block_costs(shape, pp)
    parts = {"embed": 0} | {f"layers.{i}": layer for i in range(shape.n_layers)}
    parts |= {"head": readout, "loss": 0}
    total, stage = sum(parts.values()), 0
    stages: list[list[str]] = [[] for _ in range(pp)]
    for part, cost in zip(parts, accumulate(parts.values()), strict=True):
        stages[stage].append(part)
        if cost > total * ((stage + 1) / pp):
            stage += 1
    return tuple(tuple(names) for names in stages)
