"""What a recipe's sweep could train next: rates between and beside its own, at its widths and batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from skald_mup.counts import flops_per_token, n_params_non_embedding
from skald_mup.shrink import widened
from skald_specs.errors import UserInputError
from skald_specs.recipe import Recipe, SweepRecipe, SweepRun
from skald_specs.timefit import TimeFit

from skald_planner.cost import shared_steps
from skald_planner.design import SAME, Candidate, Target

#: Candidate rates lie this far apart and reach one step beyond the swept ones, in octaves.
STEP = 0.5


def candidates_of(recipe: Recipe, fit: TimeFit) -> list[Candidate]:
    """List the runs that a sweep could add.

    Args:
        recipe: A recipe with a sweep block; its widths, batches and seeds are taken, and one seed more.
        fit: What was fitted; runs in its table are no candidates.

    Returns:
        The candidates, each measured at every horizon of the sweep.

    Raises:
        UserInputError: The recipe has no sweep block.
    """
    sweep = _sweep(recipe)
    done = {
        (run.width, run.global_batch_tokens, run.seed, round(np.log2(run.lr) / SAME))
        for run in fit.runs
    }
    return [one for one in _all(recipe, sweep) if _key(recipe, one) not in done]


def target_of(recipe: Recipe) -> Target:
    """Return what a recipe wants to know: the best rate at its own size, horizon and batch."""
    return Target(
        n_params_non_embedding=n_params_non_embedding(recipe.model),
        horizon_tokens=recipe.budget.horizon_tokens,
        global_batch_tokens=recipe.budget.global_batch_tokens,
    )


def _sweep(recipe: Recipe) -> SweepRecipe:
    if recipe.sweep is None:
        raise UserInputError(
            f"recipe {recipe.name}",
            "it has no `sweep` block",
            "Add one (base_lrs, horizons_tokens, seeds)",
        )
    return recipe.sweep


def _all(recipe: Recipe, sweep: SweepRecipe) -> Iterator[Candidate]:
    own = recipe.budget.global_batch_tokens
    low, high = np.log2(min(sweep.base_lrs)) - STEP, np.log2(max(sweep.base_lrs)) + STEP
    rates = np.arange(low, high + STEP / 2, STEP)
    for width in sweep.widths or (recipe.model.d_model,):
        shape = recipe.model if width == recipe.model.d_model else widened(recipe.model, width)
        for batch in sweep.global_batches_tokens or (own,):
            moved = rates + sweep.lr_batch_exponent * np.log2(batch / own)
            steps = shared_steps(recipe.schedule, batch, sweep.horizons_tokens)
            for seed in (*sweep.seeds, max(sweep.seeds) + 1):
                for rate in moved:
                    yield Candidate(
                        run=SweepRun(
                            base_lr=float(f"{2.0**rate:.4g}"),
                            width=width,
                            global_batch_tokens=batch,
                            seed=seed,
                        ),
                        n_params_non_embedding=n_params_non_embedding(shape),
                        horizons_tokens=sweep.horizons_tokens,
                        flops=float(flops_per_token(shape) * steps * batch),
                    )


def _key(recipe: Recipe, one: Candidate) -> tuple[int, int, int, int]:
    run = one.run
    batch = run.global_batch_tokens or recipe.budget.global_batch_tokens
    return run.width or recipe.model.d_model, batch, run.seed, round(np.log2(run.base_lr) / SAME)
