"""How far the work of a process is, shown on standard error where it takes more than two seconds (in a log: ten).

A loop says what it counts (`tracked`, `part`); who shows it is no concern of its: the command line does
(`shown`), a library's user does not, and then nothing is printed. Results never depend on it. Where
nobody says anything, a terminal is shown the time that has passed, and a log nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from skald_process.screens import Screen, duration, screen_for
from skald_process.stopping import STOP_SIGNALS

T = TypeVar("T")

#: Work that is over sooner says nothing: somebody waits at a terminal, nobody at a log.
QUIET_SECONDS, QUIET_SECONDS_IN_A_LOG = 2.0, 10.0
_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(eq=False)
class Part:
    """A piece of work that is under way.

    Args:
        what: What is counted, such as `documents of da`.
        total: How many there are; 0 where that is not known.
        done: How many are behind.
        found: How many of these were done before, and took no time now.
    """

    what: str
    total: int = 0
    done: int = 0
    found: int = 0
    began: float = field(default_factory=time.monotonic)

    def times(self, now: float) -> list[str]:
        """Say how long the rest takes, or how long it has taken."""
        seconds = now - self.began
        if self.found < self.done < self.total:
            left = seconds / (self.done - self.found) * (self.total - self.done)
            return [f"{duration(left)} left"]
        return [duration(seconds)]


#: What is under way, the innermost last.
_parts: list[Part] = []


@contextmanager
def part(what: str, total: int = 0) -> Iterator[Part]:
    """Say what is under way while the block runs; count by `done`.

    Args:
        what: What is counted or done, such as `figures and page`.
        total: How many there are; 0 where that is not known.
    """
    mine = Part(what, total)
    _parts.append(mine)
    try:
        yield mine
    finally:
        _parts.remove(mine)


def tracked(items: Iterable[T], what: str, total: int = 0) -> Iterator[T]:
    """Yield items and count those that were worked on.

    Args:
        items: What is worked on.
        what: What they are.
        total: How many; 0 for as many as a sized collection has, else not known.
    """
    with part(what, total or (len(items) if isinstance(items, Sized) else 0)) as mine:
        for item in items:
            yield item
            mine.done += 1


class _Ticker:
    """Looks at what is under way a few times a second, in a thread, and shows it."""

    def __init__(self, label: str) -> None:
        self._label, self._whole = label, Part("")
        self._screen: Screen | None = None
        self._is_watched = False
        self._is_over, self._n_silent = threading.Event(), 0
        self.lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        # Signals stay the main thread's, also where it holds them back for a moment.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        self._hide()

    def silence(self, by: int) -> None:
        """Be silent from now on (1), or no longer (-1); calls may be nested."""
        with self.lock:
            self._n_silent += by
            self._hide()

    def _hide(self) -> None:
        if self._screen is not None:
            self._screen.close(0, [])
            self._screen = None

    def _run(self) -> None:
        self._is_watched = sys.stderr.isatty()
        if self._is_over.wait(QUIET_SECONDS if self._is_watched else QUIET_SECONDS_IN_A_LOG):
            return
        try:
            while not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
                with self.lock:
                    if not self._n_silent:
                        self._show(time.monotonic())
        except (OSError, ValueError):  # the terminal was closed; the work goes on
            self._screen = None

    def _show(self, now: float) -> None:
        if not (_parts or self._is_watched):
            return
        here = _parts[-1] if _parts else self._whole
        if self._screen is None:
            self._screen = screen_for(self._label, 0)
        if self._screen.due(now, here.done):
            self._screen.n_steps, self._screen.unit = here.total, here.what
            self._screen.show(here.done, here.times(now))


_ticker: _Ticker | None = None


@contextmanager
def shown(label: str) -> Iterator[None]:
    """Show on standard error what is under way, from two seconds on; what is nested adds nothing.

    Args:
        label: At the head of each line, such as `skald corpus build`.
    """
    global _ticker  # noqa: PLW0603 - there is one standard error
    # Of several ranks one speaks.
    if _ticker is not None or os.environ.get("RANK", "0") != "0":
        yield
        return
    _ticker = _Ticker(label)
    _ticker.start()
    try:
        yield
    finally:
        _ticker.stop()
        _ticker = None


@contextmanager
def handed_over() -> Iterator[None]:
    """Say nothing while the block runs: another screen, or other processes, tell of its progress."""
    ticker = _ticker
    if ticker is None:
        yield
        return
    ticker.silence(1)
    try:
        yield
    finally:
        ticker.silence(-1)


def _before_fork() -> None:
    if _ticker is not None:
        _ticker.lock.acquire()


def _after_fork() -> None:
    if _ticker is not None:
        _ticker.lock.release()


# A child that is forked while the thread writes would inherit a stream that stays locked.
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
