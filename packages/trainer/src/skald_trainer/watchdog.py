"""Ends a rank that stands still: a hung collective would wait for ever, and bill for it.

Knows one process; refuses to know what it computes. It counts its own short sleeps, not a clock's
time, so a process that the machine stopped (suspended jobs, SIGSTOP) is not shot when it wakes. It is
a thread of Python: an extension that hangs with the interpreter's lock held escapes it.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType

#: Imports, compilation and the first collectives come before the first feeding.
FIRST_STEP_SECONDS = 1800.0
_SECONDS_TO_WRITE = 5.0
_COLLECTIVES = "torch/distributed/"
#: Ends in a wait for the other data-parallel ranks' gradients, without a frame of its own.
_BACKWARD = "_engine_run_backward"


def group_timeout(watchdog_seconds: float) -> timedelta:
    """Return how long a collective may take before torch itself gives up.

    Above the watchdog's patience, at the first step and later: torch would end the rank without saying
    what it was doing.
    """
    return timedelta(seconds=2 * max(FIRST_STEP_SECONDS, watchdog_seconds))


class Watchdog:
    """Watches one thread, which feeds it whenever it has got on.

    Args:
        rank: This process.
        seconds: How long it may stand still once it has been fed.
        stacks: Where the stacks of all threads go.
        end: Called from the watchdog's thread with one line that names the rank; ends the process.
        first_seconds: How long it may take to the first feeding.
    """

    def __init__(
        self,
        rank: int,
        seconds: float,
        stacks: Path,
        end: Callable[[str], None],
        first_seconds: float = FIRST_STEP_SECONDS,
    ) -> None:
        self._rank, self._seconds, self._stacks, self._end = rank, seconds, stacks, end
        self._first_seconds = max(seconds, first_seconds)
        self._meals, self._doing = 0, "getting ready"
        self._over = threading.Event()

    def feed(self, doing: str) -> None:
        """Say that something was done, and what comes next."""
        self._doing = doing
        self._meals += 1

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the calling thread."""
        thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self, watched: int) -> None:
        tick = min(1.0, self._seconds / 8)
        starved, seen = 0.0, 0
        while not self._over.wait(tick):
            if self._meals != seen:
                starved, seen = 0.0, self._meals
                continue
            starved += tick
            if starved >= (self._seconds if seen else self._first_seconds):
                self._bite(watched, starved)

    def _bite(self, watched: int, starved: float) -> None:
        line = (
            f"rank {self._rank} stood still for {starved:.0f} s in {self._doing}: "
            f"it {where(sys._current_frames().get(watched))} (stacks: {self._stacks})"
        )
        # In a thread of its own: where the file system hangs, the line must still be said.
        writer = threading.Thread(target=self._write, args=(line,), daemon=True)
        writer.start()
        writer.join(_SECONDS_TO_WRITE)
        self._end(line)

    def _write(self, line: str) -> None:
        self._stacks.parent.mkdir(parents=True, exist_ok=True)
        with self._stacks.open("w", encoding="utf-8") as out:
            print(line, file=out, flush=True)
            faulthandler.dump_traceback(out, all_threads=True)


def where(frame: FrameType | None) -> str:
    """Say what a thread stands in: the collective that it waits in, or its innermost function.

    Args:
        frame: The thread's innermost frame; None when it is gone.

    Returns:
        A verb and a place, such as `waits for other ranks in all_reduce`.
    """
    if frame is None:
        return "has ended"
    name, outer = "", frame
    while outer is not None and _COLLECTIVES in outer.f_code.co_filename:
        if outer.f_code.co_name != "wrapper":
            name = outer.f_code.co_name
        if outer.f_back is None:
            break
        outer = outer.f_back
    place = f"{Path(outer.f_code.co_filename).name}:{outer.f_lineno}"
    if name:
        return f"waits for other ranks in {name}, called at {place}"
    if outer.f_code.co_name == _BACKWARD:
        return "computes gradients, or waits for those of other ranks"
    return f"stands in {outer.f_code.co_name} at {place}"
