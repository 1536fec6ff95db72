"""nanotron's DistributedTrainer with Skald's weights, parameter groups, schedule, log and saves."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from nanotron.parallel.pipeline_parallel.tensor_pointer import TensorPointer
from nanotron.trainer import DistributedTrainer
from skald_mup.init import initial_tensor
from skald_mup.names import tensor_kind
from skald_mup.tensorfile import Source
from skald_specs.checkpoint import MOMENTS
from skald_specs.plan import Plan, PlannedSchedule
from torch.optim.lr_scheduler import LambdaLR

from skald_trainer.bridge import statistics
from skald_trainer.bridge.config import nanotron_config
from skald_trainer.bridge.model import DecoderConfig, NanotronDecoder
from skald_trainer.bridge.patches import quiet_nanotron
from skald_trainer.bridge.tensors import (
    canonical_name,
    full_tensors,
    set_state,
    set_weights,
)
from skald_trainer.bridge.updates import guard_updates
from skald_trainer.guard import Guard
from skald_trainer.loader import IGNORED, TrainingData, ValidationSet, first_positions

#: Called after every step on every rank: (trainer, step, loss in nats or None, seconds).
StepHook = Callable[["SkaldTrainer", int, float | None, float], None]


class SkaldTrainer(DistributedTrainer):
    """One run. nanotron takes every step; this class decides what it steps on and with.

    Args:
        plan: The resolved plan.
        data: The run's batches.
        on_step: Called after each step on every rank.
        start: Step to continue from, full weights and moments by name; step 0 is a start checkpoint. None:
            a fresh run.
        guard: Decides which updates are made; by default the plan's, with nothing behind it.
    """

    def __init__(
        self,
        plan: Plan,
        data: TrainingData,
        on_step: StepHook,
        start: tuple[int, Source, Source] | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.plan, self.data, self.on_step, self.start = plan, data, on_step, start
        self.guard = Guard(plan.identity.guard) if guard is None else guard
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "nanotron.yaml"
            path.write_text(yaml.safe_dump(nanotron_config(plan, Path(scratch))), encoding="utf-8")
            super().__init__(
                str(path), model_config_class=DecoderConfig, model_class=NanotronDecoder
            )

    def pre_init(self) -> None:
        """Let CPU runs use the threads the plan gives each process."""
        torch.set_num_threads(self.plan.execution.threads_per_process)

    def _load_model_checkpoint(self, model: Any) -> Any:
        """Set weights by name: from the checkpoint, or from the plan's seed."""
        self.init_checkpoint_path = None
        identity = self.plan.identity
        source = self.start[1] if self.start else lambda name: initial_tensor(identity, name)
        set_weights(getattr(model, "module", model), source)
        return model

    def setup_log_writers(self) -> None:
        """Write no nanotron log: the step hook does."""

    def post_init(self) -> None:
        """Split the one optimizer group by rule, put the plan's schedule on it, restore state."""
        base = self.optimizer.get_base_optimizer()
        base.param_groups[:] = self._groups(base.param_groups[0])
        first = self.start[0] if self.start else 0
        self.start_iteration_step = self.iteration_step = first
        self.consumed_train_samples = first * self.global_batch_size
        if self.start is not None:
            set_state(self, self.start[1], self.start[2], first - self.guard.n_skipped)
        self._follow(self.plan.identity.schedule)
        guard_updates(self, self.guard.admits)
        self.unwrapped_model.remember_names()
        quiet_nanotron()

    def _groups(self, single: dict[str, Any]) -> list[dict[str, Any]]:
        groups: dict[tuple[float, float, float], list[Any]] = {}
        for param in single["params"]:
            kind = tensor_kind(canonical_name(self.optimizer.id_to_name[id(param)]))
            rule = self.plan.identity.rules[kind]
            groups.setdefault((rule.lr, rule.eps, rule.weight_decay), []).append(param)
        common = {k: v for k, v in single.items() if k != "params"}
        return [
            {**common, "params": params, "lr": lr, "initial_lr": lr, "eps": eps, "weight_decay": wd}
            for (lr, eps, wd), params in sorted(groups.items(), key=lambda item: item[0])
        ]

    def pre_training(self, *args: Any, **kwargs: Any) -> None:
        """Start no wandb run, which nanotron does whenever wandb is installed."""

    def run(self) -> None:
        """Train to the last step."""
        self._clock = time.perf_counter()
        self.train(self._batches())

    def run_part(self, first: int, last: int, schedule: PlannedSchedule) -> None:
        """Train the steps after `first` up to `last`, whatever the plan's own last step is.

        Args:
            first: Steps that the weights have seen.
            last: The last step to take.
            schedule: Learning-rate factors of these steps.
        """
        self.start_iteration_step = self.iteration_step = first
        self.consumed_train_samples = first * self.global_batch_size
        self.config.tokens.train_steps = last
        self._follow(schedule)
        self.run()

    def _follow(self, schedule: PlannedSchedule) -> None:
        """Put a schedule on the optimizer, from the step that comes next."""
        # LambdaLR counts from 0 where it is made; the plan counts steps from 1.
        following = self.start_iteration_step + 1
        self.lr_scheduler = LambdaLR(
            self.optimizer.get_base_optimizer(), lambda taken: schedule.factor(following + taken)
        )

    def _batches(self) -> Iterator[dict[str, Any]]:
        """Yield this rank's micro-batches, endlessly; nanotron takes as many as it needs."""
        context, count = self.parallel_context, self.plan.execution.micro_batch_sequences
        dp, dp_rank = context.dp_pg.size(), torch.distributed.get_rank(context.dp_pg)
        step = self.start_iteration_step
        while True:
            step += 1
            for first in first_positions(self.plan.batch_sequences, dp, dp_rank, count):
                yield self._placed(*self.data.micro_batch(step, first, count))

    def _placed(self, inputs: Any, labels: Any) -> dict[str, Any]:
        """Put inputs on every pipeline rank and labels on the last, pointers elsewhere."""
        rank, model = torch.distributed.get_rank(self.parallel_context.pp_pg), self.unwrapped_model
        device = next(model.parameters()).device

        def put(array: Any) -> torch.Tensor:
            return torch.from_numpy(array.copy()).to(device)

        last = model.output_pp_rank
        labels_BT = put(labels) if rank == last else TensorPointer(group_rank=last)
        return {"ids_BT": put(inputs), "labels_BT": labels_BT}

    def training_step(self, dataloader: Iterator[dict[str, Any]]) -> Any:
        """Take a step, and measure it where the plan says so."""
        self.statistics: statistics.Statistics = {}
        if not statistics.due(self):
            return super().training_step(dataloader)
        with statistics.measured(self) as self.statistics:
            return super().training_step(dataloader)

    def train_step_logs(self, outputs: Any, loss_avg: torch.Tensor | None) -> None:
        """Hand the step to the hook instead of nanotron's log."""
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        loss = None if loss_avg is None else float(loss_avg)
        self.on_step(self, self.iteration_step, loss, seconds)
        self._clock += time.perf_counter() - now

    @property
    def is_logger(self) -> bool:
        """Whether this rank sees the loss and writes the log."""
        return torch.distributed.get_rank(self.parallel_context.world_pg) in self.logger_ranks

    @property
    def grad_norm(self) -> float:
        """Global gradient norm of the last step, before clipping."""
        return float(self.grad_norm_unclipped)

    def any_rank(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank (a collective: call it on all)."""
        return self.sum_over_ranks([float(flag)])[0] > 0

    def sum_over_ranks(self, values: list[float]) -> list[float]:
        """Add up numbers over all ranks (a collective: call it on all)."""
        if self.parallel_context.world_pg.size() == 1:
            return values
        device = next(self.unwrapped_model.parameters()).device
        total = torch.tensor(values, dtype=torch.float64, device=device)
        torch.distributed.all_reduce(total, group=self.parallel_context.world_pg)
        return [float(value) for value in total]

    @torch.no_grad()
    def validate(
        self, sets: list[ValidationSet], chunk_done: Callable[[], None] = lambda: None
    ) -> dict[str, tuple[float, float]]:
        """Measure bits per byte on held-out text; data-parallel ranks share the windows.

        Args:
            sets: The validation text of each language.
            chunk_done: Called after each forward pass of this rank, and where it has none to make.

        Returns:
            For each language bits per byte and its standard error over windows, on every rank.

        Source: bits per byte = sum of nats / (ln 2 x bytes); the error treats windows as
            independent, which neighbouring windows of one document are not quite.
        """
        context, result = self.parallel_context, {}
        dp, dp_rank = context.dp_pg.size(), torch.distributed.get_rank(context.dp_pg)
        tp_rank = torch.distributed.get_rank(context.tp_pg)
        chunk = self.plan.execution.micro_batch_sequences
        for held_out in sets:
            nats = [0.0] * len(held_out.inputs)
            for i, start in enumerate(range(0, len(nats), chunk)):
                chunk_done()
                if i % dp != dp_rank:
                    continue
                labels = held_out.labels[start : start + chunk]
                batch = self._placed(held_out.inputs[start : start + chunk], labels)
                loss = self.unwrapped_model(**batch)["loss"]
                if isinstance(loss, torch.Tensor) and tp_rank == 0:
                    taken = int((labels != IGNORED).sum())
                    nats[start] = float(loss) * taken
            total = self.sum_over_ranks(nats)
            per_chunk = [total[start] for start in range(0, len(nats), chunk)]
            bits, n_bytes = sum(per_chunk) / math.log(2), held_out.n_bytes
            n, mean = len(per_chunk), bits / len(per_chunk)
            spread = sum((x / math.log(2) - mean) ** 2 for x in per_chunk) / max(1, n - 1)
            result[held_out.language] = (bits / n_bytes, math.sqrt(spread * n) / n_bytes)
        return result

    def full_weights(self) -> dict[str, torch.Tensor]:
        """Gather all weights on rank 0, whole and in fp32 (a collective)."""
        return dict(full_tensors(self, self.plan.identity.model, "weights"))

    def full_moments(self) -> dict[str, torch.Tensor]:
        """Gather Adam's moments on rank 0, whole (a collective)."""
        return {
            f"{what}.{name}": tensor
            for what in MOMENTS
            for name, tensor in full_tensors(self, self.plan.identity.model, what)
        }
