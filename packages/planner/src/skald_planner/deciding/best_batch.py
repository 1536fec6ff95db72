"""The best batch at a horizon, and the batch to plan with.

Knows the parabola over the batch that a fit holds; refuses to choose where losses do not rise on both sides.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from skald_specs.errors import UserInputError
from skald_specs.plan import Quantity
from skald_specs.ridge import best_batch, named
from skald_specs.timefit import Estimate, FamilyFit, TimeFit

from skald_planner.deciding.published import PRIORS, Prior
from skald_planner.deciding.reach import Asked, edge
from skald_planner.fitting.cells import Floats
from skald_planner.fitting.mixture import by_weight, interval_of, rounded
from skald_planner.fitting.transfer import OPENS


def weigh(
    own: Floats | None, count: int, error: float, prior: Prior, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Join the data's step beyond the sweep with the prior's, by inverse variance.

    Args:
        own: The data's, as draws; None: they show none.
        count: How many draws.
        error: Standard deviation that the draws do not have.
        prior: The prior of the step.
        rng: Source of the noise.

    Returns:
        The step as draws, and the prior's share in it.
    """
    guess = prior.mean + prior.sd * rng.standard_normal(count)
    if own is None:
        return guess, 1.0
    own = own + error * rng.standard_normal(count)
    variance = float(own.var())
    share = variance / (variance + prior.sd**2) if variance > 0 else 0.0
    return (1 - share) * own + share * guess, share


class Batch(NamedTuple):
    """The batch to plan with; the best one with its interval, and the prior's share in that, where known."""

    tokens: int
    best: Estimate | None
    share: float | None


def batch_for(fit: TimeFit, asked: Asked, rng: np.random.Generator) -> Batch:
    """Return the batch of a plan: the one that is asked for, or the best.

    Args:
        fit: What was fitted.
        asked: Where, and whether the batch is left to the fit.
        rng: Source of noise.

    Raises:
        UserInputError: It is left to a fit that shows no best batch.
    """
    t = math.log2(asked.horizon_tokens) - fit.centre.log2_horizon
    n = math.log2(asked.n_params_non_embedding) - fit.centre.log2_size
    t_edge = edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
    n = edge(n, fit.table.n_params_non_embedding, fit.centre.log2_size)
    known = opening(fit)
    if not known:
        if asked.choose_batch:
            raise UserInputError(
                asked.where,
                "budget.batch_from_sweep, but the fit shows no best batch",
                "Sweep three batches on both sides of the best, or leave budget.batch_from_sweep out",
            )
        return Batch(asked.global_batch_tokens, None, None)
    weights = [family.weight for family in known]
    draws = by_weight(weights, [best_y(family, t_edge, n) for family in known])
    share = 0.0
    if t != t_edge:
        prior = PRIORS["best_batch_exponent"]
        away = Prior(prior.mean * (t - t_edge), prior.sd * abs(t - t_edge), "")
        shown = len(fit.table.horizons_tokens) > 1
        own = by_weight(weights, [best_y(family, t, n) for family in known]) - draws
        step, share = weigh(own if shown else None, draws.size, 0.0, away, rng)
        draws = draws + step
    middle, (low, high) = float(np.median(draws)), interval_of(draws)
    scale = 2.0**fit.centre.log2_batch
    best = Estimate(
        value=rounded(scale * 2.0**middle),
        interval=(rounded(scale * 2.0**low), rounded(scale * 2.0**high)),
    )
    if not asked.choose_batch:
        return Batch(asked.global_batch_tokens, best, share)
    step_tokens = asked.batch_step_tokens
    return Batch(max(1, round(best.value / step_tokens)) * step_tokens, best, share)


def opening(fit: TimeFit) -> list[FamilyFit]:
    """Return the families whose losses rise on both sides of a best batch, nearly surely."""
    found = []
    for family in fit.families:
        if "profile" in family.names:
            draws = named(family, np.array(family.draws))["profile"]
            if named(family)["profile"] > 0 and (draws > 0).mean() >= OPENS:
                found.append(family)
    return found


def best_y(family: FamilyFit, t: float, n: float) -> Floats:
    """Return log2 of the best batch from the centre, for each draw.

    Args:
        family: One that `opening` returns.
        t: log2 horizon from the centre.
        n: log2 size from the centre.
    """
    return np.asarray(best_batch(named(family, np.array(family.draws)), t, n))


def quantity_of(asked: Asked, batch: Batch) -> Quantity[int] | None:
    """Return the batch as a plan's number where the fit chose it.

    Args:
        asked: What was asked; says whether the fit was to choose.
        batch: What `batch_for` returned for it.

    Returns:
        `assumed` where the prior has more than half of it, else `fitted`; None where the fit did
        not choose.
    """
    if not asked.choose_batch or batch.best is None:
        return None
    return Quantity[int](
        value=batch.tokens,
        standing="assumed" if (batch.share or 0.0) > 0.5 else "fitted",
        source=f"best batch of the fit, in steps of {asked.batch_step_tokens} tokens",
        interval=batch.best.interval,
    )
