"""Byte counts that answer questions. Knows texts as bytes; refuses to know corpora and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skald_specs.errors import UserInputError

from skald_harness.scoring.ngram import ByteNgram
from skald_harness.scoring.questions import Answer, Question

#: Text of one chunk of questions; each byte costs some 200 bytes of arrays.
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class BytesAnswerer:
    """A byte n-gram model that answers questions; contexts and texts are raw UTF-8."""

    ngram: ByteNgram

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """Part the questions, in order, into chunks of about a million bytes."""
        parts: list[list[int]] = []
        room = 0
        for index, question in enumerate(questions):
            if room <= 0:
                parts.append([])
                room = _CHUNK_BYTES
            parts[-1].append(index)
            room -= len((question.context + question.continuation).encode("utf-8"))
        return parts

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer choices and documents with log-probabilities in nats; greediness is not computed.

        Raises:
            UserInputError: A question asks for generated text.
        """
        if any(question.kind == "generate" for question in questions):
            raise UserInputError(
                "controls", "byte counts cannot answer a generate question", "Leave it out"
            )
        contexts = [q.context.encode("utf-8") for q in questions]
        texts = [
            context + q.continuation.encode("utf-8")
            for context, q in zip(contexts, questions, strict=True)
        ]
        scored = self.ngram.log_probabilities(texts)
        return [
            Answer(float(values[len(context) :].sum()))
            for values, context in zip(scored, contexts, strict=True)
        ]
