"""A line in place on a terminal, and lines now and then in a log: the two ways to show what goes on.

Knows words and when to write them; refuses to know what they say. Standard library alone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO, cast

_SECONDS_BETWEEN_FRAMES = 0.2
#: In a log: a line after so long at first, later after every fiftieth of the time it has taken, ...
_SECONDS_BETWEEN_LINES, _MOST_SECONDS_BETWEEN_LINES, _SHARE_BETWEEN_LINES = 10.0, 60.0, 1 / 50
#: ... and at each of so many parts of the run, unless it is over in seconds.
_PARTS, _LEAST_SECONDS_BETWEEN_LINES = 20, 3.0
_GAP = "  "
#: What a terminal adds to the line when it is interrupted; there must be room, or the line breaks.
_ECHO = "^C"
_WIDEST_BAR, _NARROWEST_BAR, _USUAL_COLUMNS = 24, 6, 80
#: What terminals understand (ECMA-48): to the line's begin and erase it; bold, faint, neither.
_WIPE, _BOLD, _DIM, _PLAIN = "\r\x1b[2K", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Screen(Protocol):
    """Shows the state of a run in its own way; what is counted and how far it goes may change."""

    n_steps: int
    unit: str

    def due(self, now: float, step: int) -> bool:
        """Return whether it would show a state now.

        Args:
            now: Seconds of a monotonic clock.
            step: The last step taken, or how many are done.
        """

    def show(self, step: int, fields: list[str]) -> None:
        """Show the present state.

        Args:
            step: The last step taken, or how many are done.
            fields: Words about it, the most telling ones first and last: where room is scarce,
                others go first.
        """

    def note(self, text: str) -> None:
        """Write a line that stays."""

    def close(self, step: int, fields: list[str]) -> None:
        """Show the last state and leave the terminal as it was.

        Args:
            step: The last step taken; 0 where nothing is to be shown.
            fields: See `show`.
        """


class Pace:
    """Says when a log deserves another line.

    Args:
        n_steps: Steps of the whole run; 0 where that is not known.
    """

    def __init__(self, n_steps: int) -> None:
        self._n_steps, self._part = n_steps, 0
        self._started: float | None = None
        self._last = 0.0

    def due(self, now: float, step: int) -> bool:
        """Return whether a line is due, and count on its being written.

        Args:
            now: Seconds of a monotonic clock.
            step: The present step; the run's last always deserves a line, and so does the first call.
        """
        part = step * _PARTS // self._n_steps if self._n_steps else 0
        if self._started is None:
            self._started = now
            is_due = True
        else:
            waited = now - self._last
            wait = (now - self._started) * _SHARE_BETWEEN_LINES
            wait = min(max(wait, _SECONDS_BETWEEN_LINES), _MOST_SECONDS_BETWEEN_LINES)
            new_part = part > self._part and waited >= _LEAST_SECONDS_BETWEEN_LINES
            is_due = waited >= wait or new_part or step == self._n_steps > 0
        if is_due:
            self._last, self._part = now, part
        return is_due


class Lines:
    """Lines in a file, a pipe or a Slurm log, without control characters.

    Args:
        label: The run's name.
        n_steps: Steps of the whole run; 0 where that is not known.
        stream: Where to write.
        unit: What is counted, before the count.
    """

    def __init__(self, label: str, n_steps: int, stream: TextIO, unit: str = "step") -> None:
        self._label, self.n_steps, self.unit, self._stream = label, n_steps, unit, stream
        self._pace = Pace(n_steps)

    def due(self, now: float, step: int) -> bool:
        """See `Screen.due`."""
        return self._pace.due(now, step)

    def show(self, step: int, fields: list[str]) -> None:
        """See `Screen.show`."""
        self.note(_GAP.join([*_count(self.unit, step, self.n_steps), *fields]))

    def note(self, text: str) -> None:
        """See `Screen.note`."""
        # One write: lines of several processes in one log must not mix.
        self._stream.write(f"{self._label}: {text}\n")
        self._stream.flush()

    def close(self, step: int, fields: list[str]) -> None:
        """See `Screen.close`."""
        if step:
            self.show(step, fields)


class Live:
    """One line that is rewritten in place, with a bar where there is room.

    One line and not more: what other processes print in between then stays readable. The cursor stays
    visible, so that even a kill leaves a terminal to work in. What this process prints meanwhile stands
    above the line.

    Args:
        label: The run's name.
        n_steps: Steps of the whole run; 0 where that is not known.
        stream: The terminal.
        unit: What is counted, before the count.
    """

    def __init__(self, label: str, n_steps: int, stream: TextIO, unit: str = "") -> None:
        self._label, self.n_steps, self.unit = label, n_steps, unit
        self._stream, self._shown = stream, 0.0
        self._is_drawn, self._lock = False, threading.RLock()
        self._before = sys.stdout, sys.stderr
        if sys.stdout.isatty():
            sys.stdout = cast(TextIO, _Above(sys.stdout, self.wipe))
        if sys.stderr.isatty():
            sys.stderr = cast(TextIO, _Above(sys.stderr, self.wipe))

    def due(self, now: float, step: int) -> bool:
        """See `Screen.due`."""
        return now - self._shown >= _SECONDS_BETWEEN_FRAMES

    def show(self, step: int, fields: list[str]) -> None:
        """See `Screen.show`."""
        self._shown = time.monotonic()
        fields = [*_count(self.unit, step, self.n_steps), *fields]
        room = _columns(self._stream) - len(_ECHO) - len(self._label) - len(_GAP)
        # A narrow terminal loses parts: step and loss tell the most, then the time that is left.
        while len(_GAP.join(fields)) > room and len(fields) > 2:
            del fields[-2 if len(fields) > 3 else -1]
        text = _GAP.join(fields)
        width = min(room - len(text) - len(_GAP), _WIDEST_BAR)
        bar = ""
        if self.n_steps and width >= _NARROWEST_BAR:
            done = width * min(step, self.n_steps) // self.n_steps
            bar = f"{'━' * done}{_DIM}{'━' * (width - done)}{_PLAIN}{_GAP}"
        with self._lock:
            line = f"{_BOLD}{self._label}{_PLAIN}{_GAP}{bar}{text[: max(room, 0)]}"
            self._stream.write(f"{_WIPE}{line}")
            self._stream.flush()
            self._is_drawn = True

    def wipe(self) -> None:
        """Take the line away; the next `show` brings it back."""
        with self._lock:
            if self._is_drawn:
                self._is_drawn = False
                self._stream.write(_WIPE)
                self._stream.flush()

    def note(self, text: str) -> None:
        """See `Screen.note`."""
        with self._lock:
            self.wipe()
            self._stream.write(f"{self._label}: {text}\n")
            self._stream.flush()

    def close(self, step: int, fields: list[str]) -> None:
        """See `Screen.close`."""
        sys.stdout, sys.stderr = self._before
        self.wipe()
        if step:
            self.note(_GAP.join([f"step {step}/{self.n_steps}", *fields]))


class _Above:
    """A terminal's stream that wipes the line before anything else is written there."""

    def __init__(self, stream: TextIO, wipe: Callable[[], None]) -> None:
        self._stream, self._wipe = stream, wipe

    def write(self, text: str) -> int:
        self._wipe()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def screen_for(
    label: str, n_steps: int, stream: TextIO | None = None, unit: str = "step"
) -> Screen:
    """Return the screen that suits a stream.

    Args:
        label: The run's name, at the head of each line.
        n_steps: Steps of the whole run; 0 where that is not known.
        stream: Where to write; None: standard error.
        unit: What a line in a log counts.
    """
    out = sys.stderr if stream is None else stream
    if out.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Live(label, n_steps, out)
    return Lines(label, n_steps, out, unit)


def duration(seconds: float) -> str:
    """Say a time in its two largest units, such as `2h 05m`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, hours = divmod(whole, 60), divmod(whole // 60, 60)
    if whole < 3600:
        return f"{minutes[0]}m {minutes[1]:02d}s"
    if whole < 86400:
        return f"{hours[0]}h {hours[1]:02d}m"
    return f"{hours[0] // 24}d {hours[0] % 24:02d}h"


def _count(unit: str, step: int, n_steps: int) -> list[str]:
    """Say how far a run is, as far as it is known."""
    count = f"{step}/{n_steps}" if n_steps else str(step or "")
    return [words] if (words := f"{unit} {count}".strip()) else []


def _columns(stream: TextIO) -> int:
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS
