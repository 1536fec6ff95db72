"""The ranks of one run: started here, or one of those that torchrun started; ended together.

Knows processes and their last words; refuses to know what the ranks compute.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

from skald_specs.errors import EXIT_RESUMABLE, SkaldError, UserInputError
from skald_specs.files import lack_of_machine

from skald_trainer.agreement import lost_in, missing_hosts
from skald_trainer.fates import CONTINUE, EXIT_LOST_ANOTHER, RankError, Report, blamed
from skald_trainer.meeting import started_elsewhere
from skald_trainer.stopping import StopRequest, end_with_parent, holding_back

#: Ranks that save because of a signal, and ranks that all end of one agreed error or find out for
#: themselves that they hang, get this long when the first of them has ended; others get no time.
_SECONDS_TO_SAVE, _SECONDS_TO_FOLLOW = 30.0, 15.0
_SECONDS_FOR_OTHERS, _SECONDS_TO_NOTICE = 2.0, 1.0
_MOST_TRACEBACK = 16_000

Work = Callable[..., None]


def run_ranks(world_size: int, work: Work, *args: Any) -> None:
    """Run `work(rank, world_size, rendezvous, *args)` on every rank and wait for all of them.

    One rank runs in this process. Under torchrun (WORLD_SIZE is set, above 1) this process is one of
    the ranks. Otherwise the ranks are started here; when one fails the others are ended.

    Args:
        world_size: Ranks of the plan's layout.
        work: A function of a module, as new processes import it; `rendezvous` is a file to meet at, None
            under torchrun, which has a place of its own.
        *args: What else each rank is told; picklable.

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
        with holding_back():
            for process, (_, sender) in zip(ranks, pipes, strict=True):
                process.start()
                sender.close()
        if request.signal_name:  # one came before there was anybody to pass it on to
            _signal(ranks, signal.Signals[request.signal_name])
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
                ended.update(i for i in alive if ranks[i].is_alive())
                _signal(ranks, signal.SIGKILL)
        wait([ranks[i].sentinel for i in alive] + list(listened.values()), timeout=0.2)


def _patience(deaths: dict[int, int], reports: dict[int, Report], stopped_by: str) -> float:
    """Return the seconds that the other ranks get once one has failed.

    Ranks that wait in a collective for a dead one never come back by themselves; but the first to fail
    may be one of those, and the death that it failed of comes to be known a moment later.
    """
    if stopped_by:
        return _SECONDS_TO_SAVE
    agreed = all(rank in reports for rank in deaths) and not any(
        report.traceback for report in reports.values()
    )
    return _SECONDS_TO_FOLLOW if agreed else _SECONDS_TO_NOTICE


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
        if lack := lack_of_machine(error):
            sender.send(Report(time.monotonic(), lack.exit_code, str(lack)))
            sys.exit(lack.exit_code)
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
        told = "; ".join(part for part in (line, missing_hosts(), CONTINUE) if part)
        print(f"skald: {told}", file=sys.stderr, flush=True)
    # The others have starved as long: their lines should come before the broken connection's error.
    time.sleep(_SECONDS_FOR_OTHERS)
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
            whom = lost_in(error) or "another rank"
            raise RankError(
                f"rank {rank} lost {whom} and ends; what ended that is the cause; {CONTINUE}",
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
