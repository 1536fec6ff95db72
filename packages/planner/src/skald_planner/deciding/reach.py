"""How far a question lies from what was swept, and where the answer ends.

Knows octaves; refuses to be talked past its limits but by `--extrapolate`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from skald_specs.errors import UserInputError
from skald_specs.outlook import Distance
from skald_specs.timefit import TimeFit

#: Octaves outside the swept range beyond which a prediction needs `--extrapolate`. Assumed: published
#: laws hold over two to four octaves where they were tested, and bend at larger scale (arXiv 2606.29158).
HORIZON_LIMIT, BATCH_LIMIT, SIZE_LIMIT = 4.0, 3.0, 10.0


class Asked(NamedTuple):
    """What a plan wants to know.

    Attributes:
        where: Whom an error names.
        horizon_tokens: Tokens of the run.
        global_batch_tokens: Its batch, or the one to fall back on where the fit chooses.
        n_params_non_embedding: Its size.
        choose_batch: Take the batch that the fit finds best.
        batch_step_tokens: A chosen batch is a multiple of this.
        extrapolate: Answer beyond the limits.
        given_base_lr: The rate whose cost is told; None: that of the rate chosen.
    """

    where: str
    horizon_tokens: int
    global_batch_tokens: int
    n_params_non_embedding: int
    choose_batch: bool = False
    batch_step_tokens: int = 1
    extrapolate: bool = False
    given_base_lr: float | None = None


def _outside(value: float, swept: tuple[int, ...]) -> float:
    at = math.log2(value)
    return max(0.0, at - math.log2(max(swept)), math.log2(min(swept)) - at)


def distance_of(fit: TimeFit, asked: Asked, batch: float) -> Distance:
    """Count the octaves between what was swept and what is asked.

    Args:
        fit: What was fitted.
        asked: Where it is asked; its batch does not count here.
        batch: Tokens of a step.
    """
    table = fit.table
    octaves = (
        _outside(asked.horizon_tokens, table.horizons_tokens),
        _outside(batch, table.global_batches_tokens),
        _outside(asked.n_params_non_embedding, table.n_params_non_embedding),
    )
    horizon, batch_octaves, size = (round(value, 3) for value in octaves)
    return Distance(horizon_octaves=horizon, batch_octaves=batch_octaves, size_octaves=size)


def check_reach(fit: TimeFit, asked: Asked, batch: int) -> None:
    """Refuse what lies beyond the data.

    Args:
        fit: What was fitted.
        asked: Where it is asked.
        batch: Tokens of a step.

    Raises:
        UserInputError: Horizon, batch or size lies beyond its limit.
    """
    distance = distance_of(fit, asked, batch)
    limits = (
        ("horizon_tokens", asked.horizon_tokens, distance.horizon_octaves, HORIZON_LIMIT),
        ("global_batch_tokens", batch, distance.batch_octaves, BATCH_LIMIT),
        ("n_params_non_embedding", asked.n_params_non_embedding, distance.size_octaves, SIZE_LIMIT),
    )
    for name, value, octaves, limit in limits:
        if octaves > limit:
            raise UserInputError(
                asked.where,
                f"{name} = {value:.4g} lies {octaves:.1f} octaves outside the sweep ({fit.table.source}), "
                f"which carries {limit:g}",
                "Sweep nearer to it, or give --extrapolate to lean on published exponents",
            )


def edge(value: float, swept: tuple[int, ...], centre: float) -> float:
    """Return the swept value nearest to a value, both log2 counted from a centre.

    Args:
        value: Where it is asked.
        swept: What was swept, as it is.
        centre: log2 of the centre.
    """
    low, high = math.log2(min(swept)) - centre, math.log2(max(swept)) - centre
    return min(max(value, low), high)


def warnings_of(fit: TimeFit, distance: Distance, log2_lr: float) -> tuple[str, ...]:
    """Say what makes a prediction one to be wary of, one sentence each.

    Args:
        fit: What was fitted.
        distance: How far outside it is asked.
        log2_lr: The learning rate that is predicted.
    """
    found = []
    if distance.horizon_octaves > HORIZON_LIMIT:
        found.append(
            f"the horizon lies {distance.horizon_octaves:.1f} octaves beyond the sweep, which carries "
            f"{HORIZON_LIMIT:g}: published exponents and an assumed spread stand in"
        )
    if distance.batch_octaves > BATCH_LIMIT:
        found.append(f"the batch lies {distance.batch_octaves:.1f} octaves outside the swept ones")
    if distance.size_octaves > SIZE_LIMIT:
        found.append(f"the model is {distance.size_octaves:.1f} octaves larger than the swept ones")
    if outside_rates(fit, log2_lr):
        low, high = fit.table.lr_range
        found.append(
            f"the predicted learning rate lies outside the swept ones ({low:.3g} to {high:.3g})"
        )
    if not fit.family:
        found.append(
            "the fitted table names no family of recipes: its learning rates are taken as base_lr"
        )
    if fit.size_terms:
        found.append("the swept optimum moves with size, so the rules do not hold it still")
    return tuple(found)


def is_far(distance: Distance) -> bool:
    """Say whether a question lies past one of the limits."""
    return (
        distance.horizon_octaves > HORIZON_LIMIT
        or distance.batch_octaves > BATCH_LIMIT
        or distance.size_octaves > SIZE_LIMIT
    )


def outside_rates(fit: TimeFit, log2_lr: float) -> bool:
    """Say whether a learning rate lies outside all that were swept: then no run is near it.

    Args:
        fit: What was fitted; its table holds the range of rates.
        log2_lr: log2 of the base learning rate asked about.
    """
    low, high = fit.table.lr_range
    return not math.log2(low) <= log2_lr <= math.log2(high)
