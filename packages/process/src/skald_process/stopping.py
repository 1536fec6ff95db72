"""What stops a run from outside, and what its user does then; standard library alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: Ctrl-C, a scheduler's end of time, and its pre-emption: each asks to save and to end.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
CONTINUE = "run the same command again to continue"


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
