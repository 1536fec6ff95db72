"""Where the files of one run lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from skald_process.locks import LockedError


@dataclass(frozen=True)
class RunFolder:
    """Where one run's files lie."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the training that writes here."""
        return self.root / ".lock"

    @property
    def refusal(self) -> LockedError:
        """What a second training is told."""
        return LockedError(
            str(self.root),
            "another training writes there",
            "Run the same command again when it has ended",
        )

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

    def told_of_the_end(self) -> list[Path]:
        """What the last start may have said of its end."""
        return [self.bad_step, *self.root.glob("watchdog.rank*.txt")]

    def half_written(self) -> list[Path]:
        """Files and folders that killed writes left under temporary names."""
        names = (f".{self.metrics.name}.*", f".{self.origin.name}.*", f".{self.final.name}.*")
        files = (path for name in names for path in self.root.glob(name))
        return [*files, *self.checkpoints.glob(".step_*")]
