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
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, NoReturn

from skald_specs.errors import EXIT_RESUMABLE, SkaldError, UserInputError
from skald_specs.execution import ExecutionRecipe

from skald_trainer.fates import CONTINUE, EXIT_LOST_ANOTHER, RankError, Report, blamed

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
#: Ranks that save because of a signal, and ranks that all end of one agreed error or find out for
#: themselves that they hang, get this long when the first of them has ended; others get no time.
_SECONDS_TO_SAVE, _SECONDS_TO_FOLLOW = 30.0, 15.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MOST_TRACEBACK = 16_000

Work = Callable[..., None]


class StopRequest:
    """Set by SIGINT, SIGTERM or SIGUSR1 (Slurm's pre-emption) while `listening`.

    Args:
        pass_on: Called with the signal at once; a process that starts others tells them so.
    """

    def __init__(self, pass_on: Callable[[signal.Signals], None] | None = None) -> None:
        self.signal_name, self._pass_on = "", pass_on

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals instead of dying of them."""

        def note(number: int, frame: Any) -> None:
            self.signal_name = signal.Signals(number).name
            if self._pass_on is not None:
                self._pass_on(signal.Signals(number))

        before = {number: signal.signal(number, note) for number in _STOP_SIGNALS}
        # A rank starts with them held back, see `_holding_back`.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
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


@contextmanager
def _holding_back() -> Iterator[None]:
    """Start children that get a stop signal when they listen, and not before.

    A blocked signal waits, also across exec: a rank that is still importing neither dies of it nor
    misses it.
    """
    # Starting its helper, multiprocessing would let the signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def process_group(
    rank: int,
    world_size: int,
    device: Literal["cpu", "cuda"],
    rendezvous: Path | None,
    timeout: timedelta | None = None,
) -> Iterator[None]:
    """Join the default process group: gloo on a CPU, nccl on a GPU.

    Args:
        rank: This process.
        world_size: All processes.
        device: Where they compute.
        rendezvous: A file they meet at, or None to use torchrun's environment.
        timeout: How long a collective may take; None: torch's default.

    Yields:
        Nothing; the group is left at the end. After an error it is left only by a process alone:
        others would see the connection break, and fail of it, before this rank has said why.
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
            timeout=timeout,
        )
    ended_well = False
    try:
        yield
        ended_well = True
    finally:
        if ended_well or world_size == 1:
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
        rank = int(os.environ["RANK"])
        with _told_under_a_launcher(rank):
            work(rank, world_size, None, *args)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "rendezvous"
        if world_size == 1:
            work(0, 1, meeting, *args)
        else:
            _spawn(world_size, work, meeting, *args)


def _spawn(world_size: int, work: Work, meeting: Path, *args: Any) -> None:
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe(duplex=False) for _ in range(world_size)]
    ranks = [
        context.Process(target=_rank_main, args=(pipes[i][1], work, i, world_size, meeting, *args))
        for i in range(world_size)
    ]
    request = StopRequest(lambda number: _signal(ranks, number))
    with request.listening():
        with _holding_back():
            for process, (_, sender) in zip(ranks, pipes, strict=True):
                process.start()
                sender.close()
        reports, deaths = _watched(ranks, [pipe[0] for pipe in pipes], request)
    if deaths or reports:
        raise blamed(deaths, reports, request.signal_name)


def _watched(
    ranks: list[Any], receivers: list[Connection], request: StopRequest
) -> tuple[dict[int, Report], list[tuple[int, int]]]:
    """Wait for all ranks; end the rest when one has failed.

    Returns:
        What ranks said, and those that died of themselves, in order.
    """
    reports: dict[int, Report] = {}
    deaths: dict[int, int] = {}
    listened = dict(enumerate(receivers))
    ended: set[int] = set()
    failed_at = 0.0
    while True:
        alive = [i for i, process in enumerate(ranks) if process.is_alive()]
        for rank in [rank for rank, receiver in listened.items() if receiver.poll()]:
            try:
                reports[rank] = listened[rank].recv()
            except (EOFError, OSError):
                del listened[rank]
        for rank, process in enumerate(ranks):
            if process.exitcode not in (None, 0) and rank not in ended:
                deaths.setdefault(rank, process.exitcode)
        if not alive:
            return reports, list(deaths.items())
        if deaths or reports:
            failed_at = failed_at or time.monotonic()
            if time.monotonic() - failed_at >= _patience(deaths, reports, request.signal_name):
                ended.update(alive)
                _signal(ranks, signal.SIGKILL)
        wait([ranks[i].sentinel for i in alive] + list(listened.values()), timeout=0.2)


def _patience(deaths: dict[int, int], reports: dict[int, Report], stopped_by: str) -> float:
    """Return the seconds that the other ranks get once one has failed.

    Ranks that wait in a collective for a dead one never come back by themselves.
    """
    if stopped_by:
        return _SECONDS_TO_SAVE
    agreed = all(rank in reports for rank in deaths) and not any(
        report.traceback for report in reports.values()
    )
    return _SECONDS_TO_FOLLOW if agreed else 0.0


def _signal(ranks: list[Any], number: signal.Signals) -> None:
    for process in ranks:
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, number)


#: The way to the process that started this rank; empty where none of ours did.
_to_parent: list[Connection] = []


def _rank_main(sender: Connection, work: Work, rank: int, *args: Any) -> None:
    end_with_parent()
    _to_parent.append(sender)
    try:
        work(rank, *args)
    except SkaldError as error:
        sender.send(Report(time.monotonic(), error.exit_code, str(error)))
        sys.exit(error.exit_code)
    except Exception as error:
        text = traceback.format_exc()[-_MOST_TRACEBACK:]
        sender.send(Report(time.monotonic(), 1, _failure(rank, error), text))
        sys.exit(1)


def _failure(rank: int, error: Exception) -> str:
    last = traceback.format_exception_only(error)[-1]
    return f"rank {rank} failed: {' '.join(last.split())}; {CONTINUE}"


def end_hung(line: str) -> NoReturn:
    """End this rank because it stands still, from whatever thread.

    The exit code is that of an interrupted run: no state is lost but the steps since the last
    checkpoint, and a scheduler that starts the same command again is right to do so.
    """
    if _to_parent:
        _to_parent[0].send(Report(time.monotonic(), EXIT_RESUMABLE, line, hung=True))
    else:
        print(f"skald: {line}; {CONTINUE}", file=sys.stderr, flush=True)
    # The thread that hangs cannot be unwound.
    os._exit(EXIT_RESUMABLE)


@contextmanager
def _told_under_a_launcher(rank: int) -> Iterator[None]:
    """Say in one line, before Python's traceback and the launcher's table, what this rank met."""
    try:
        yield
    except SkaldError:
        raise
    except Exception as error:
        if _lost_another(error):
            raise RankError(
                f"rank {rank} lost another rank and ends; that one's error is the cause; {CONTINUE}",
                EXIT_LOST_ANOTHER,
            ) from None
        print(f"skald: {_failure(rank, error)}", file=sys.stderr, flush=True)
        raise


def _lost_another(error: Exception) -> bool:
    """Whether an error is what a collective says when a member of it is gone."""
    from torch.distributed import DistError

    text = str(error).lower()
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and ("gloo" in text or "connection closed" in text)
    )
