"""Questions and answers: what passes between a task and whoever answers it.

Refuses to know lm-eval, files and networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

#: How a question is answered: the log-probability of a continuation, of a whole document, or text.
QuestionKind = Literal["loglikelihood", "rolling", "generate"]


@dataclass(frozen=True)
class Question:
    """One request.

    `continuation` is the choice, or the whole document of a `rolling` question, and empty for
    `generate`, whose `options` are lm-eval's generation arguments as JSON. `is_right` says whether
    it is the right choice; None where the task does not tell. `place` is its number among the questions
    of its item. Only controls look at these two.
    """

    kind: QuestionKind
    context: str
    continuation: str
    options: str = ""
    is_right: bool | None = None
    place: int = 0


@dataclass(frozen=True)
class Answer:
    """The answer to a question; `recheck_nats` is its log-probability by the plain path, if drawn."""

    logprob_nats: float | None
    is_greedy: bool | None = None
    text: str | None = None
    n_tokens: int = 0
    recheck_nats: float | None = None


class Answerer(Protocol):
    """Whoever answers: a network, byte counts, or a rule."""

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """Part the questions of one task into units of work: all indices, each once.

        A pure function of the questions and the answerer, so that ranks and resumed runs agree on
        the parts and every answer has the same bits whoever gives it.
        """
        ...

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer the questions of one chunk, together."""
        ...
