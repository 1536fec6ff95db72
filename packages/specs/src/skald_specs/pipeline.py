"""Which parts of a decoder each pipeline stage holds: the costs that are balanced, and the cut."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from skald_specs.shape import ModelShape


class BlockCosts(NamedTuple):
    """Weights of the parts in pipeline balance: the matrix parameters of a layer and of the readout."""

    layer: int
    readout: int


def block_costs(shape: ModelShape) -> BlockCosts:
    """Return what the parts weigh when a pipeline is cut; the embedding and the loss weigh nothing.

    Args:
        shape: The model's shape.

    Standing: derived; they stand for the operations of a token, attention scores left out.
    """
    d_kv = shape.n_kv_heads * shape.d_head
    layer = 2 * shape.d_model * (shape.d_model + d_kv) + 3 * shape.d_model * shape.d_ff
    return BlockCosts(layer, shape.d_model * shape.vocab_size)


def pipeline_stages(shape: ModelShape, pp: int) -> tuple[tuple[str, ...], ...]:
    """Return the parts (`embed`, `layers.0`, ..., `head`, `loss`) each pipeline stage holds.

    Args:
        shape: The model's shape.
        pp: Pipeline stages.

    Returns:
        Parts by stage, in forward order.

    Raises:
        ValueError: A stage would hold no parameter, which happens where the readout outweighs the
            layers.

    Source: nanotron 0.4, `models.base.build_model`: a stage ends after the block that takes the
        cumulative cost past its share.
    Standing: derived; a test compares it with the real assignment.
    """
    layer, readout = block_costs(shape)
    parts = {"embed": 0} | {f"layers.{i}": layer for i in range(shape.n_layers)}
    parts |= {"head": readout, "loss": 0}
    total, stage = sum(parts.values()), 0
    stages: list[list[str]] = [[] for _ in range(pp)]
    for part, cost in zip(parts, accumulate(parts.values()), strict=True):
        stages[stage].append(part)
        if cost > total * ((stage + 1) / pp):
            stage += 1
    if not all(set(names) - {"loss"} for names in stages):
        raise ValueError(
            f"execution.pp = {pp} leaves a stage without parameters: the readout is "
            f"{parts['head'] / total:.0%} of the cost and is not cut; use fewer stages"
        )
    return tuple(tuple(names) for names in stages)
