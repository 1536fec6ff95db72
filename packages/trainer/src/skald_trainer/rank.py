"""One rank's part of a run: guard every step, log, validate, save, stop when told."""

from __future__ import annotations

import errno
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skald_process.stopping import CONTINUE
from skald_specs.checkpoint import PLAN_FILE, CheckpointState
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import InterruptedRunError
from skald_specs.files import disk_error, write_json
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.energy import meter_of_rank, over_all_ranks
from skald_trainer.folder import RunFolder
from skald_trainer.guard import DivergedError, Guard, explained, facts, skipped_row
from skald_trainer.launch import end_hung
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.run import choose_device, drive
from skald_trainer.runlog import RunLog
from skald_trainer.stopping import StopRequest
from skald_trainer.watchdog import Watchdog
from skald_trainer.writer import BackgroundWriter

if TYPE_CHECKING:
    from skald_trainer.bridge.trainer import SkaldTrainer

_SECONDS_BETWEEN_LOOKS = 0.1


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
        rendezvous: See `meeting.process_group`.
        plan_json: The plan, as JSON (it crosses a process border).
        corpus: Folder of the built corpus.
        root: The run folder.
        resume: Checkpoint to continue from, or None; rank 0's counts.

    Raises:
        InterruptedRunError: A signal came; the state is saved.
        DivergedError: A step was bad, see `guard`.
    """
    plan = Plan.model_validate_json(plan_json)
    run = _RankRun(rank, plan, corpus, RunFolder(root))
    with run.stop.listening(), run.watchdog.watching(), run.writer:
        try:
            drive(
                rank, world_size, rendezvous, plan, run.data, run.after_step, resume,
                guard=run.guard, before=run.before_first_step,
            )  # fmt: skip
        except DivergedError as error:
            raise run.explained(error, world_size, resume) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:  # the log may meet the full disk before the writer does
                raise disk_error(root, error) from error
            raise
        finally:
            run.close()


class _RankRun:
    """What a rank does around nanotron's steps, and what it needs for that."""

    def __init__(self, rank: int, plan: Plan, corpus: Path, folder: RunFolder) -> None:
        manifest = CorpusManifest.load(corpus / "corpus.json")
        self._rank, self._plan, self._corpus, self._folder = rank, plan, corpus, folder
        self._n_steps, self._run = plan.identity.schedule.n_steps.value, plan.execution
        self.data = TrainingData(plan, corpus, manifest)
        self._held_out = validation_sets(plan, corpus, manifest)
        self._device = choose_device(plan)
        self._meter = meter_of_rank(self._device, rank)
        self._log: RunLog | None = None
        self.stop = StopRequest()
        self.guard = Guard(plan.identity.guard)
        seconds, stacks = self._run.watchdog_seconds, folder.stacks(rank)
        self.watchdog = Watchdog(rank, seconds, stacks, end_hung)
        # A slow disk is no hang; one that never comes back meets the job's own time limit.
        self.writer = BackgroundWriter(lambda: self.watchdog.feed("writing a checkpoint"))

    def before_first_step(self, trainer: SkaldTrainer) -> None:
        """Leave before any work where a signal has come already."""
        if trainer.any_rank(bool(self.stop.signal_name)):
            raise InterruptedRunError(
                f"{self._plan.name}: stopped by {self.stop.signal_name or 'a signal'} before its first "
                f"step, nothing is lost; {CONTINUE}"
            )

    def after_step(
        self, trainer: SkaldTrainer, step: int, loss: float | None, seconds: float
    ) -> None:
        """Log, validate, save and stop, each when it is due; see `bridge.trainer.StepHook`."""
        self.writer.check()
        if trainer.is_logger and loss is not None:
            self._log_step(trainer, step, loss, seconds)
        if step % self._run.validate_every_steps == 0 or step == self._n_steps:
            self._validate(trainer, step)
        self._meter.look()
        stopping = trainer.any_rank(bool(self.stop.signal_name))
        if step % self._run.checkpoint_every_steps == 0 or step == self._n_steps or stopping:
            self._save(trainer, step)
        if stopping and step < self._n_steps:
            # All ranks wait for the one that writes: the first to end has the others killed.
            self._wait_for_writer(trainer)
            raise InterruptedRunError(
                f"{self._plan.name}: stopped by {self.stop.signal_name or 'a signal'} after step "
                f"{step} of {self._n_steps}, state saved; {CONTINUE}"
            )
        self.watchdog.feed(f"step {step + 1}")

    def explained(
        self, error: DivergedError, world_size: int, resume: Path | None
    ) -> DivergedError:
        """Say what was bad about the step that ends the run, and where it can go on."""
        bad = self.guard.bad
        assert bad is not None, "only the guard raises it"
        windows = self.data.windows(bad.step)
        if self._rank == 0:
            write_json(self._folder.bad_step, facts(bad, windows))
        self.writer.wait()
        if world_size > 1:
            import torch

            # Every rank names the same checkpoint: the one that rank 0 was still writing.
            torch.distributed.barrier()
        last = checkpoint.latest(self._folder.checkpoints, self._plan) or resume
        command = _continuing(last, self._corpus, self._folder.root)
        return explained(error, bad, windows, self._folder.bad_step, last, command)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _wait_for_writer(self, trainer: SkaldTrainer) -> None:
        """Wait on all ranks for rank 0's write, and have no watchdog take that for a hang."""
        while trainer.any_rank(self.writer.busy):
            self.watchdog.feed("waiting for a checkpoint that is being written")
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self.writer.wait()

    def _log_step(self, trainer: SkaldTrainer, step: int, loss: float, seconds: float) -> None:
        if self._log is None:
            self._log = RunLog(self._folder.metrics, self._plan, step - 1, self._device)
        if self.guard.bad is None:
            row = _step_row(self._plan, trainer, step, loss)
        else:
            row = skipped_row(self.guard.bad, self.data.windows(step))
        self._log.step(step, row, loss, seconds)

    def _validate(self, trainer: SkaldTrainer, step: int) -> None:
        bits: dict[str, float] = {}
        for held_out in self._held_out:

            def chunk_done(
                doing: str = f"validation in {held_out.language} after step {step}",
            ) -> None:
                self.watchdog.feed(doing)

            measured = trainer.validate([held_out], chunk_done)
            bits |= {tag: value for tag, (value, _) in measured.items()}
        # A corpus may have no validation text at all.
        if self._log is not None and bits:
            self._log.validation(step, bits)

    def _save(self, trainer: SkaldTrainer, step: int) -> None:
        self.watchdog.feed(f"saving step {step}")
        # Before the gather: two full copies at a time are more than a rank may hold.
        self._wait_for_writer(trainer)
        if self._log is not None:
            # Before the checkpoint can be whole: it is worth nothing without the log up to it.
            self._log.sync()
        weights, moments = trainer.full_weights(), trainer.full_moments()
        if self._rank == 0:
            state = CheckpointState(
                step=step,
                tokens_seen=step * self._plan.identity.global_batch_tokens.value,
                samples_seen=step * self._plan.batch_sequences,
                **self.guard.memory(),
            )

            def write() -> None:
                path = checkpoint.path_of(self._folder.checkpoints, step)
                checkpoint.save(path, self._plan, state, weights, moments)
                checkpoint.prune(
                    self._folder.checkpoints, step, self._run.keep_last, self._run.keep_every_steps
                )

            self.writer.start(write)
        joules = over_all_ranks(self._meter.taken(), trainer.sum_over_ranks)
        if self._log is not None:
            self._log.energy(step, joules)


def _continuing(last: Path | None, corpus: Path, root: Path) -> str:
    """Return the command that continues from a checkpoint; each holds its plan."""
    paths = {
        "train": last and last / PLAN_FILE,
        "--corpus": corpus,
        "--out": root.parent,
        "--resume": last,
    }
    return shlex.join(["skald", *(str(word) for pair in paths.items() for word in pair)])


def _step_row(plan: Plan, trainer: SkaldTrainer, step: int, loss: float) -> dict[str, Any]:
    measured = {"statistics": trainer.statistics} if trainer.statistics else {}
    return {
        "loss_nats": loss,
        "lr": plan.identity.optimizer.base_lr.value * plan.identity.schedule.factor(step),
        "grad_norm": trainer.grad_norm,
        **measured,
    }
