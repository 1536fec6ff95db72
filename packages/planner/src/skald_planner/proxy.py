"""The sweep's grid as plans: one for each horizon, learning rate and seed.

Knows which runs a sweep consists of; the trainer executes them and does not know why.
"""

from __future__ import annotations

from itertools import product

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, Recipe, Seeds, SweepRecipe

from skald_planner.resolve import make_plan


def proxy_plans(recipe: Recipe, corpus: CorpusManifest) -> list[Plan]:
    """Resolve a sweep into the plans of its runs.

    Every run is computed on one process with the whole batch at once, and is validated at its end
    only: small runs are bound by overheads. A seed sets the initial weights and the data order, so
    runs of one seed are paired across learning rates.

    Args:
        recipe: A recipe with a `sweep` block.
        corpus: The corpus it will train on.

    Returns:
        Plans ordered by horizon, learning rate and seed, named such as
        `mini-proxy-h131072-lr0.004-s1`.

    Raises:
        UserInputError: The recipe has no sweep, or the corpus does not fit (see `make_plan`).
    """
    sweep = recipe.sweep
    if sweep is None:
        raise UserInputError(
            f"recipe {recipe.name}",
            "it has no `sweep` block",
            "Add one (base_lrs, horizons_tokens, seeds)",
        )
    return [
        _validated_on(make_plan(_proxy(recipe, horizon, lr, seed), corpus, None), sweep)
        for horizon, lr, seed in product(
            sorted(sweep.horizons_tokens), sorted(sweep.base_lrs), sorted(sweep.seeds)
        )
    ]


def _validated_on(plan: Plan, sweep: SweepRecipe) -> Plan:
    data = plan.identity.data.model_copy(update={"validation_tokens": sweep.validation_tokens})
    return plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})})


def _proxy(recipe: Recipe, horizon_tokens: int, base_lr: float, seed: int) -> Recipe:
    budget = recipe.budget.model_copy(update={"horizon_tokens": horizon_tokens})
    proxy = one_process(
        recipe, f"{recipe.name}-h{horizon_tokens}-lr{base_lr}-s{seed}", budget, seed
    )
    optimizer = recipe.optimizer.model_copy(update={"base_lr": base_lr})
    return proxy.model_copy(update={"optimizer": optimizer})


def one_process(recipe: Recipe, name: str, budget: Budget, seed: int) -> Recipe:
    """Return a recipe's small run: one process, the whole batch at once, validated at its end.

    Args:
        recipe: Everything else.
        name: The run's.
        budget: Horizon and batch, in tokens.
        seed: Of the initial weights and of the data order.
    """
    n_steps = budget.horizon_tokens // budget.global_batch_tokens
    return recipe.model_copy(
        update={
            "name": name,
            "budget": budget,
            "seeds": Seeds(model=seed, data=seed),
            "sweep": None,
            "execution": ExecutionRecipe(
                micro_batch_sequences=budget.global_batch_tokens // recipe.model.seq_len,
                device=recipe.execution.device,
                threads_per_process=recipe.execution.threads_per_process,
                checkpoint_every_steps=n_steps,
                validate_every_steps=n_steps,
            ),
        }
    )
