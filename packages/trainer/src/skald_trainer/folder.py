"""Where the files of one run lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
        return self.root / "bad_step.json"

    def stacks(self, rank: int) -> Path:
        """What a rank's threads were doing when it stood still for too long."""
        return self.root / f"watchdog.rank{rank}.txt"
