"""A recipe and a fit become a plan that says what it expects.

Knows which numbers a recipe leaves to a fit, and whether the fit may speak for it; refuses a fit of another
family of recipes.
"""

from __future__ import annotations

import json
import math

from skald_mup.counts import n_params_non_embedding
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.outlook import Outlook, PublishedSays
from skald_specs.plan import COVERAGE, UNTRANSFERRED, Plan, Quantity
from skald_specs.recipe import Recipe, recipe_family
from skald_specs.timefit import TimeFit

from skald_planner.deciding.predict import Asked, Decision, decide
from skald_planner.deciding.published import panel_of
from skald_planner.machine.cost import cost_of
from skald_planner.plans.difference import first_difference
from skald_planner.plans.resolve import Rates, make_plan
from skald_planner.plans.weight_decay import tau_of


def predicted_plan(
    recipe: Recipe,
    corpus: CorpusManifest | None,
    fit: TimeFit | None,
    *,
    sweep: Recipe | None = None,
    extrapolate: bool = False,
    untransferred: bool = False,
    fit_name: str = "the fit",
) -> Plan:
    """Resolve a recipe into a plan with its outlook.

    Args:
        recipe: The intent; what it leaves to the sweep is decided by the fit.
        corpus: As in `resolve.make_plan`.
        fit: What was fitted; None: the recipe gives every number. Where it gives a rate and there is a fit,
            the outlook says what the fit would have chosen.
        sweep: The recipe whose sweep was fitted, for its cost.
        extrapolate: Answer beyond what the data carry.
        untransferred: The control: take the learning rate that is best at the longest swept horizon, as if
            none were carried over; the plan's name ends in `UNTRANSFERRED`.
        fit_name: What messages call the fit.

    Returns:
        The plan.

    Raises:
        UserInputError: The recipe leaves a number to a sweep and there is no fit; the fit is of another
            family; the point lies beyond what the data carry; or what `resolve.make_plan` refuses.
    """
    decision = None
    if fit is not None:
        _check_family(recipe, fit, fit_name)
        decision = _decided(recipe, fit, extrapolate, untransferred)
    base_lr = _base_lr(recipe, decision)
    rates = None
    if base_lr is not None:
        rates = Rates(base_lr, None if decision is None else decision.global_batch_tokens)
    if untransferred:
        recipe = recipe.model_copy(update={"name": f"{recipe.name}{UNTRANSFERRED}"})
    plan = make_plan(recipe, corpus, rates)
    told = Outlook() if decision is None else decision.outlook
    rows = panel_of(plan, None if decision is None else decision.anchor)
    if decision is not None and recipe.optimizer.base_lr != "sweep":
        rows = (*_fit_says(plan, decision, fit), *rows)
        # They tell of the fit's rate, which this plan does not take.
        told = told.model_copy(
            update={"regret": None, "chosen_below_median_octaves": 0.0, "priors": ()}
        )
    outlook = told.model_copy(
        update={
            "tau_ema": tau_of(plan),
            "published": rows,
            "cost": cost_of(plan, sweep),
        }
    )
    return plan.model_copy(update={"outlook": outlook})


def _decided(recipe: Recipe, fit: TimeFit, extrapolate: bool, untransferred: bool) -> Decision:
    horizon = recipe.budget.horizon_tokens
    execution = recipe.execution
    return decide(
        fit,
        Asked(
            where=f"recipe {recipe.name}",
            horizon_tokens=min(horizon, max(fit.table.horizons_tokens))
            if untransferred
            else horizon,
            global_batch_tokens=recipe.budget.global_batch_tokens,
            n_params_non_embedding=n_params_non_embedding(recipe.model),
            choose_batch=recipe.budget.batch_from_sweep,
            batch_step_tokens=recipe.model.seq_len * execution.dp * execution.micro_batch_sequences,
            extrapolate=extrapolate,
        ),
    )


def _fit_says(plan: Plan, decision: Decision, fit: TimeFit | None) -> tuple[PublishedSays, ...]:
    """Set the given rate and batch beside what the fit would have chosen."""
    source = "" if fit is None else fit.table.source
    low, high = decision.base_lr.interval or (decision.base_lr.value, decision.base_lr.value)
    ours, theirs = plan.identity.optimizer.base_lr.value, decision.base_lr.value
    rows = [
        PublishedSays(
            law="this fit",
            source=source,
            quantity="lr",
            theirs=theirs,
            ours=ours,
            octaves=math.log2(ours / theirs),
            comparable=bool(fit and fit.family),
            note=f"base_lr, {COVERAGE:.0%} interval {low:.3g} to {high:.3g}, at the plan's batch",
        )
    ]
    if (best := decision.outlook.best_batch_tokens) is not None:
        batch = plan.identity.global_batch_tokens.value
        rows.append(
            PublishedSays(
                law="this fit",
                source=source,
                quantity="global_batch_tokens",
                theirs=best.value,
                ours=batch,
                octaves=math.log2(batch / best.value),
                comparable=True,
                note=f"{COVERAGE:.0%} interval {best.interval[0]:,.0f} to {best.interval[1]:,.0f}",
            )
        )
    return tuple(rows)


def _base_lr(recipe: Recipe, decision: Decision | None) -> Quantity[float] | None:
    asked = recipe.optimizer.base_lr
    if asked == "sweep":
        return None if decision is None else decision.base_lr
    standing = recipe.standing("optimizer.base_lr")
    return Quantity[float](value=asked, standing=standing, source="recipe")


def _check_family(recipe: Recipe, fit: TimeFit, fit_name: str) -> None:
    """Refuse a fit that was made on other rules; a table that names no family is taken at its word."""
    difference = (
        first_difference(json.loads(recipe_family(recipe)), fit.family) if fit.family else None
    )
    if difference:
        raise UserInputError(
            f"recipe {recipe.name}",
            f"{fit_name} (of {fit.table.source}) is of another family of recipes: {difference}",
            "Sweep a recipe of the same family and fit it, or write optimizer.base_lr as a number",
        )
