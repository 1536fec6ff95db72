"""What a person sees while a run goes: one line in place on a terminal, a line now and then elsewhere.

On a terminal the line is rewritten a few times a second; in a file or a Slurm log a line is added when
it says something new. Knows nothing of where the numbers come from.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from skald_process.screens import Pace, Screen, duration


def scaled(number: float) -> str:
    """Write a positive number in at most six characters up to a hundred million, such as `12.3k`."""
    if number >= 1e6:
        return f"{number / 1e6:.2f}M"
    return f"{number / 1e3:.1f}k" if number >= 1e4 else f"{number:,.0f}"


class Progress:
    """Follows a run and shows it; where nothing is due a step costs a look at the clock.

    A screen that fails (a terminal that was closed, a full disk under a log) is given up; training
    goes on.

    Args:
        n_steps: Steps of the whole run.
        step_tokens: Tokens of one step.
        screen: Where to show it.
        mfu_at: Utilisation at a speed in tokens/s, or None where it is not known.
    """

    def __init__(
        self,
        n_steps: int,
        step_tokens: int,
        screen: Screen,
        mfu_at: Callable[[float], float | None],
    ) -> None:
        self._n_steps, self._step_tokens = n_steps, step_tokens
        self._screen: Screen | None = screen
        self._mfu_at, self._notes = mfu_at, Pace(n_steps)
        self._started = self._first_at = time.monotonic()
        self._first = self._step = 0
        self._loss_nats = self._seconds = self._seconds_shown = 0.0
        self._step_shown = 0
        self._bits: float | None = None

    def step(self, step: int, loss_nats: float, seconds: float) -> None:
        """Follow one step.

        Args:
            step: Its number.
            loss_nats: Its loss.
            seconds: What it took, without validation and saving.
        """
        self._step, self._loss_nats = step, loss_nats
        self._seconds += seconds
        now = time.monotonic()
        if self._first == 0:
            # What the first step took beyond the others says nothing about what is left.
            self._first, self._first_at, self._step_shown = step, now, step - 1
        # The last state is shown by `close`, with what the end brings.
        if self._screen is not None and step < self._n_steps and self._screen.due(now, step):
            fields = self._fields(step - self._step_shown, self._seconds - self._seconds_shown)
            if paced := step - self._first:
                left = (now - self._first_at) / paced * (self._n_steps - step)
                fields.append(f"{duration(left)} left")
            self._try(lambda screen: screen.show(step, fields))
            self._step_shown, self._seconds_shown = step, self._seconds

    def validation(self, step: int, bits_per_byte: dict[str, float]) -> None:
        """Show a validation by language: the first, the last and, where they come fast, some between.

        Args:
            step: When it was.
            bits_per_byte: By language.
        """
        self._bits = sum(bits_per_byte.values()) / len(bits_per_byte)
        if self._notes.due(time.monotonic(), step):
            each = "  ".join(f"{tag} {bits:.3f}" for tag, bits in sorted(bits_per_byte.items()))
            self._try(lambda screen: screen.note(f"step {step}/{self._n_steps}  bits/byte  {each}"))

    def close(self, joules: float | None) -> None:
        """Show the last state with what the run took.

        Args:
            joules: What it consumed, or None where that could not be read.
        """
        fields: list[str] = []
        if self._step:
            fields = self._fields(self._step - self._first + 1, self._seconds)
            fields.append(f"took {duration(time.monotonic() - self._started)}")
        if joules is not None:
            fields.append(f"{joules / 1e3:,.1f} kJ")
        self._try(lambda screen: screen.close(self._step, fields))
        self._screen = None

    def _fields(self, n_steps: int, seconds: float) -> list[str]:
        """Say loss, and speed over the last steps; what is not known is left out."""
        speed = n_steps * self._step_tokens / max(seconds, 1e-9)
        mfu = self._mfu_at(speed)
        return [
            f"loss {self._loss_nats:.3f}",
            f"{scaled(speed)} tokens/s",
            *([] if mfu is None else [f"MFU {100 * mfu:.1f}%"]),
            *([] if self._bits is None else [f"{self._bits:.3f} bits/byte"]),
        ]

    def _try(self, act: Callable[[Screen], None]) -> None:
        if self._screen is not None:
            try:
                act(self._screen)
            except OSError:
                self._screen = None
