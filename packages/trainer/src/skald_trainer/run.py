"""One rank's part of a run: drive nanotron's trainer, log, validate, save, stop when told."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from skald_specs.checkpoint import CheckpointState
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import ClaimError, InterruptedRunError, UserInputError
from skald_specs.files import disk_error
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.energy import meter_of_rank, over_all_ranks
from skald_trainer.launch import StopRequest, allow_overlap, process_group
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.runlog import RunLog
from skald_trainer.writer import BackgroundWriter

if TYPE_CHECKING:
    from skald_trainer.bridge.trainer import SkaldTrainer

#: Bits per byte and its standard error, by language.
Validation = dict[str, tuple[float, float]]


class DivergedError(ClaimError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class RunFolder:
    """Where one run's files lie."""

    root: Path

    @property
    def metrics(self) -> Path:
        """Every step with its speed; not hashed."""
        return self.root / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints to continue from."""
        return self.root / "checkpoints"

    @property
    def final(self) -> Path:
        """The finished run, deterministic: what the next station reads."""
        return self.root / "final"

    @property
    def origin(self) -> Path:
        """What the folder's content was made from."""
        return self.root / "origin.json"


def choose_device(plan: Plan) -> Literal["cpu", "cuda"]:
    """Resolve `auto`, and refuse a GPU that is not there."""
    import torch

    wanted = plan.execution.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserInputError(
            "execution.device", "cuda, but torch sees no GPU here", "Use cpu or auto"
        )
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def train_rank(
    rank: int,
    world_size: int,
    rendezvous: Path | None,
    plan_json: str,
    corpus: Path,
    root: Path,
    resume: Path | None,
) -> None:
    """Train one rank to the plan's end, saving into the run folder.

    Args:
        rank: This process.
        world_size: All processes.
        rendezvous: See `launch.process_group`.
        plan_json: The plan, as JSON (it crosses a process border).
        corpus: Folder of the built corpus.
        root: The run folder.
        resume: Checkpoint to continue from, or None; rank 0's counts.

    Raises:
        InterruptedRunError: A signal came; the state is saved.
        DivergedError: The loss stopped being finite.
    """
    plan, folder = Plan.model_validate_json(plan_json), RunFolder(root)
    manifest = CorpusManifest.load(corpus / "corpus.json")
    data, held_out = TrainingData(plan, corpus, manifest), validation_sets(plan, corpus, manifest)
    stop, n_steps, run = StopRequest(), plan.identity.schedule.n_steps.value, plan.execution
    log: RunLog | None = None
    meter = meter_of_rank(choose_device(plan), rank)
    writer = BackgroundWriter()

    def save(trainer: SkaldTrainer, step: int) -> None:
        # Before the gather: two full copies at a time are more than a rank may hold.
        writer.wait()
        weights, moments = trainer.full_weights(), trainer.full_moments()
        if rank == 0:
            state = CheckpointState(
                step=step,
                tokens_seen=step * plan.identity.global_batch_tokens.value,
                samples_seen=step * plan.batch_sequences,
            )

            def write() -> None:
                path = checkpoint.path_of(folder.checkpoints, step)
                checkpoint.save(path, plan, state, weights, moments)
                checkpoint.prune(folder.checkpoints, step, run.keep_last, run.keep_every_steps)

            writer.start(write)

    def on_step(trainer: SkaldTrainer, step: int, loss: float | None, seconds: float) -> None:
        nonlocal log
        writer.check()
        if trainer.is_logger and log is None:
            log = RunLog(folder.metrics, plan, step - 1, choose_device(plan))
        if log is not None and loss is not None:
            log.step(step, _step_row(plan, trainer, step, loss), loss, seconds)
        if trainer.any_rank(loss is not None and not math.isfinite(loss)):
            raise DivergedError(
                f"{plan.name}: the loss is not finite at step {step}; lower base_lr or raise eps, "
                "and run again"
            )
        if step % run.validate_every_steps == 0 or step == n_steps:
            bits = {tag: value for tag, (value, _) in trainer.validate(held_out).items()}
            if log is not None:
                log.validation(step, bits)
        meter.look()
        stopping = trainer.any_rank(bool(stop.signal_name))
        if step % run.checkpoint_every_steps == 0 or step == n_steps or stopping:
            save(trainer, step)
            joules = over_all_ranks(meter.taken(), trainer.sum_over_ranks)
            if log is not None:
                log.energy(step, joules)
        if stopping and step < n_steps:
            # All ranks wait for the one that writes: the first to end has the others killed.
            writer.wait()
            trainer.any_rank(False)
            raise InterruptedRunError(
                f"{plan.name}: stopped by {stop.signal_name or 'a signal'} after step {step} of "
                f"{n_steps}, state saved; run the same command again to continue"
            )

    with stop.listening(), writer:
        try:
            drive(rank, world_size, rendezvous, plan, data, on_step, resume)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # the log may meet the full disk before the writer does
                raise disk_error(root, error) from error
            raise
        finally:
            if log is not None:
                log.close()


def drive(
    rank: int,
    world_size: int,
    rendezvous: Path | None,
    plan: Plan,
    data: TrainingData,
    on_step: Callable[..., None],
    resume: Path | None = None,
    after: Callable[[Any], None] | None = None,
) -> None:
    """Build nanotron's trainer for this rank and let it take every step.

    Args:
        rank: This process.
        world_size: All processes.
        rendezvous: See `launch.process_group`.
        plan: The resolved plan.
        data: Its batches.
        on_step: See `bridge.trainer.StepHook`.
        resume: Checkpoint to continue from; rank 0's counts.
        after: Called with the trainer after its last step.
    """
    # nanotron and torch are imported here, after the device is known, through the patches.
    from skald_trainer.bridge import patches

    allow_overlap(plan.execution)
    device = choose_device(plan)
    patches.apply(device)
    from skald_trainer.bridge.trainer import SkaldTrainer

    with process_group(rank, world_size, device, rendezvous):
        start, resume = None, _agreed(resume, world_size)
        if resume is not None:
            start = checkpoint.start_from(resume, plan)
            if start[0] >= plan.identity.schedule.n_steps.value:
                return
        try:
            trainer = SkaldTrainer(plan, data, on_step, start)
            trainer.run()
            if after is not None:
                after(trainer)
        finally:
            patches.forget_groups()


def _agreed(resume: Path | None, world_size: int) -> Path | None:
    """Return rank 0's checkpoint on every rank: under torchrun only that one has looked."""
    if world_size == 1:
        return resume
    import torch

    chosen = [None if resume is None else str(resume)]
    torch.distributed.broadcast_object_list(chosen, src=0)
    return None if chosen[0] is None else Path(chosen[0])


def _step_row(plan: Plan, trainer: SkaldTrainer, step: int, loss: float) -> dict[str, Any]:
    measured = {"statistics": trainer.statistics} if trainer.statistics else {}
    return {
        "loss_nats": loss,
        "lr": plan.identity.optimizer.base_lr.value * plan.identity.schedule.factor(step),
        "grad_norm": trainer.grad_norm,
        **measured,
    }
