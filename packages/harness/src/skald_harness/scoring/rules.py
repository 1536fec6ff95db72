"""Rules that look at the answers offered and at nothing else: their length, or which are right.

Knows questions; refuses to know networks, texts and files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skald_specs.errors import UserInputError

from skald_harness.scoring.questions import Answer, Question

#: How steeply a rule prefers a byte. A metric that divides by characters must not overturn an order
#: by bytes: with this power it does not where answers of up to 190 bytes have at most 18 % of
#: characters of two bytes, and no answer is so long that the number overflows.
_POWER = 32
#: Answers of one length are told apart by a hash, far below the weight of one byte.
_TIE = 1e-7


def longest(question: Question) -> float:
    """Prefer the answer with the most UTF-8 bytes; of equal ones, one by lot."""
    return -(_length(question) ** -_POWER) * (1 + _TIE * _coin(question))


def shortest(question: Question) -> float:
    """Prefer the answer with the fewest UTF-8 bytes; of equal ones, one by lot."""
    return -(_length(question) ** _POWER) * (1 + _TIE * _coin(question))


def oracle(question: Question) -> float:
    """Prefer the right answer."""
    # What is neither right nor wrong is a question beside the choices, such as an answer without
    # its context (lm-eval's `acc_mutual_info`): its answer must not matter.
    return -_length(question) if question.is_right is False else 0.0


def majority(questions: Sequence[Question]) -> Callable[[Question], float]:
    """Return the rule that prefers the label that is right most often, the first of equal ones.

    Args:
        questions: All questions of a task whose items offer the same labels in the same order.
    """
    places = Counter(question.place for question in questions if question.is_right)
    # Not `most_common`, which takes the first met of equal ones.
    label = min(places, key=lambda place: (-places[place], place), default=0)

    def rule(question: Question) -> float:
        beside = question.is_right is None or question.place == label
        return 0.0 if beside else -_length(question)

    return rule


def _length(question: Question) -> float:
    """Return the UTF-8 bytes of an answer, at least 1."""
    return float(max(1, len(question.continuation.encode("utf-8"))))


def _coin(question: Question) -> float:
    """Return a number from 0 to 1 that the texts fix: lm-eval would count a tie as the first choice."""
    text = f"{question.context}\x00{question.continuation}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32


@dataclass(frozen=True)
class RuleAnswerer:
    """Answers a choice by a rule; its numbers are an order, no probabilities of text.

    `rule_for` returns the rule for the questions of a task.
    """

    rule_for: Callable[[Sequence[Question]], Callable[[Question], float]]

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """Return one chunk: a rule costs nothing, and may have to see all questions of the task."""
        return [list(range(len(questions)))] if questions else []

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer choices.

        Raises:
            UserInputError: A question is no choice.
        """
        for question in questions:
            if question.kind != "loglikelihood":
                raise UserInputError(
                    "controls", f"a rule cannot answer a {question.kind} question", "Leave it out"
                )
        rule = self.rule_for(questions)
        return [Answer(rule(question)) for question in questions]
