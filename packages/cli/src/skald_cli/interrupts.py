"""What Ctrl-C, a scheduler's SIGTERM and its SIGUSR1 do to a command: one line, exit code 75.

Imports next to nothing: it must be in force before anything else is imported.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from skald_specs.errors import EXIT_RESUMABLE
from skald_specs.stopping import CONTINUE, STOP_SIGNALS

INTERRUPTED = f"skald: interrupted; {CONTINUE}"


def raise_on_signals() -> None:
    """From now on a signal unwinds the program as Ctrl-C does, so that nothing stays half-written."""
    for number in STOP_SIGNALS:
        signal.signal(number, _raise)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """End the process on a signal, without unwinding; for imports, where nothing is written yet.

    An exception raised inside an import may be swallowed, or come out as another one.
    """
    before = {number: signal.signal(number, _leave) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(number: int, frame: object) -> NoReturn:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(EXIT_RESUMABLE)
