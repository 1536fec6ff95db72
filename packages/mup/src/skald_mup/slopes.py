"""From coordinates to a verdict: the slope of each activation over widths or depths, and its bounds.

Knows numbers only: no model is trained here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from skald_mup.coordinates import QUANTITIES, Coordinate, Quantity

Axis = Literal["width", "depth"]
#: `initial`: the activation before the first step. `change`: how far the steps moved it.
Moment = Literal["initial", "change"]

#: Half-widths of the bounds (source: measured on correct and on mutated rules, docs/mup.md).
INITIAL_BOUND, CHANGE_BOUND = 0.1, 0.15
#: Legitimate decay: a sum of random signs over the width, divided by the width, falls as its square
#: root. It vanishes as width grows and does no harm; 0.1 is left for noise.
RANDOM_SUM = -0.6


@dataclass(frozen=True)
class Slope:
    """d log2(activation) / d log2(width or depth), the mean over seeds, with its standard error.

    Attributes:
        bounds: Where a correct parametrisation keeps it.
        reason: Why the bounds are not symmetric, where they are not.
    """

    axis: Axis
    moment: Moment
    quantity: Quantity
    step: int
    value: float
    standard_error: float
    bounds: tuple[float, float]
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the slope lies within its bounds; a slope that is no number does not."""
        return self.bounds[0] <= self.value <= self.bounds[1]


class Traits(NamedTuple):
    """What a family of shapes has that lets some activations decay with width."""

    scaled_heads: bool = False
    tied: bool = False


#: Heads of one width and a readout of its own.
PLAIN = Traits()


def slopes(rows: Sequence[Coordinate], axis: Axis, family: Traits = PLAIN) -> list[Slope]:
    """Fit the slope of every quantity, before the first step and of the change after the last.

    Args:
        rows: Coordinates of one family, every seed at every shape.
        axis: What varies over the family.
        family: What may legitimately decay in it.

    Returns:
        One slope for each moment and quantity. What the readout has learned stands in for the
        logits where it is tied to the embedding, whose loud start hides them.
    """
    last = max(row.step for row in rows)
    cases: list[tuple[Moment, int]] = [("initial", 0), ("change", last)]
    return [
        _slope(rows, axis, moment, step, quantity, family)
        for moment, step in cases
        for quantity in QUANTITIES
        if quantity != "readout" or (family.tied and moment == "change")
    ]


def slope_at(
    rows: Sequence[Coordinate], axis: Axis, moment: Moment, step: int, q: Quantity
) -> tuple[float, float]:
    """Fit one slope at one step.

    Args:
        rows: Coordinates of one family.
        axis: What varies over the family.
        moment: `initial` takes the size, `change` the change.
        step: The step.
        q: The quantity.

    Returns:
        Mean over seeds and its standard error (0 with one seed). An activation that is exactly zero
        everywhere has slope 0; one that is zero or not finite somewhere has none (nan).
    """
    field = "size" if moment == "initial" else "change"
    along = "d_model" if axis == "width" else "n_layers"
    by_seed: dict[int, dict[int, float]] = {}
    for row in rows:
        if row.step == step and row.quantity == q:
            by_seed.setdefault(row.seed, {})[getattr(row, along)] = getattr(row, field)
    found = [_fitted(points) for points in by_seed.values()]
    error = float(np.std(found, ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else 0.0
    return float(np.mean(found)), error


def _fitted(points: dict[int, float]) -> float:
    if all(value == 0 for value in points.values()):
        return 0.0
    if any(not 0 < value < math.inf for value in points.values()):
        return math.nan
    x, y = np.log2(list(points)), np.log2(list(points.values()))
    return float(np.polyfit(x, y, 1)[0])


def _slope(
    rows: Sequence[Coordinate], axis: Axis, moment: Moment, step: int, quantity: Quantity,
    family: Traits,
) -> Slope:  # fmt: skip
    value, error = slope_at(rows, axis, moment, step, quantity)
    half = INITIAL_BOUND if moment == "initial" else CHANGE_BOUND
    reason = _decay(axis, moment, quantity, family)
    low = RANDOM_SUM if reason else -half
    return Slope(axis, moment, quantity, step, value, error, (low, half), reason)


def _decay(axis: Axis, moment: Moment, quantity: Quantity, family: Traits) -> str:
    """Return why an activation may decay, or nothing where it may not."""
    if axis == "depth":
        # Branches divided by the depth: their random part falls as its square root.
        return "a random sum over the layers decays" if quantity == "residual" else ""
    if quantity == "attn_logits" and family.scaled_heads:
        return "1/d_head on a random sum over d_head decays"
    # The matrix that is read out starts as loud as an embedding where the two are tied.
    if quantity == "output_logits" and (moment == "initial" or family.tied):
        return "the initial readout's random sum over the width decays"
    return ""
