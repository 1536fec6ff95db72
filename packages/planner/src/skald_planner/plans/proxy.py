"""The sweep's runs as plans: one for each horizon, width, batch, learning rate and seed.

Knows which runs a sweep consists of; the trainer executes them and does not know why.
"""

from __future__ import annotations

from skald_mup.shrink import widened
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, Recipe, Seeds, SweepRecipe, SweepRun
from skald_specs.shape import ModelShape

from skald_planner.plans.resolve import make_plan


def sweep_of(recipe: Recipe) -> SweepRecipe:
    """Return a recipe's sweep.

    Raises:
        UserInputError: It has none.
    """
    if recipe.sweep is None:
        raise UserInputError(
            f"recipe {recipe.name}",
            "it has no `sweep` block",
            "Add one (base_lrs, horizons_tokens, seeds)",
        )
    return recipe.sweep


def proxy_plans(recipe: Recipe, corpus: CorpusManifest) -> list[Plan]:
    """Resolve a sweep into the plans of its runs.

    Every run is computed on one process with the whole batch at once, and is validated at its end
    only: small runs are bound by overheads. A seed sets the initial weights and the data order, so
    runs of one seed are paired across learning rates, and at one batch across widths.

    Args:
        recipe: A recipe with a `sweep` block.
        corpus: The corpus it will train on.

    Returns:
        Plans ordered by horizon, then as the grid is, named such as `mini-proxy-h131072-lr0.004-s1`;
        where the sweep has several, width and batch stand before: `mini-proxy-w96-b2048-h131072-...`.

    Raises:
        UserInputError: The recipe has no sweep, a width does not divide into heads, or the corpus does
            not fit (see `make_plan`).
    """
    sweep = sweep_of(recipe)
    runs = sweep.runs(recipe.model.d_model, recipe.budget.global_batch_tokens)
    several_widths = len({run.width for run in runs}) > 1
    several_batches = len({run.global_batch_tokens for run in runs}) > 1
    plans = []
    for horizon in sorted(sweep.horizons_tokens):
        for run in runs:
            name = "-".join(
                [
                    recipe.name,
                    *([f"w{run.width}"] if several_widths else []),
                    *([f"b{run.global_batch_tokens}"] if several_batches else []),
                    # A plus sign is no part of a name.
                    f"h{horizon}-lr{run.base_lr}-s{run.seed}".replace("+", ""),
                ]
            )
            plan = make_plan(_proxy(recipe, name, horizon, run), corpus, None)
            plans.append(_validated_on(plan, sweep))
    return plans


def _validated_on(plan: Plan, sweep: SweepRecipe) -> Plan:
    data = plan.identity.data.model_copy(update={"validation_tokens": sweep.validation_tokens})
    return plan.model_copy(update={"identity": plan.identity.model_copy(update={"data": data})})


def _proxy(recipe: Recipe, name: str, horizon_tokens: int, run: SweepRun) -> Recipe:
    budget = Budget(
        horizon_tokens=horizon_tokens,
        global_batch_tokens=run.global_batch_tokens or recipe.budget.global_batch_tokens,
    )
    proxy = one_process(recipe, name, budget, run.seed)
    optimizer = recipe.optimizer.model_copy(update={"base_lr": run.base_lr})
    model = sister(recipe, run.width or recipe.model.d_model)
    return proxy.model_copy(update={"optimizer": optimizer, "model": model})


def sister(recipe: Recipe, width: int) -> ModelShape:
    """Return the recipe's shape at a width of its sweep.

    Args:
        recipe: The recipe.
        width: `d_model`.

    Raises:
        UserInputError: The width does not divide into whole heads; the message says where it stands.
    """
    if width == recipe.model.d_model:
        return recipe.model
    try:
        return widened(recipe.model, width)
    except UserInputError as error:
        listed = recipe.sweep.widths if recipe.sweep else ()
        where = f"recipe {recipe.name}: sweep.{'widths' if width in listed else 'more'}"
        raise UserInputError(where, error.problem, error.remedy) from None


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
