"""Faults planted in a run of the trainer: losses that are wrong, ranks that sleep, raise or die."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

# The proof of faults plants the same ones.
from _faults_plants import before_steps, lose, losses_multiplied
from skald_trainer.rank import train_rank

__all__ = ["Fault", "before_steps", "losses_multiplied", "planted", "train_with_fault"]


class Fault(NamedTuple):
    """What goes wrong, on which rank, at which step; `struck` gets the process's number then."""

    what: str = ""
    struck: Path = Path("struck")
    rank: int = 1
    step: int = 4
    factors: dict[int, float] = {}  # noqa: RUF012 - a NamedTuple's defaults are never changed


def train_with_fault(
    rank: int,
    world_size: int,
    rendezvous: Path | None,
    jobs: list[tuple[str, Path, Fault]],
    corpus: Path,
) -> None:
    """Train plans one after another, each with its fault."""
    for number, (plan_json, root, fault) in enumerate(jobs):
        meeting = rendezvous and rendezvous.with_name(f"{rendezvous.name}-{number}")
        with planted(fault, rank):
            train_rank(rank, world_size, meeting, plan_json, corpus, root, None)


@contextmanager
def planted(fault: Fault, rank: int) -> Iterator[None]:
    """Have a fault strike while this rank trains."""

    def act(step: int) -> None:
        if rank == fault.rank and step == fault.step and fault.what:
            lose(fault.what, fault.struck)

    wrong = losses_multiplied(fault.factors, fault.rank) if fault.factors else nullcontext()
    with wrong, before_steps(act):
        yield
