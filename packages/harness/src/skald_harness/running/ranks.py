"""The processes of one evaluation: who does which chunk, and who speaks.

Started by torchrun, or one alone. Refuses to know what is evaluated.
"""

from __future__ import annotations

import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from skald_process import hosts
from skald_process.hosts import Peer
from skald_process.stopping import CONTINUE
from skald_specs.errors import EXIT_RESUMABLE, SkaldError

#: How long a rank waits for the others, which score large models meanwhile.
PATIENCE = timedelta(days=7)
#: Between two looks (seconds) whether those who are waited for still answer; two in a row must fail.
SECONDS_BETWEEN_LOOKS = 20.0

P = TypeVar("P")
T = TypeVar("T")


class LostRankError(SkaldError):
    """A rank ended, or its host did, before its share was told to the others.

    Args:
        lost: Which, where it is known.
    """

    exit_code = EXIT_RESUMABLE

    def __init__(self, lost: Sequence[Peer]) -> None:
        whom = hosts.told(lost) if lost else "another rank"
        super().__init__(
            f"lost {whom}: its share is missing; every answer so far is stored; {CONTINUE}"
        )


@dataclass(frozen=True)
class World:
    """One of `size` processes; `run` is a name that they share with nobody else."""

    rank: int
    size: int
    run: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    @property
    def speaks(self) -> bool:
        """Whether this process writes results and prints."""
        return self.rank == 0

    def has(self, number: int) -> bool:
        """Whether the chunk of this number is this process's."""
        return number % self.size == self.rank

    def say(self, line: str) -> None:
        """Print a line on stderr, once for all processes."""
        if self.speaks:
            print(line, file=sys.stderr, flush=True)


def world() -> World:
    """Return what torchrun's environment says; one process alone where there is none."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return World(int(os.environ["RANK"]), size) if size > 1 else World(0, 1)


def together(me: World, work: Callable[[World], P], finish: Callable[[Sequence[P]], T]) -> T | None:
    """Do a part of the work on every rank, then finish on one, which speaks for all.

    Args:
        me: This process.
        work: Every rank's part; told who it is, with the run's name.
        finish: Told what came of all parts, in the order of ranks; runs on rank 0.

    Returns:
        What rank 0 made of it; None on the others.

    Raises:
        SkaldError: On rank 0: the first rank's error. The others return None.
        LostRankError: A rank is gone; on every other.
    """
    with _group(me) as door:
        met = _gathered(me, (me.run, None if door is None else door.peer))
        peers = [peer for _, peer in met if peer is not None]
        outcome: P | SkaldError
        try:
            outcome = work(replace(me, run=met[0][0]))
        except SkaldError as error:
            outcome = error
        except KeyboardInterrupt:
            if me.speaks:
                raise
            raise SystemExit(EXIT_RESUMABLE) from None
        with _noticing_loss(peers):
            outcomes = _gathered(me, outcome)
    if not me.speaks:
        return None
    for outcome in outcomes:
        if isinstance(outcome, SkaldError):
            raise outcome
    return finish([outcome for outcome in outcomes if not isinstance(outcome, SkaldError)])


def _gathered(me: World, value: T) -> list[T]:
    if me.size == 1:
        return [value]
    import torch.distributed

    values: list[Any] = [None] * me.size
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def _noticing_loss(peers: Sequence[Peer]) -> Iterator[None]:
    """Have the wait for the others end where one of them is gone, or its host is."""
    over = threading.Event()

    def look() -> None:
        gone_before: set[Peer] = set()
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            gone = set(hosts.missing(peers))
            if lost := sorted(gone & gone_before):
                print(f"skald: {LostRankError(lost)}", file=sys.stderr, flush=True)
                # The wait itself cannot be ended: to a lost host it is a slow one.
                os._exit(EXIT_RESUMABLE)
            gone_before = gone

    if peers:
        threading.Thread(target=look, name="others", daemon=True).start()
    try:
        yield
    except RuntimeError as problem:
        raise LostRankError(hosts.lost(str(problem), peers)) from None
    finally:
        over.set()


@contextmanager
def _group(me: World) -> Iterator[hosts.Door | None]:
    if me.size == 1:
        yield None
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    # Ranks exchange words, no tensors: gloo, also beside GPUs.
    try:
        torch.distributed.init_process_group("gloo", timeout=PATIENCE)
    except RuntimeError as problem:
        raise hosts.not_met(str(problem)) from None
    yield hosts.Door(me.rank, os.environ["MASTER_ADDR"])
    # After an error it is left as it is: the others would fail of the broken connection first.
    torch.distributed.destroy_process_group()
