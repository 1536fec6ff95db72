"""Controls that look at the answers offered and at nothing else: their length, or which is right.

Knows questions; refuses to know networks, texts and files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skald_specs.controls import LONGEST, ORACLE, SHORTEST
from skald_specs.errors import UserInputError
from skald_specs.records import CHOICE_KINDS, EvaluatedModel

from skald_harness.models.controls import Subject
from skald_harness.scoring.questions import Answer, Question

#: How steeply a rule prefers a byte. A metric that divides by characters must not overturn an order
#: by bytes: with this power it does not where answers of up to 190 bytes have at most 18 % of
#: characters of two bytes, and no answer is so long that the number overflows.
_POWER = 32
#: Answers of one length are told apart by a hash, far below the weight of one byte.
_TIE = 1e-7


def _longest(question: Question) -> float:
    return -(_length(question) ** -_POWER) * (1 + _TIE * _coin(question))


def _shortest(question: Question) -> float:
    return -(_length(question) ** _POWER) * (1 + _TIE * _coin(question))


def _oracle(question: Question) -> float:
    # What is neither right nor wrong is a question beside the choices, such as an answer without
    # its context (lm-eval's `acc_mutual_info`): its answer must not matter.
    return -_length(question) if question.is_right is False else 0.0


def _length(question: Question) -> float:
    """Return the UTF-8 bytes of an answer, at least 1."""
    return float(max(1, len(question.continuation.encode("utf-8"))))


def _coin(question: Question) -> float:
    """Return a number from 0 to 1 that the texts fix: lm-eval would count a tie as the first choice."""
    text = f"{question.context}\x00{question.continuation}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") / 2**32


@dataclass(frozen=True)
class RuleAnswerer:
    """Answers a choice by a rule; its numbers are an order, no probabilities of text."""

    rule: Callable[[Question], float]

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """Return one chunk: a rule costs nothing and looks at one question at a time."""
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
        return [Answer(self.rule(question)) for question in questions]


_RULES: dict[str, tuple[Callable[[Question], float], str]] = {
    LONGEST: (_longest, "Takes the answer with the most bytes; of equal ones, one by lot"),
    SHORTEST: (_shortest, "Takes the answer with the fewest bytes; of equal ones, one by lot"),
    ORACLE: (_oracle, "Knows the right answer: what a task's metric makes of it"),
}


def rules() -> list[Subject]:
    """Return the rules; they take tasks that offer a choice, in any language."""
    return [_subject(name, rule, about) for name, (rule, about) in _RULES.items()]


def _subject(name: str, rule: Callable[[Question], float], about: str) -> Subject:
    answerer = RuleAnswerer(rule)
    # A rule has no weights: its name, and the version that a changed rule must raise.
    identity = {"rule": name, "version": 1}
    model = EvaluatedModel(
        name=name,
        role="control",
        about=about,
        n_params_total=None,
        weights_sha256="",
        tokenizer_sha256="",
        dtype="float64",
        scorer="rule",
    )
    return Subject(
        model, lambda _: identity, lambda _: answerer, lambda kind, _: kind in CHOICE_KINDS
    )
