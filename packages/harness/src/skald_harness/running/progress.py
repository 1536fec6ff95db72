"""How far an evaluation is: a line for each model, and more lines where it takes long."""

from __future__ import annotations

import time

from skald_harness.running.ranks import World

#: Nothing is said before the first, and then at most once in the second.
QUIET_SECONDS, SECONDS = 2.0, 15.0


class Progress:
    """Counts the answers of one model.

    Args:
        me: Only one rank prints.
        name: The model.
        n_tasks: Its tasks.
        n_questions: Questions of all of them.
    """

    def __init__(self, me: World, name: str, n_tasks: int, n_questions: int) -> None:
        self._me, self._name = me, name
        self._n_tasks, self._n_questions = n_tasks, n_questions
        self._stored = self._answered = 0
        self._began = time.monotonic()
        self._next = self._began + QUIET_SECONDS

    def found(self, n: int) -> None:
        """Note answers that the store had."""
        self._stored += n

    def answered(self, n: int) -> None:
        """Note answers of this rank, and say how long the rest takes."""
        self._answered += n
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        done = min(self._stored + self._answered * self._me.size, self._n_questions)
        seconds = (
            (now - self._began) / (self._answered * self._me.size) * (self._n_questions - done)
        )
        self._me.say(
            f"{self._name}: {done:,} of {self._n_questions:,} answers, about {seconds:.0f} s left"
        )

    def finished(self) -> None:
        """Say what the model was asked in all."""
        self._me.say(
            f"{self._name}: {self._n_tasks} tasks, {self._n_questions:,} answers, "
            f"{self._stored:,} of them from the store"
        )
