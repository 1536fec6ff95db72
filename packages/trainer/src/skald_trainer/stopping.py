"""What a process of a run does about stop signals, and how none outlives its parent.

Knows signals; refuses to know ranks and what a process does when it has been asked to stop.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from skald_process.stopping import STOP_SIGNALS

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


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

        before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
        # A rank starts with them held back, see `holding_back`.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however that happens (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def holding_back() -> Iterator[None]:
    """Start children that get a stop signal when they listen, and not before.

    A blocked signal waits, also across exec: a rank that is still importing neither dies of it nor
    misses it.
    """
    # Starting its helper, multiprocessing would let the signals through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
