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

from skald_planner.deciding.predict import Decision, decide
from skald_planner.deciding.published import panel_of
from skald_planner.deciding.reach import Asked
from skald_planner.machine.cost import cost_of
from skald_planner.plans.difference import first_difference
from skald_planner.plans.resolve import Rates, make_plan
from skald_planner.plans.weight_decay import tau_of


def predicted_plan(
    recipe: Recipe,
    corpus: CorpusManifest | None,
    fit: TimeFit | None,
    *,
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
        extrapolate: Answer beyond what the data carry.
        untransferred: The control: take the learning rate that is best at the longest swept horizon, as if
            none were carried over; the plan's name ends in `UNTRANSFERRED`.
        fit_name: What messages call the fit.

    Returns:
        The plan.

    Raises:
        UserInputError: The recipe leaves a number to a sweep and there is no fit; the fit is of another
            family; the point lies beyond what the data carry; a control is asked for where nothing is
            transferred; or what `resolve.make_plan` refuses.
    """
    given = recipe.optimizer.base_lr
    if untransferred and given != "sweep":
        raise UserInputError(
            f"recipe {recipe.name}",
            f"optimizer.base_lr = {given:g} is given, so nothing is transferred and there is no control",
            "Leave out --untransferred, or let optimizer.base_lr be `sweep`",
        )
    decision, rates = None, None
    if fit is not None:
        check_family(recipe, fit, fit_name)
        base_lr, decision = _decided(recipe, fit, extrapolate, untransferred)
        rates = Rates(base_lr, decision.global_batch_tokens)
    if untransferred:
        recipe = recipe.model_copy(update={"name": f"{recipe.name}{UNTRANSFERRED}"})
    plan = make_plan(recipe, corpus, rates)
    told, rows = Outlook(), panel_of(plan, None if decision is None else decision.anchor)
    if fit is not None and decision is not None:
        told = decision.outlook
        if given != "sweep":
            rows = (*_fit_says(plan, decision, fit), *rows)
        if given != "sweep" or untransferred:
            # They are of the rate that the fit would choose; the cost is of the rate that is taken, if both
            # rates mean the same.
            known = told.regret if fit.family else None
            told = told.model_copy(
                update={"priors": (), "regret": known, "chosen_below_median_octaves": 0.0}
            )
    own_sweep = recipe if recipe.sweep is not None else None
    outlook = told.model_copy(
        update={"tau_ema": tau_of(plan), "published": rows, "cost": cost_of(plan, own_sweep)}
    )
    return plan.model_copy(update={"outlook": outlook})


def _decided(
    recipe: Recipe, fit: TimeFit, extrapolate: bool, untransferred: bool
) -> tuple[Quantity[float], Decision]:
    """Return the base learning rate of the plan, and what the fit says of the plan with it."""
    execution, given = recipe.execution, recipe.optimizer.base_lr
    asked = Asked(
        where=f"recipe {recipe.name}",
        horizon_tokens=recipe.budget.horizon_tokens,
        global_batch_tokens=recipe.budget.global_batch_tokens,
        n_params_non_embedding=n_params_non_embedding(recipe.model),
        choose_batch=recipe.budget.batch_from_sweep,
        batch_step_tokens=recipe.model.seq_len * execution.dp * execution.micro_batch_sequences,
        extrapolate=extrapolate,
    )
    if given != "sweep":
        rate = Quantity[float](
            value=given, standing=recipe.standing("optimizer.base_lr"), source="recipe"
        )
    elif untransferred:
        longest = max(fit.table.horizons_tokens)
        rate = decide(
            fit, asked._replace(horizon_tokens=min(asked.horizon_tokens, longest))
        ).base_lr
        rate = rate.model_copy(update={"source": f"{rate.source}; not carried over"})
    else:
        decision = decide(fit, asked)
        return decision.base_lr, decision
    return rate, decide(fit, asked._replace(given_base_lr=rate.value))


def _fit_says(plan: Plan, decision: Decision, fit: TimeFit) -> tuple[PublishedSays, ...]:
    """Set the given rate and batch beside what the fit would have chosen."""
    source = fit.table.source
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
            comparable=bool(fit.family),
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


def check_family(recipe: Recipe, fit: TimeFit, fit_name: str = "the fit") -> None:
    """Refuse a fit that was made on other rules; a table that names no family is taken at its word.

    Args:
        recipe: Whose rates are asked for.
        fit: Who would answer.
        fit_name: What messages call it.

    Raises:
        UserInputError: They are of different families; the message names the field that differs.
    """
    difference = (
        first_difference(json.loads(recipe_family(recipe)), fit.family) if fit.family else None
    )
    if difference:
        raise UserInputError(
            f"recipe {recipe.name}",
            f"{fit_name} (of {fit.table.source}) is of another family of recipes: {difference}",
            "Sweep a recipe of the same family and fit it, or write optimizer.base_lr as a number",
        )
