"""Drive nanotron's trainer through one run, on one rank."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from skald_specs.errors import UserInputError
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.agreement import introduced
from skald_trainer.guard import Guard
from skald_trainer.loader import TrainingData
from skald_trainer.meeting import allow_overlap, process_group
from skald_trainer.watchdog import group_timeout

#: Bits per byte and its standard error, by language.
Validation = dict[str, tuple[float, float]]


def choose_device(plan: Plan) -> Literal["cpu", "cuda"]:
    """Resolve `auto`, and refuse GPUs that are not there.

    Every process takes a GPU of its own; where this machine has fewer, `auto` is the CPU.

    Raises:
        UserInputError: The plan asks for GPUs that torch does not see here.
    """
    wanted = plan.execution.device
    if wanted == "cpu":
        return "cpu"
    n_gpus, n_processes = gpus_and_processes(plan)
    if n_gpus >= n_processes:
        return "cuda"
    if wanted == "cuda":
        sees = f"{n_gpus} GPU{'s' * (n_gpus != 1)}" if n_gpus else "no GPU"
        raise UserInputError(
            "execution.device",
            f"cuda for {n_processes} processes here, but torch sees {sees}",
            "Use cpu or auto, or a smaller layout (dp, tp, pp)",
        )
    return "cpu"


def gpus_and_processes(plan: Plan) -> tuple[int, int]:
    """Return the GPUs that torch sees on this machine, and the processes of a run that need one."""
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    # torchrun says how many of the run's processes are on this node.
    return n_gpus, int(os.environ.get("LOCAL_WORLD_SIZE", plan.execution.world_size))


def drive(
    rank: int,
    world_size: int,
    rendezvous: Path | None,
    plan: Plan,
    data: TrainingData,
    on_step: Callable[..., None],
    resume: Path | None = None,
    after: Callable[[Any], None] | None = None,
    guard: Guard | None = None,
    before: Callable[[Any], None] | None = None,
    take_steps: Callable[[Any], None] = lambda trainer: trainer.run(),
) -> None:
    """Build nanotron's trainer for this rank and let it take every step.

    Args:
        rank: This process.
        world_size: All processes.
        rendezvous: See `meeting.process_group`.
        plan: The resolved plan.
        data: Its batches.
        on_step: See `bridge.trainer.StepHook`.
        resume: Checkpoint to continue from; rank 0's counts.
        after: Called with the trainer after its last step.
        guard: Decides which updates are made; by default the plan's.
        before: Called with the trainer before its first step.
        take_steps: Called with the trainer to take the steps; by default all of the plan's.
    """
    # nanotron and torch are imported here, after the device is known, through the patches.
    from skald_trainer.bridge import patches

    allow_overlap(plan.execution)
    device = choose_device(plan)
    patches.apply(device)
    from skald_trainer.bridge.trainer import SkaldTrainer

    guard = Guard(plan.identity.guard) if guard is None else guard
    timeout = group_timeout(plan.execution.watchdog_seconds)
    patches.limit_collectives(timeout)
    with process_group(rank, world_size, device, rendezvous, timeout):
        start, resume = None, introduced(rank, world_size, plan, resume, rendezvous is None)
        if resume is not None:
            state = checkpoint.load_state(resume)
            guard.restore(state.n_skipped, state.recent_losses_nats)
            start = checkpoint.start_from(resume, plan)
            if start[0] >= plan.identity.schedule.n_steps.value:
                return
        try:
            trainer = SkaldTrainer(plan, data, on_step, start, guard)
            if before is not None:
                before(trainer)
            take_steps(trainer)
            if after is not None:
                after(trainer)
        finally:
            patches.forget_groups()
