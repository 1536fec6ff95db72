"""The schedule in whole steps: what fractions and tokens of a horizon come to."""

from __future__ import annotations

from skald_specs.plan import PlannedSchedule, Quantity
from skald_specs.recipe import Budget, ScheduleRecipe


def plan_schedule(schedule: ScheduleRecipe, budget: Budget) -> PlannedSchedule:
    """Turn fractions of a horizon, or a warmup in tokens, into whole steps.

    A last batch that the horizon does not fill is not trained. Warmup and decay round to the
    nearest step; where both round up into each other, the decay gives way. A warmup in tokens is the
    same number of steps at every horizon.

    Args:
        schedule: Warmup as a fraction of all steps or in tokens, decay as a fraction.
        budget: Horizon and batch, in tokens.

    Returns:
        The schedule in steps.

    Standing: derived.
    """
    n_steps = budget.horizon_tokens // budget.global_batch_tokens
    if schedule.warmup_tokens is not None:
        warmup = min(round(schedule.warmup_tokens / budget.global_batch_tokens), n_steps)
        warmed_by = f"warmup_tokens = {schedule.warmup_tokens} / global_batch_tokens"
    else:
        fraction = schedule.warmup_fraction or 0.0
        warmup, warmed_by = round(fraction * n_steps), f"{fraction:g} of n_steps"
    decay = min(round(schedule.decay_fraction * n_steps), n_steps - warmup)
    return PlannedSchedule(
        n_steps=Quantity[int](
            value=n_steps,
            standing="derived",
            source="floor(horizon_tokens / global_batch_tokens)",
        ),
        warmup_steps=Quantity[int](value=warmup, standing="derived", source=warmed_by),
        decay_steps=Quantity[int](
            value=decay, standing="derived", source=f"{schedule.decay_fraction:g} of n_steps"
        ),
        final_lr_fraction=schedule.final_lr_fraction,
    )
