"""Faults planted in a run: a loss that is wrong, a rank that raises, leaves or stands still."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from skald_trainer.bridge import patches
from skald_trainer.rank import train_rank


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


@contextmanager
def losses_multiplied(factors: dict[int, float], rank: int | None = None) -> Iterator[None]:
    """Multiply the loss of given steps, with its gradients; on one rank or on all."""
    patches.apply("cpu")
    from skald_trainer.bridge.model import NanotronDecoder

    factor, forward = [1.0], NanotronDecoder.forward

    def multiplied(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = forward(self, *args, **kwargs)
        if factor[0] != 1.0 and isinstance(output["loss"], torch.Tensor):
            output = {**output, "loss": output["loss"] * factor[0]}
        return output

    def choose(step: int) -> None:
        here = rank is None or rank == torch.distributed.get_rank()
        factor[0] = factors.get(step, 1.0) if here else 1.0

    with before_steps(choose), patch.object(NanotronDecoder, "forward", multiplied):
        yield


class Loss(NamedTuple):
    """How a rank is lost: at which step, by what; `struck` gets its process number then."""

    what: str
    struck: Path
    rank: int = 1
    step: int = 20


def train_and_lose(
    rank: int,
    world_size: int,
    rendezvous: Path,
    plan_json: str,
    corpus: Path,
    root: Path,
    loss: Loss,
) -> None:
    """Train one rank, and lose one."""

    def act(step: int) -> None:
        if rank == loss.rank and step == loss.step:
            lose(loss.what, loss.struck)

    with before_steps(act):
        train_rank(rank, world_size, rendezvous, plan_json, corpus, root, None)


def lose(what: str, struck: Path) -> None:
    """Lose this process: it raises, leaves or lingers; `struck` is whole once it is there."""
    partial = struck.with_suffix(".part")
    partial.write_text(str(os.getpid()))
    partial.replace(struck)
    if what == "raises":
        raise LookupError("planted on purpose")
    if what == "leaves":
        os._exit(7)
    linger()


def linger() -> None:
    """Stand still until somebody ends this process."""
    time.sleep(300)
