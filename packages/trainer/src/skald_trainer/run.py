"""One rank's part of a run: drive nanotron's trainer, log, validate, save, stop when told."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from skald_specs.checkpoint import MODEL_FILE, OPTIMIZER_FILE, PLAN_FILE, CheckpointState
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import InterruptedRunError, UserInputError
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.guard import (
    REPORT_FILE,
    DivergedError,
    Guard,
    explained,
    skipped_row,
    write_report,
)
from skald_trainer.launch import StopRequest, end_hung, process_group
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.runlog import RunLog
from skald_trainer.watchdog import Watchdog, group_timeout

if TYPE_CHECKING:
    from skald_trainer.bridge.trainer import SkaldTrainer

#: Bits per byte and its standard error, by language.
Validation = dict[str, tuple[float, float]]


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

    @property
    def bad_step(self) -> Path:
        """The step that ended the run, with all that it read."""
        return self.root / REPORT_FILE

    def stacks(self, rank: int) -> Path:
        """What a rank's threads were doing when it stood still for too long."""
        return self.root / f"watchdog.rank{rank}.txt"


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
        DivergedError: A step was bad and the recipe stops there; no weight has changed.
    """
    plan, folder = Plan.model_validate_json(plan_json), RunFolder(root)
    manifest = CorpusManifest.load(corpus / "corpus.json")
    data, held_out = TrainingData(plan, corpus, manifest), validation_sets(plan, corpus, manifest)
    stop, n_steps, run = StopRequest(), plan.identity.schedule.n_steps.value, plan.execution
    log: RunLog | None = None
    guard = Guard(plan.identity.guard)
    watchdog = Watchdog(rank, run.watchdog_seconds, folder.stacks(rank), end_hung)

    def save(trainer: SkaldTrainer, step: int) -> None:
        weights, moments = trainer.full_weights(), trainer.full_moments()
        if rank == 0:
            tokens_seen = step * plan.identity.global_batch_tokens.value
            checkpoint.save(
                checkpoint.path_of(folder.checkpoints, step),
                plan,
                CheckpointState(step=step, tokens_seen=tokens_seen, **guard.memory()),
                weights,
                moments,
            )
            checkpoint.prune(folder.checkpoints, run.keep_last)

    def before(trainer: SkaldTrainer) -> None:
        if trainer.any_rank(bool(stop.signal_name)):
            raise InterruptedRunError(
                f"{plan.name}: stopped by {stop.signal_name or 'a signal'} before its first step, "
                "nothing is lost; run the same command again to continue"
            )

    def on_step(trainer: SkaldTrainer, step: int, loss: float | None, seconds: float) -> None:
        nonlocal log
        if trainer.is_logger and log is None:
            board = root / "tensorboard" if run.tensorboard else None
            log = RunLog(folder.metrics, step - 1, n_steps, plan.name, board)
        if log is not None and loss is not None:
            if guard.bad is None:
                log.write(_step_row(plan, trainer, step, loss, seconds))
            else:
                tokens_seen = step * plan.identity.global_batch_tokens.value
                log.write(skipped_row(guard.bad, data.samples(step), tokens_seen))
            log.progress(step, loss, plan.identity.global_batch_tokens.value / seconds)
        if step % run.validate_every_steps == 0 or step == n_steps:
            bits: dict[str, float] = {}
            for one in held_out:
                watchdog.feed(f"validation in {one.language} after step {step}")
                bits |= {tag: value for tag, (value, _) in trainer.validate([one]).items()}
            if log is not None:
                log.write(
                    {
                        "step": step,
                        "tokens_seen": step * plan.identity.global_batch_tokens.value,
                        "bits_per_byte": bits,
                    }
                )
        stopping = trainer.any_rank(bool(stop.signal_name))
        if step % run.checkpoint_every_steps == 0 or step == n_steps or stopping:
            watchdog.feed(f"saving step {step}")
            save(trainer, step)
        if stopping and step < n_steps:
            raise InterruptedRunError(
                f"{plan.name}: stopped by {stop.signal_name or 'a signal'} after step {step} of "
                f"{n_steps}, state saved; run the same command again to continue"
            )
        watchdog.feed(f"step {step + 1}")

    with stop.listening(), watchdog.watching():
        try:
            drive(
                rank, world_size, rendezvous, plan, data, on_step, resume, guard=guard, before=before
            )  # fmt: skip
        except DivergedError as error:
            assert guard.bad is not None, "only the guard raises it"
            samples = data.samples(guard.bad.step)
            if rank == 0:
                write_report(folder.bad_step, guard.bad, samples)
            last = checkpoint.latest(folder.checkpoints, plan) or resume
            raise explained(
                error, guard.bad, samples, folder.bad_step, last, _continuing(last, corpus, root)
            ) from None
        finally:
            if log is not None:
                log.close()


def _continuing(last: Path | None, corpus: Path, root: Path) -> str:
    """Return the command that continues from a checkpoint; each holds its plan."""
    paths = {
        "train": last and last / PLAN_FILE,
        "--corpus": corpus,
        "--out": root.parent,
        "--resume": last,
    }
    return shlex.join(["skald", *(str(word) for pair in paths.items() for word in pair)])


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
        guard: Decides which updates are made; by default the plan's.
        before: Called with the trainer before its first step.
    """
    # nanotron and torch are imported here, after the device is known, through the patches.
    from skald_trainer.bridge import patches

    device = choose_device(plan)
    patches.apply(device)
    from skald_trainer.bridge.trainer import SkaldTrainer

    guard = Guard(plan.identity.guard) if guard is None else guard
    timeout = group_timeout(plan.execution.watchdog_seconds)
    patches.limit_collectives(timeout)
    with process_group(rank, world_size, device, rendezvous, timeout):
        start, resume = None, _agreed(resume, world_size)
        if resume is not None:
            state = checkpoint.load_state(resume)
            guard.restore(state.n_skipped, state.recent_losses)
            start = (
                state.step,
                checkpoint.TensorFile(resume / MODEL_FILE),
                checkpoint.TensorFile(resume / OPTIMIZER_FILE),
            )
            if start[0] >= plan.identity.schedule.n_steps.value:
                return
        try:
            trainer = SkaldTrainer(plan, data, on_step, start, guard)
            if before is not None:
                before(trainer)
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


def _step_row(
    plan: Plan, trainer: SkaldTrainer, step: int, loss: float, seconds: float
) -> dict[str, Any]:
    optimizer, batch_tokens = plan.identity.optimizer, plan.identity.global_batch_tokens.value
    return {
        "step": step,
        "tokens_seen": step * batch_tokens,
        "loss_nats": loss,
        "lr": optimizer.base_lr.value * plan.identity.schedule.factor(step),
        "grad_norm": trainer.grad_norm,
        "tokens_per_second": round(batch_tokens / seconds, 1),
    }
