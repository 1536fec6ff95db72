"""What a recipe's sweep could run next, and how proposals are told and written back into it.

Knows the recipe's grid around the fitted ridge; refuses to choose (`design.py` does).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product

from skald_mup.counts import n_params_non_embedding
from skald_mup.shrink import widened
from skald_specs.recipe import Recipe, SweepRun
from skald_specs.ridge import named, ridge
from skald_specs.timefit import TimeFit

from skald_planner.deciding.design import SAME, Candidate, Proposal, Target, next_runs
from skald_planner.deciding.predicted import check_family
from skald_planner.deciding.reach import Asked, check_reach
from skald_planner.machine.cost import shared_steps, training_flops
from skald_planner.plans.proxy import sweep_of

#: Rates offered: half octaves from the grid's lowest rate on, this far to either side of the ridge.
STEP, REACH = 0.5, 1.5


def propose(recipe: Recipe, fit: TimeFit, count: int, towards: Recipe) -> str:
    """Say which runs a recipe's sweep should have next.

    Args:
        recipe: The one that sweeps.
        fit: Of its sweep so far.
        count: How many runs at most.
        towards: The recipe whose learning rate is to be predicted, at its own size, horizon and batch.

    Raises:
        UserInputError: The recipe has no sweep, the count is below 1, the fit is of another family than
            either recipe, or the goal lies beyond what the sweep carries.
    """
    for one in (recipe, towards):
        check_family(one, fit)
    goal = Asked(
        where=f"recipe {towards.name}",
        horizon_tokens=towards.budget.horizon_tokens,
        global_batch_tokens=towards.budget.global_batch_tokens,
        n_params_non_embedding=n_params_non_embedding(towards.model),
    )
    check_reach(fit, goal, goal.global_batch_tokens)
    target = Target(
        n_params_non_embedding(towards.model),
        towards.budget.horizon_tokens,
        towards.budget.global_batch_tokens,
    )
    return render_proposals(next_runs(fit, candidates(recipe, fit), target, count))


def candidates(recipe: Recipe, fit: TimeFit) -> tuple[Candidate, ...]:
    """List the runs that a recipe's sweep could have beside those that the fit knows.

    Args:
        recipe: A recipe with a `sweep` block: its widths, batches, seeds and horizons.
        fit: Where the ridge is, and which runs are there.

    Returns:
        Half octaves of learning rate around the ridge for every width, batch and seed.

    Raises:
        UserInputError: The recipe has no sweep, or a width does not divide into heads.
    """
    sweep = sweep_of(recipe)
    horizons = tuple(sorted(sweep.horizons_tokens))
    swept: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for known in fit.runs:
        level = (known.n_params_non_embedding, known.global_batch_tokens, known.seed)
        swept[level].append(math.log2(known.lr))
    lowest = math.log2(min(sweep.base_lrs))
    found = []
    own = recipe.model.d_model
    for width, batch, seed in product(
        sorted(sweep.widths or (own,)),
        sorted(sweep.global_batches_tokens or (recipe.budget.global_batch_tokens,)),
        sorted(sweep.seeds),
    ):
        tokens = batch * shared_steps(recipe, batch)
        shape = recipe.model if width == own else widened(recipe.model, width)
        size = n_params_non_embedding(shape)
        tops = [_ridge(fit, size, horizon, batch) for horizon in horizons]
        first = math.ceil((min(tops) - REACH - lowest) / STEP)
        last = math.floor((max(tops) + REACH - lowest) / STEP)
        for log2_lr in (lowest + STEP * i for i in range(first, last + 1)):
            if any(abs(log2_lr - at) < SAME for at in swept[size, batch, seed]):
                continue
            lr = float(f"{2.0**log2_lr:.4g}")
            run = SweepRun(base_lr=lr, width=width, global_batch_tokens=batch, seed=seed)
            found.append(Candidate(run, size, horizons, training_flops(shape, tokens)))
    return tuple(found)


def render_proposals(proposals: Sequence[Proposal]) -> str:
    """Return proposals as a table, and below it as lines for the recipe's `sweep.more`."""
    if not proposals:
        return "no run of this sweep's widths, batches and seeds would tell anything more"
    lines = [
        "Octaves by which the best base_lr there is uncertain (standard deviation), before and after:",
        f"{'FLOPs':>9} {'before':>8} {'after':>8} {'loss saved':>11}  runs",
    ]
    for one in proposals:
        rates = ", ".join(f"{run.base_lr:g}" for run in one.runs)
        run = one.runs[0]
        where = f"width {run.width}, batch {run.global_batch_tokens}, seed {run.seed}"
        lines.append(
            f"{one.flops:9.2e} {one.sd_before:8.3f} {one.sd_after:8.3f} "
            f"{100 * one.regret_saved:9.2g} %  {where}: base_lr {rates}"
        )
    lines += ["", "  more:  # under `sweep:` of the recipe"]
    lines += [
        f"    - {{base_lr: {run.base_lr:g}, width: {run.width}, "
        f"global_batch_tokens: {run.global_batch_tokens}, seed: {run.seed}}}"
        for one in proposals
        for run in one.runs
    ]
    return "\n".join(lines)


def _ridge(fit: TimeFit, size: int, horizon: int, batch: int) -> float:
    family = max(fit.families, key=lambda one: one.weight)
    centre = fit.centre
    return centre.log2_lr + float(
        ridge(
            family.kind,
            named(family),
            math.log2(batch) - centre.log2_batch,
            math.log2(horizon) - centre.log2_horizon,
            math.log2(size) - centre.log2_size,
        )
    )
