"""How long AdamW's weights remember, and the weight decay that a horizon asks for.

Weights under AdamW are a moving average of their updates; `tau_ema` is that average's time scale as a
share of training. Knows the published law of its best value; what a recipe may write stands in
`skald_specs.parametrisation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy.special import ndtri
from skald_mup.counts import n_params_non_embedding
from skald_mup.rules import tensor_rules
from skald_specs.plan import COVERAGE, Plan, Quantity, TensorKind, TensorRule
from skald_specs.recipe import Recipe

POWER_LINES = "arXiv 2505.13738"

#: Best tau_ema = TAU_SCALE x (horizon_tokens / n_params_non_embedding)^TAU_EXPONENT. The exponent is
#: confirmed, the scale assumed, for it was not read in the source: with it the public 7.8B recipe is met within 4 %.
TAU_SCALE, TAU_EXPONENT = 1.084, -0.527

#: Assumed spread of that law, standard deviations: of log2 tau, and of the exponent away from 20
#: tokens a parameter, where such models are mostly trained. None were at hand from the source.
TAU_SD_OCTAVES, TAU_EXPONENT_SD, TOKENS_PER_PARAMETER_CENTRE = 0.3, 0.05, 20.0


def tau_ema(
    global_batch_tokens: float, lr: float, weight_decay: float, horizon_tokens: float
) -> float:
    """Return the time scale of AdamW's moving average as a share of training.

    Args:
        global_batch_tokens: Tokens of a step.
        lr: Peak learning rate of the tensor.
        weight_decay: torch's, of the tensor: a step decays by lr x weight_decay. Written
            independently of lr it is that product, so lr = 1 and the independent value say the same.
        horizon_tokens: Length of training, tokens.

    Returns:
        A share; infinite without weight decay.

    Source: arXiv 2505.13738, after arXiv 2405.13698; the schedule does not enter.
    Standing: derived.
    """
    removed = lr * weight_decay * horizon_tokens
    return global_batch_tokens / removed if removed > 0 else math.inf


def best_tau(n_params_non_embedding: float, horizon_tokens: float) -> float:
    """Return the published law's best `tau_ema`.

    Args:
        n_params_non_embedding: The model's size; of it and the horizon only tokens per parameter
            count.
        horizon_tokens: Tokens of the whole run.

    Returns:
        The time of the weights' running average as a share of the run.

    Source: arXiv 2505.13738.
    Standing: exponent confirmed, scale assumed (see `TAU_SCALE`).
    """
    return float(TAU_SCALE * (horizon_tokens / n_params_non_embedding) ** TAU_EXPONENT)


def best_tau_sd_octaves(n_params_non_embedding: float, horizon_tokens: float) -> float:
    """Return the standard deviation of log2 of `best_tau`.

    Args:
        n_params_non_embedding: As for `best_tau`.
        horizon_tokens: As for `best_tau`.

    Standing: assumed (see `TAU_SD_OCTAVES`).
    """
    ratio = horizon_tokens / n_params_non_embedding / TOKENS_PER_PARAMETER_CENTRE
    return math.hypot(TAU_SD_OCTAVES, TAU_EXPONENT_SD * math.log2(ratio))


def independent_decay(global_batch_tokens: float, tau: float, horizon_tokens: float) -> float:
    """Return the share of a weight that a step at the peak has to remove for a given `tau_ema`.

    This is the weight decay of the independent convention; it needs no learning rate.

    Args:
        global_batch_tokens: Tokens of a step.
        tau: Share of training.
        horizon_tokens: Length of training, tokens.
    """
    return global_batch_tokens / (tau * horizon_tokens)


def hidden_rule(rules: Mapping[TensorKind, TensorRule]) -> TensorRule:
    """Return the rule that stands for the hidden matrices: the query projection's.

    `down_proj` differs from it only where `d_ff` is not in proportion to the width.
    """
    return rules["q_proj"]


def tau_of(plan: Plan) -> float | None:
    """Return a plan's `tau_ema` for its hidden matrices; None without weight decay."""
    identity, hidden = plan.identity, hidden_rule(plan.identity.rules)
    batch, horizon = identity.global_batch_tokens.value, identity.horizon_tokens.value
    tau = tau_ema(batch, hidden.lr, hidden.weight_decay, horizon)
    return tau if math.isfinite(tau) else None


def planned_weight_decay(
    recipe: Recipe, base_lr: float, global_batch_tokens: int
) -> Quantity[float] | None:
    """Return the weight decay that the law gives a recipe, in the recipe's own convention.

    Args:
        recipe: The recipe.
        base_lr: Its resolved base learning rate; the independent convention does not depend on it.
        global_batch_tokens: Its resolved batch.

    Returns:
        `parametrisation.weight_decay` as a number with its interval, such that the hidden matrices
        have the law's `tau_ema`; None where the recipe gives the number itself.

    Source: arXiv 2505.13738.
    Standing: assumed: the law's scale was not read in the source, its spread is a guess.
    """
    if recipe.parametrisation.weight_decay != "horizon":
        return None
    size, horizon = n_params_non_embedding(recipe.model), recipe.budget.horizon_tokens
    tau = best_tau(size, horizon)
    needed = independent_decay(global_batch_tokens, tau, horizon)
    # A step's decay is linear in what the recipe writes, whatever the rule table and the convention.
    unit = recipe.parametrisation.model_copy(update={"weight_decay": 1.0})
    hidden = hidden_rule(tensor_rules(recipe.model, unit, base_lr))
    value = needed / (hidden.lr * hidden.weight_decay)
    octaves = float(ndtri(0.5 + COVERAGE / 2)) * best_tau_sd_octaves(size, horizon)
    return Quantity[float](
        value=_rounded(value),
        standing="assumed",
        source=f"tau_ema {tau:.3g} for {horizon / size:.3g} tokens a parameter ({POWER_LINES})",
        interval=(_rounded(value / 2**octaves), _rounded(value * 2**octaves)),
    )


def with_weight_decay(recipe: Recipe, base_lr: float, global_batch_tokens: int) -> Recipe:
    """Return a recipe whose weight decay is a number; itself where it already is one.

    The family and the fingerprint of a recipe are those of what was written, so take them before.

    Args:
        recipe: The recipe.
        base_lr: Its resolved base learning rate.
        global_batch_tokens: Its resolved batch.
    """
    planned = planned_weight_decay(recipe, base_lr, global_batch_tokens)
    if planned is None:
        return recipe
    given = recipe.parametrisation.model_copy(update={"weight_decay": planned.value})
    return recipe.model_copy(update={"parametrisation": given})


def _rounded(value: float) -> float:
    """Round to four digits, far below the interval, so that a plan survives another libm."""
    return float(f"{value:.4g}")
