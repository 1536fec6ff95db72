"""Any of lm-eval's models as one who answers questions, a few hundred at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lm_eval.api.instance import Instance

from skald_harness.scoring.questions import Answer, Question, QuestionKind

#: Questions of a chunk, which is what an interrupted evaluation loses at most. Standing: assumed.
CHUNK_QUESTIONS = 512

_REQUEST_TYPE: dict[QuestionKind, str] = {
    "loglikelihood": "loglikelihood",
    "rolling": "loglikelihood_rolling",
    "generate": "generate_until",
}


class LmAnswerer:
    """Answers questions by a model with lm-eval's interface.

    Args:
        model: Its answers to a list of requests must be a pure function of the list.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def chunks(self, questions: Sequence[Question]) -> list[list[int]]:
        """Part questions by kind, alike in length where it saves padding."""
        order = sorted(
            range(len(questions)),
            key=lambda i: (questions[i].kind, -_length(questions[i]), i),
        )
        chunks: list[list[int]] = []
        for i in order:
            last = chunks[-1] if chunks else []
            if (
                not last
                or len(last) == CHUNK_QUESTIONS
                or questions[last[0]].kind != questions[i].kind
            ):
                chunks.append([])
            chunks[-1].append(i)
        return chunks

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer the questions of one chunk; all are of one kind."""
        (kind,) = {question.kind for question in questions}
        request_type = _REQUEST_TYPE[kind]
        requests = [
            Instance(request_type, {}, _arguments(question), index)
            for index, question in enumerate(questions)
        ]
        given = getattr(self._model, request_type)(requests)
        if kind == "generate":
            return [Answer(None, text=text) for text in given]
        if kind == "rolling":
            return [Answer(float(value)) for value in given]
        return [Answer(float(value), is_greedy) for value, is_greedy in given]


def _length(question: Question) -> int:
    return len(question.context) + len(question.continuation)


def _arguments(question: Question) -> tuple[Any, ...]:
    if question.kind == "rolling":
        return (question.continuation,)
    if question.kind == "generate":
        return question.context, json.loads(question.options)
    return question.context, question.continuation
