"""Faults planted in a run of the trainer: losses that are wrong, ranks that sleep, raise or die."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from skald_trainer.bridge import patches
from skald_trainer.rank import train_rank


@contextmanager
def losses_multiplied(factors: dict[int, float], rank: int | None = None) -> Iterator[None]:
    """Multiply the loss of given steps, with its gradients; on one rank or on all."""
    patches.apply("cpu")
    from skald_trainer.bridge.model import NanotronDecoder

    now, forward = [1.0], NanotronDecoder.forward

    def set_factor(step: int) -> None:
        here = rank is None or rank == torch.distributed.get_rank()
        now[0] = factors.get(step, 1.0) if here else 1.0

    def multiplied(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = forward(self, *args, **kwargs)
        if now[0] != 1.0 and isinstance(output["loss"], torch.Tensor):
            output = {**output, "loss": output["loss"] * now[0]}
        return output

    with before_steps(set_factor), patch.object(NanotronDecoder, "forward", multiplied):
        yield


@contextmanager
def before_steps(act: Callable[[int], None]) -> Iterator[None]:
    """Call something with the number of each step before it."""
    patches.apply("cpu")
    from skald_trainer.bridge.trainer import SkaldTrainer

    take_step = SkaldTrainer.training_step

    def training_step(self: Any, dataloader: Any) -> Any:
        act(self.iteration_step)
        return take_step(self, dataloader)

    with patch.object(SkaldTrainer, "training_step", training_step):
        yield


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
            _do(fault)

    wrong = losses_multiplied(fault.factors, fault.rank) if fault.factors else nullcontext()
    with wrong, before_steps(act):
        yield


def _do(fault: Fault) -> None:
    partial = fault.struck.with_suffix(".part")
    partial.write_text(str(os.getpid()))
    partial.replace(fault.struck)
    if fault.what == "raise":
        raise LookupError("planted on purpose")
    if fault.what == "exit":
        os._exit(7)
    linger()


def linger() -> None:
    """Stand still until somebody ends this process."""
    time.sleep(300)
