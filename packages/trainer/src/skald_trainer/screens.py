"""A line in place on a terminal, and lines now and then in a log: the two ways to show a run.

Knows words and when to write them; refuses to know what they say.
"""

from __future__ import annotations

import time
from typing import Protocol, TextIO

_SECONDS_BETWEEN_FRAMES = 0.2
#: In a log: a line after so long at first, later after every fiftieth of the time it has taken, ...
_SECONDS_BETWEEN_LINES, _MOST_SECONDS_BETWEEN_LINES, _SHARE_BETWEEN_LINES = 10.0, 60.0, 1 / 50
#: ... and at each of so many parts of the run, unless it is over in seconds.
_PARTS, _LEAST_SECONDS_BETWEEN_LINES = 20, 1.0
_GAP = "  "
#: What a terminal adds to the line when it is interrupted; there must be room, or the line breaks.
_ECHO = "^C"
_WIDEST_BAR, _NARROWEST_BAR = 24, 6


class Screen(Protocol):
    """Shows the state of a run in its own way."""

    def due(self, now: float, step: int) -> bool:
        """Whether it would show a state now (seconds of a monotonic clock)."""

    def show(self, step: int, fields: list[str]) -> None:
        """Show the present state: the last step taken, and words about it."""

    def note(self, text: str) -> None:
        """Write a line that stays."""

    def close(self, step: int, fields: list[str]) -> None:
        """Show the last state (step 0: there is none) and leave the terminal as it was."""


class Pace:
    """Says when a log deserves another line.

    Args:
        n_steps: Steps of the whole run.
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
        part = step * _PARTS // self._n_steps
        if self._started is None:
            self._started = now
            is_due = True
        else:
            waited = now - self._last
            wait = (now - self._started) * _SHARE_BETWEEN_LINES
            wait = min(max(wait, _SECONDS_BETWEEN_LINES), _MOST_SECONDS_BETWEEN_LINES)
            new_part = part > self._part and waited >= _LEAST_SECONDS_BETWEEN_LINES
            is_due = waited >= wait or new_part or step == self._n_steps
        if is_due:
            self._last, self._part = now, part
        return is_due


class Lines:
    """Lines in a file, a pipe or a Slurm log, without control characters.

    Args:
        label: The run's name.
        n_steps: Steps of the whole run.
        stream: Where to write.
    """

    def __init__(self, label: str, n_steps: int, stream: TextIO) -> None:
        self._label, self._n_steps, self._stream = label, n_steps, stream
        self._pace = Pace(n_steps)

    def due(self, now: float, step: int) -> bool:
        """See `Screen.due`."""
        return self._pace.due(now, step)

    def show(self, step: int, fields: list[str]) -> None:
        """See `Screen.show`."""
        self.note(_GAP.join([f"step {step}/{self._n_steps}", *fields]))

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
    visible, so that even a kill leaves a terminal to work in.

    Args:
        label: The run's name.
        n_steps: Steps of the whole run.
        stream: The terminal.
    """

    def __init__(self, label: str, n_steps: int, stream: TextIO) -> None:
        # Imported here: only terminals need it.
        from rich.console import Console
        from rich.live import Live as RichLive

        self._label, self._n_steps, self._shown = label, n_steps, 0.0
        self._console = Console(file=stream, highlight=False)
        self._live = RichLive(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._console.show_cursor(True)

    def due(self, now: float, step: int) -> bool:
        """See `Screen.due`."""
        return now - self._shown >= _SECONDS_BETWEEN_FRAMES

    def show(self, step: int, fields: list[str]) -> None:
        """See `Screen.show`."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        self._shown = time.monotonic()
        fields = [f"{step}/{self._n_steps}", *fields]
        room = self._console.width - len(_ECHO) - len(self._label) - len(_GAP)
        # A narrow terminal loses parts: step and loss tell the most, then the time that is left.
        while len(_GAP.join(fields)) > room and len(fields) > 2:
            del fields[-2 if len(fields) > 3 else -1]
        bar = min(room - len(_GAP.join(fields)) - len(_GAP), _WIDEST_BAR)
        line = Table.grid(padding=(0, len(_GAP), 0, 0))
        line.add_row(
            Text(self._label, style="bold", no_wrap=True),
            *([ProgressBar(self._n_steps, step, width=bar)] if bar >= _NARROWEST_BAR else []),
            Text(_GAP.join(fields), no_wrap=True, overflow="ellipsis"),
        )
        self._live.update(line, refresh=True)

    def note(self, text: str) -> None:
        """See `Screen.note`."""
        from rich.text import Text

        self._console.print(Text(f"{self._label}: {text}"))

    def close(self, step: int, fields: list[str]) -> None:
        """See `Screen.close`."""
        self._live.stop()
        if step:
            self.note(_GAP.join([f"step {step}/{self._n_steps}", *fields]))
