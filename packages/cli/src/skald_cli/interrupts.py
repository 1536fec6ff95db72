"""What Ctrl-C, a scheduler's SIGTERM and its SIGUSR1 do to a command: one line, exit code 75.

Imports next to nothing: it must be in force before anything else is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from skald_process.stopping import CONTINUE, STOP_SIGNALS
from skald_specs.errors import EXIT_RESUMABLE

INTERRUPTED = f"skald: interrupted; {CONTINUE}"


def raise_on_signals() -> None:
    """From now on a signal unwinds the program as Ctrl-C does, so that nothing stays half-written.

    A second one ends it at once, as it stands.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _raise)


def stop_listening() -> None:
    """From now on signals are nothing: all is done and only Python's own end is left.

    That takes seconds once torch is imported, and no handler but `SIG_IGN` outlives its beginning: a
    signal would end a finished command as if it had failed.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # A Ctrl-C that came while a text was evaluated (as `namedtuple` does) is kept in mind, and `python -m`
    # would then die of SIGINT whatever the exit code; the next text makes Python forget it.
    exec("")  # noqa: S102 - an empty constant


def report_interrupt() -> int:
    """Say that the program was interrupted and return its exit code; further signals are nothing."""
    stop_listening()
    print(INTERRUPTED, file=sys.stderr, flush=True)
    return EXIT_RESUMABLE


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


def was_interrupted() -> bool:
    """Whether a signal has unwound, or is unwinding, what `raise_on_signals` guards.

    An import that it meets may hand it on as an error of its own.
    """
    return signal.getsignal(STOP_SIGNALS[0]) is _leave


def _raise(number: int, frame: object) -> NoReturn:
    for each in STOP_SIGNALS:
        signal.signal(each, _leave)
    raise KeyboardInterrupt


def _leave(number: int, frame: object) -> NoReturn:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(EXIT_RESUMABLE)
