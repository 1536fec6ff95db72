"""The loss law L(N, T) = E + A N^-alpha + B T^-beta: its value, its priors, and gaps priced in tokens.

The planner fits it; the report asks what closing a gap would take. Knows the form and nothing of how it
was fitted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skald_specs.plan import COVERAGE
from skald_specs.timefit import LossLaw

Floats = NDArray[np.float64]

#: Assumed priors, mean and standard deviation. Exponents of size and horizon: 0.34 and 0.28 (arXiv
#: 2203.15556), 0.35 and 0.37 (arXiv 2404.10102).
SIZE_EXPONENT_PRIOR, HORIZON_EXPONENT_PRIOR = (0.34, 0.12), (0.32, 0.12)
#: What an exponent may be.
EXPONENTS = (0.02, 2.0)

#: Draws of the scores of a pair of checkpoints, and their seed.
_N_DRAWS, _SEED = 4000, 0


class GapCost(NamedTuple):
    """Tokens in all at which a model's gap would be closed; None: at no horizon.

    `at_least` and `at_most` are the ends of the interval; `at_most` is None where more than its share
    of the draws never gets there.
    """

    tokens: float | None
    at_least: float | None
    at_most: float | None


class Score(NamedTuple):
    """A score with its standard error, both in the same points."""

    value: float
    standard_error: float


def losses(law: LossLaw, n_params_non_embedding: float, horizon_tokens: float) -> Floats:
    """Return the loss at a point: the law's, then each draw's.

    Args:
        law: The law.
        n_params_non_embedding: Parameters of the model.
        horizon_tokens: Its horizon, tokens.

    Returns:
        In the unit of the law.

    Shapes: 1 + draws.
    """
    rows = _rows(law)
    by_size = _term(rows[:, 1], rows[:, 2], n_params_non_embedding)
    return np.asarray(rows[:, 0] + by_size + _term(rows[:, 3], rows[:, 4], horizon_tokens))


def tokens_to_close(
    law: LossLaw, n_params_non_embedding: float, horizon_tokens: float, loss_gap: float
) -> GapCost:
    """Price a gap in loss in tokens.

    Args:
        law: The law.
        n_params_non_embedding: Parameters of the model.
        horizon_tokens: Its horizon, tokens.
        loss_gap: Share by which the loss is to fall: 0.01 is 1 %.

    Returns:
        The horizon that a model of the same size would need.

    Standing: the law's; the size is kept, and learning rate and batch are taken to be the best at both
        horizons.
    """
    rows = _rows(law)
    floor = rows[:, 0] + _term(rows[:, 1], rows[:, 2], n_params_non_embedding)
    target = losses(law, n_params_non_embedding, horizon_tokens) * (1 - loss_gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_tokens = (np.log(rows[:, 3]) - np.log(target - floor)) / rows[:, 4]
    log_tokens = np.where((target > floor) & (rows[:, 4] > 0), log_tokens, np.inf)
    return _cost(float(log_tokens[0]), log_tokens[1:])


def tokens_to_reach(
    earlier: Score, later: Score, target: Score, earlier_tokens: float, later_tokens: float
) -> GapCost:
    """Price a gap in a score in tokens, from two checkpoints of one run.

    The score is taken as linear in the law's horizon term: S(T) = c - k T^-beta. Two checkpoints give
    c and k, and T solves T^-beta = T2^-beta - (target - S2) (T1^-beta - T2^-beta) / (S2 - S1).

    Args:
        earlier: Score of the earlier checkpoint, points (higher is better).
        later: Of the later one.
        target: The score to reach, above the later one.
        earlier_tokens: Tokens that the earlier checkpoint had seen.
        later_tokens: Tokens that the later one had seen, more.

    Returns:
        Tokens in all; the three scores and beta are drawn, independently, for the interval. A draw in
        which the later checkpoint is not the better one never gets there, unless it is there already.

    Standing: assumed: the form, and beta with `HORIZON_EXPONENT_PRIOR`.
    """
    rng = np.random.default_rng(_SEED)
    first, second, wanted = (
        np.append(s.value, s.value + s.standard_error * rng.standard_normal(_N_DRAWS))
        for s in (earlier, later, target)
    )
    mean, sd = HORIZON_EXPONENT_PRIOR
    beta = np.append(mean, mean + sd * rng.standard_normal(_N_DRAWS)).clip(*EXPONENTS)
    # In units of the later checkpoint's horizon, so that no power of it is lost to rounding.
    span = (earlier_tokens / later_tokens) ** -beta - 1
    gap, gained = wanted - second, second - first
    with np.errstate(divide="ignore", invalid="ignore"):
        term = 1 - gap * span / gained
        log_ratio = -np.log(term) / beta
    closed = (gained > 0) & (term > 0)
    log_tokens = math.log(later_tokens) + np.where(closed, log_ratio, np.inf)
    log_tokens = np.where(gap <= 0, math.log(later_tokens), log_tokens)
    return _cost(float(log_tokens[0]), log_tokens[1:])


def _cost(centre: float, drawn: Floats) -> GapCost:
    # Order statistics: no interpolation between a number and never.
    ranked = np.sort(drawn)
    low, high = (
        float(ranked[round((len(ranked) - 1) * q)])
        for q in (0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2)
    )
    return GapCost(_finite_exp(centre), _finite_exp(low), _finite_exp(high))


def _finite_exp(value: float) -> float | None:
    return math.exp(value) if value < math.log(1e300) else None


def _rows(law: LossLaw) -> Floats:
    central = (
        law.irreducible, law.size_scale, law.size_exponent, law.horizon_scale, law.horizon_exponent,
    )  # fmt: skip
    return np.array([central, *law.draws])


def _term(scale: Floats, exponent: Floats, at: float) -> Floats:
    return np.asarray(scale * np.exp(-exponent * math.log(at)))
