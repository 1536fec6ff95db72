"""What a run tells while it goes: metrics.jsonl, the line a person sees, and what the plan adds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skald_process.screens import screen_for
from skald_specs.plan import Plan

from skald_trainer.metrics import MetricsFile, Row, energy_joules
from skald_trainer.progress import Progress
from skald_trainer.sinks import open_sinks
from skald_trainer.utilisation import peak_flops_per_second, utilisation


class RunLog:
    """Takes what happens in a run and passes it on; one process of the run owns it.

    Args:
        metrics: metrics.jsonl in the run folder.
        plan: The run's plan.
        start_step: Step the run continues from, 0 for a fresh one.
        device: Where this process computes.
    """

    def __init__(
        self, metrics: Path, plan: Plan, start_step: int, device: Literal["cpu", "cuda"]
    ) -> None:
        self._plan, self._path = plan, metrics
        self._peak = peak_flops_per_second(plan, device)
        self._metrics = MetricsFile(metrics, start_step)
        self._sinks = open_sinks(plan, metrics.parent, start_step)
        self._energy_since = start_step
        n_steps = plan.identity.schedule.n_steps.value
        self._batch_tokens = plan.identity.global_batch_tokens.value
        self._progress = Progress(
            n_steps,
            self._batch_tokens,
            screen_for(plan.name, n_steps),
            lambda speed: utilisation(plan, speed, self._peak),
        )

    def step(self, step: int, row: Row, loss_nats: float, seconds: float) -> None:
        """Log a step.

        Args:
            step: Its number.
            row: What follows from the plan, see `metrics`.
            loss_nats: The loss to show.
            seconds: What it took, without validation and saving.
        """
        speed = self._batch_tokens / seconds
        mfu = utilisation(self._plan, speed, self._peak)
        timing = {"tokens_per_second": round(speed, 1)}
        self._write(step, row | timing | ({} if mfu is None else {"mfu": round(mfu, 4)}))
        self._progress.step(step, loss_nats, seconds)

    def validation(self, step: int, bits_per_byte: dict[str, float]) -> None:
        """Log a validation.

        Args:
            step: After which it was.
            bits_per_byte: By language.
        """
        self._write(step, {"bits_per_byte": bits_per_byte})
        self._progress.validation(step, bits_per_byte)

    def energy(self, step: int, joules: dict[str, float]) -> None:
        """Log what was consumed since the last save.

        Args:
            step: Which is saved.
            joules: By source; empty where nothing can be read, and then no row is written.
        """
        if joules:
            self._write(step, {"energy_joules": joules, "energy_since_step": self._energy_since})
        self._energy_since = step

    def sync(self) -> None:
        """Have what was logged survive a loss of power."""
        self._metrics.sync()

    def _write(self, step: int, row: Row) -> None:
        row = {"step": step, "tokens_seen": step * self._batch_tokens, **row}
        self._metrics.write(row)
        for sink in self._sinks:
            sink.write(row)

    def close(self) -> None:
        """Flush and close everything, and show how the run ended."""
        self._metrics.close()
        joules = energy_joules(self._path)
        self._progress.close(sum(joules.values()) if joules else None)
        for sink in self._sinks:
            sink.close()
