"""The sweep's grid as plans: one for each horizon, learning rate and seed.

Knows which runs a sweep consists of; the trainer executes them and does not know why.
"""

from __future__ import annotations

from itertools import product

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, ExecutionRecipe, Recipe, Seeds, SweepRecipe

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
        UserInputError: The recipe has no sweep, a value is listed twice, a seed is negative, a
            horizon is below one batch, or the corpus does not fit (see `make_plan`).
    """
    sweep = _checked_sweep(recipe)
    return [
        make_plan(_proxy(recipe, horizon, lr, seed), corpus, None)
        for horizon, lr, seed in product(
            sorted(sweep.horizons_tokens), sorted(sweep.base_lrs), sorted(sweep.seeds)
        )
    ]


def _checked_sweep(recipe: Recipe) -> SweepRecipe:
    where, sweep = f"recipe {recipe.name}", recipe.sweep
    if sweep is None:
        raise UserInputError(
            where, "it has no `sweep` block", "Add one (base_lrs, horizons_tokens, seeds)"
        )
    values: tuple[tuple[str, tuple[float, ...]], ...] = (
        ("base_lrs", sweep.base_lrs),
        ("horizons_tokens", sweep.horizons_tokens),
        ("seeds", sweep.seeds),
    )
    for field, listed in values:
        if twice := [value for value in listed if listed.count(value) > 1]:
            raise UserInputError(where, f"sweep.{field} lists {twice[0]} twice", "List it once")
    if min(sweep.seeds) < 0:
        raise UserInputError(where, f"sweep.seeds has {min(sweep.seeds)}", "Use 0 or more")
    batch = recipe.budget.global_batch_tokens
    if min(sweep.horizons_tokens) < batch:
        raise UserInputError(
            where,
            f"sweep.horizons_tokens has {min(sweep.horizons_tokens)}, below one batch of {batch}",
            "Use horizons of at least budget.global_batch_tokens",
        )
    return sweep


def _proxy(recipe: Recipe, horizon_tokens: int, base_lr: float, seed: int) -> Recipe:
    batch = recipe.budget.global_batch_tokens
    n_steps = horizon_tokens // batch
    return recipe.model_copy(
        update={
            "name": f"{recipe.name}-h{horizon_tokens}-lr{base_lr}-s{seed}",
            "optimizer": recipe.optimizer.model_copy(update={"base_lr": base_lr}),
            "budget": Budget(horizon_tokens=horizon_tokens, global_batch_tokens=batch),
            "seeds": Seeds(model=seed, data=seed),
            "sweep": None,
            "execution": ExecutionRecipe(
                micro_batch_sequences=batch // recipe.model.seq_len,
                device=recipe.execution.device,
                threads_per_process=recipe.execution.threads_per_process,
                checkpoint_every_steps=n_steps,
                validate_every_steps=n_steps,
            ),
        }
    )
