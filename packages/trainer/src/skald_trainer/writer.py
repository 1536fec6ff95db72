"""Writes in the background, one at a time: a run waits for its copy, not for the disk.

Knows a thread and its error; refuses to know what is written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Thread
from types import TracebackType

_SECONDS_BETWEEN_BEATS = 1.0


class BackgroundWriter:
    """Runs one write at a time; its error is raised by the next call.

    As a context it waits at the end, however that comes about.

    Args:
        waiting: Called each second that a write is waited for, so that nobody takes it for a hang.
    """

    def __init__(self, waiting: Callable[[], None] = lambda: None) -> None:
        self._waiting = waiting
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def start(self, write: Callable[[], object]) -> None:
        """Begin a write and return at once; a former one is waited for.

        Args:
            write: Writes what nobody else changes any more.

        Raises:
            BaseException: What a former write raised.
        """
        self.wait()
        self._thread = Thread(target=self._run, args=(write,), name="checkpoint writer")
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a write is in progress."""
        return self._thread is not None and self._thread.is_alive()

    def check(self) -> None:
        """Raise what a write raised that has ended; wait for nothing."""
        if not self.busy:
            self.wait()

    def wait(self) -> None:
        """Wait for the write in progress and raise what it raised."""
        while self._thread is not None:
            self._thread.join(_SECONDS_BETWEEN_BEATS)
            if self._thread.is_alive():
                self._waiting()
            else:
                self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BaseException as error:  # handed over, whatever it is
            self._error = error

    def __enter__(self) -> BackgroundWriter:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Wait; an error of the write does not hide the one that ended the run."""
        try:
            self.wait()
        except Exception as late:
            if error is None:
                raise
            print(f"the last checkpoint was not written: {late}", file=sys.stderr)
