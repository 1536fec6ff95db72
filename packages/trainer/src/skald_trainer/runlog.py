"""What a run tells while it goes: metrics.jsonl, TensorBoard behind an option, one live line.

`metrics.jsonl` carries speed and is never hashed; `curve_rows` keeps what is deterministic.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skald_specs.files import write_jsonl

_TIMING_KEYS = ("tokens_per_second",)
_SECONDS_BETWEEN_LINES = 10.0


class RunLog:
    """Appends metrics and shows progress; one process of a run owns it.

    Args:
        path: The metrics.jsonl to append to; rows after `start_step` are dropped first.
        start_step: Step the run continues from, 0 for a fresh one.
        n_steps: Steps in the whole run.
        label: Name shown in the progress line; empty for silence.
        tensorboard: Folder for TensorBoard event files, or None.
    """

    def __init__(
        self, path: Path, start_step: int, n_steps: int, label: str, tensorboard: Path | None
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [row for row in _rows(path) if row["step"] <= start_step]
        write_jsonl(path, kept)
        self._out = path.open("a", encoding="utf-8")
        self._writer = _tensorboard_writer(tensorboard) if tensorboard is not None else None
        self._start_step, self._n_steps, self._label = start_step, n_steps, label
        self._started = self._shown = time.monotonic()

    def write(self, row: dict[str, Any]) -> None:
        """Append one row; it has a `step`."""
        self._out.write(json.dumps(row, sort_keys=True) + "\n")
        self._out.flush()
        if self._writer is not None:
            for key, value in sorted(_flat(row).items()):
                self._writer.add_scalar(key, value, row["step"])

    def progress(self, step: int, loss_nats: float, tokens_per_second: float) -> None:
        """Show the live line: in place on a terminal, now and then elsewhere."""
        now, last = time.monotonic(), step == self._n_steps
        live = sys.stdout.isatty()
        if not self._label or (
            now - self._shown < (0.2 if live else _SECONDS_BETWEEN_LINES) and not last
        ):
            return
        self._shown = now
        eta = (now - self._started) / max(1, step - self._start_step) * (self._n_steps - step)
        line = (
            f"{self._label}: step {step}/{self._n_steps}  loss {loss_nats:.3f} nats  "
            f"{tokens_per_second:,.0f} tokens/s  {eta:.0f} s left"
        )
        print(f"\r\x1b[K{line}" if live else line, end="\n" if last or not live else "", flush=True)

    def close(self) -> None:
        """Flush and close."""
        self._out.close()
        if self._writer is not None:
            self._writer.close()


def _tensorboard_writer(folder: Path) -> Any:
    # Imported here: TensorBoard is an option, and costs a second.
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder)


def _flat(row: dict[str, Any]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}/{name}": item for name, item in _flat(value).items()}
        elif key != "step" and isinstance(value, int | float):
            flat[key] = value
    return flat


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a metrics file; a last line cut by a kill is left out."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def curve_rows(metrics: Path) -> list[dict[str, Any]]:
    """Return the rows of metrics.jsonl without what depends on the machine's speed."""
    return [{k: v for k, v in row.items() if k not in _TIMING_KEYS} for row in _rows(metrics)]
