"""Processes of one run: started here, or met under torchrun; stopped together, never orphaned.

Knows ranks, signals and process groups; refuses to know what the ranks compute.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

from skald_specs.errors import InterruptedRunError, SkaldError, UserInputError
from skald_specs.execution import ExecutionRecipe

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_SECONDS_TO_STOP = 30.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Work = Callable[..., None]


class StopRequest:
    """Set by SIGINT, SIGTERM or SIGUSR1 (Slurm's pre-emption) while `listening`."""

    def __init__(self) -> None:
        self.signal_name = ""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals instead of dying of them."""

        def note(number: int, frame: Any) -> None:
            self.signal_name = signal.Signals(number).name

        before = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Start children that leave Ctrl-C to their parent until they listen themselves.

    A terminal sends SIGINT to every process of the group, and a child that is still importing
    would answer with a traceback.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however that happens (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class RankError(SkaldError):
    """A rank's own error, passed on to the process that started it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def process_group(
    rank: int, world_size: int, device: Literal["cpu", "cuda"], rendezvous: Path | None
) -> Iterator[None]:
    """Join the default process group: gloo on a CPU, nccl on a GPU.

    Args:
        rank: This process.
        world_size: All processes.
        device: Where they compute.
        rendezvous: A file they meet at, or None to use torchrun's environment.

    Yields:
        Nothing; the group is left at the end.
    """
    # torch is imported here so that starting a launcher costs nothing.
    import torch

    given = {}
    if rendezvous is not None:
        # nanotron reads these even where torch does not need them.
        given = {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(rank)}
    os.environ.update(given)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with _meeting_told():
        torch.distributed.init_process_group(
            "gloo" if device == "cpu" else "nccl",
            init_method="env://" if rendezvous is None else f"file://{rendezvous}",
            rank=rank,
            world_size=world_size,
        )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()
        # Left behind, they would look like torchrun's to the next run in this process.
        for name in given:
            os.environ.pop(name, None)


@contextmanager
def _meeting_told() -> Iterator[None]:
    """Say in one line that the processes cannot meet, where torch prints a page."""
    from torch.distributed import DistNetworkError

    try:
        yield
    except DistNetworkError as problem:
        where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        if "EADDRINUSE" in str(problem):
            raise UserInputError(
                "MASTER_PORT",
                f"{where} is in use by another program",
                "Set MASTER_PORT to a free port on every rank, or end that program",
            ) from None
        raise UserInputError(
            "MASTER_ADDR",
            f"rank 0 was not met at {where}",
            "Check that every rank has the address and port of rank 0, and that rank 0 was started",
        ) from None


#: What nanotron and env:// read of a process that a launcher started; each a number but the address.
_TOLD_BY_LAUNCHER = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def started_elsewhere() -> bool:
    """Return whether torchrun (or a scheduler like it) started this process as one of several.

    Raises:
        UserInputError: WORLD_SIZE says so, and the rest that a launcher sets is missing or no number.
    """
    started = _number_in_environment("WORLD_SIZE", "1")
    if started == 1:
        return False
    for name in _TOLD_BY_LAUNCHER:
        if name not in os.environ:
            raise UserInputError(
                name,
                f"not set, though WORLD_SIZE = {started} says that this is one of several processes",
                "Start with torchrun, which sets it, or unset WORLD_SIZE to have the ranks started here",
            )
        if name != "MASTER_ADDR":
            _number_in_environment(name)
    if _number_in_environment("RANK") >= started:
        raise UserInputError(
            "RANK", f"{os.environ['RANK']}, but WORLD_SIZE = {started}", "Count ranks from 0"
        )
    return True


def _number_in_environment(name: str, default: str = "") -> int:
    text = os.environ.get(name, default)
    if not text.isdecimal():
        raise UserInputError(name, f"{text!r} is no number", "Start with torchrun, which sets it")
    return int(text)


def allow_overlap(execution: ExecutionRecipe) -> None:
    """Have a GPU take kernels in the order they were given, before anything looks at one.

    Overlapping tensor-parallel messages with products relies on it, and nanotron checks it (on a CPU,
    too).
    """
    if execution.tp_mode == "reduce_scatter_async":
        os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] = "1"


def leads() -> bool:
    """Return whether this process keeps the run folder: the one that is alone, or rank 0."""
    return not started_elsewhere() or os.environ["RANK"] == "0"


def run_ranks(world_size: int, work: Work, *args: Any) -> None:
    """Run `work(rank, world_size, rendezvous, *args)` on every rank and wait for all of them.

    One rank runs in this process. Under torchrun (RANK is set) this process is one of the ranks.
    Otherwise the ranks are started here; when one fails the others are ended.

    Raises:
        UserInputError: torchrun started another number of processes than the plan's layout.
        RankError: A rank failed with an error for the user.
        InterruptedRunError: The run was told to stop and can be continued.
    """
    if started_elsewhere():
        started = int(os.environ["WORLD_SIZE"])
        if started != world_size:
            raise UserInputError(
                "WORLD_SIZE",
                f"{started} processes were started but the plan's dp x tp x pp is {world_size}",
                "Start as many, or change the recipe's execution block",
            )
        work(int(os.environ["RANK"]), world_size, None, *args)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "rendezvous"
        if world_size == 1:
            work(0, 1, meeting, *args)
        else:
            _spawn(world_size, work, meeting, *args)


def _spawn(world_size: int, work: Work, meeting: Path, *args: Any) -> None:
    context, request = multiprocessing.get_context("spawn"), StopRequest()
    errors: Any = context.SimpleQueue()
    ranks = [
        context.Process(target=_rank_main, args=(errors, work, rank, world_size, meeting, *args))
        for rank in range(world_size)
    ]
    with request.listening():
        with ignoring_interrupts():
            for process in ranks:
                process.start()
        passed_on, failed_at, first_dead = "", 0.0, -1
        while alive := [p for p in ranks if p.is_alive()]:
            wait([p.sentinel for p in alive], timeout=0.2)
            if request.signal_name and not passed_on:
                passed_on = request.signal_name
                _signal_all(alive, signal.Signals[passed_on])
            dead = [i for i, p in enumerate(ranks) if p.exitcode not in (None, 0)]
            if dead:
                failed_at = failed_at or time.monotonic()
                first_dead = dead[0] if first_dead < 0 else first_dead
                # Ranks that wait in a collective for the dead one never come back by themselves;
                # those that are saving on a signal get their time.
                if not passed_on or time.monotonic() - failed_at > _SECONDS_TO_STOP:
                    _signal_all(alive, signal.SIGKILL)
    failed = [i for i, p in enumerate(ranks) if p.exitcode != 0]
    if not failed:
        return
    first_dead = failed[0] if first_dead < 0 else first_dead
    if not errors.empty():
        code, message = errors.get()
        if code == InterruptedRunError.exit_code:
            raise InterruptedRunError(message)
        raise RankError(message, code)
    if passed_on:
        raise InterruptedRunError(f"stopped by {passed_on} before the first step")
    code = ranks[first_dead].exitcode
    raise RankError(f"rank {first_dead} ended with code {code}; its error, if any, is above", 1)


def _signal_all(processes: list[Any], number: signal.Signals) -> None:
    for process in processes:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, number)


def _rank_main(errors: Any, work: Work, *args: Any) -> None:
    end_with_parent()
    try:
        work(*args)
    except SkaldError as error:
        errors.put((error.exit_code, str(error)))
        sys.exit(error.exit_code)
