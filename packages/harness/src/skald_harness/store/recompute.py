"""From the answers to one item back to its scores: lm-eval's arithmetic written a second time.

It shares no code with lm-eval or with what wrote the records, so that a fault in either shows.
Refuses to know files and tasks' code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from skald_specs.records import EvaluatedModel, RequestRecord, TaskInfo


def as_asked(task: TaskInfo, model: EvaluatedModel) -> TaskInfo:
    """Return a task as a model was asked it: after a chat template nothing stands before a choice.

    Args:
        task: As the summary has it, for models without a template.
        model: One with the hash of a chat template was asked through it.
    """
    chat = model.chat_template_sha256 is not None
    return task.model_copy(update={"target_delimiter": ""}) if chat else task


def text_metrics(requests: Sequence[RequestRecord]) -> dict[str, float]:
    """Return the bits, and bits per byte, of a document that was asked in one request.

    Raises:
        ValueError: There is not exactly one answer, or no text.
    """
    if len(requests) != 1 or requests[0].logprob_nats is None:
        raise ValueError("a document has exactly one log-probability")
    if not requests[0].continuation:
        raise ValueError("a document has a text")
    bits = -requests[0].logprob_nats / math.log(2)
    return {
        "bits": bits,
        "bits_per_byte": bits / len(requests[0].continuation.encode("utf-8")),
    }


def choice_metrics(requests: Sequence[RequestRecord], delimiter: str) -> dict[str, float] | None:
    """Return the scores of a choice, in order of its requests.

    The likeliest choice is the first of those with the largest sum, as in numpy's argmax; lengths
    are those of the choices without the delimiter, in characters or UTF-8 bytes.

    Args:
        requests: One a choice.
        delimiter: What stands in each continuation before the choice.

    Returns:
        Accuracies by name, `logprob_gold` and `logprob_best_wrong`; None where the task does not tell the right choice.

    Raises:
        ValueError: No choice is the right one, a log-probability is missing, or a continuation
            lacks the delimiter.
    """
    requests = choices_of(requests)
    if not requests:
        return None
    right = [i for i, request in enumerate(requests) if request.is_right]
    if not right:
        raise ValueError("no choice is right")
    chosen = choices_made(requests, delimiter)
    sums = _sums(requests)
    wrong = [nats for i, nats in enumerate(sums) if i not in right]
    found = {metric: float(choice in right) for metric, choice in chosen.items()}
    found["logprob_gold"] = max(sums[i] for i in right)
    return found | ({"logprob_best_wrong": max(wrong)} if wrong else {})


def choices_of(requests: Sequence[RequestRecord]) -> list[RequestRecord]:
    """Return the requests that are choices; lm-eval may ask for their texts without context, too."""
    return [request for request in requests if request.is_right is not None]


def choices_made(requests: Sequence[RequestRecord], delimiter: str) -> dict[str, int]:
    """Return the choice that a model makes by each rule.

    Rules: `acc`, and where the choices are continuations `acc_norm` and `acc_bytes`.

    Args:
        requests: One a choice, in order.
        delimiter: What stands in each continuation before the choice.

    Raises:
        ValueError: A log-probability is missing, or a continuation lacks the delimiter.
    """
    choices = texts_of(requests, delimiter)
    sums = _sums(requests)
    if len({request.context for request in requests}) > 1:
        # The choices stand in the contexts, behind whatever else does: their lengths are not told.
        return {"acc": _first_best(sums)}
    per_character = [_per(nats, len(choice)) for nats, choice in zip(sums, choices, strict=True)]
    per_byte = [
        _per(nats, len(choice.encode("utf-8"))) for nats, choice in zip(sums, choices, strict=True)
    ]
    return {
        "acc": _first_best(sums),
        "acc_norm": _first_best(per_character),
        "acc_bytes": _first_best(per_byte),
    }


def texts_of(requests: Sequence[RequestRecord], delimiter: str) -> list[str]:
    """Return the choices without the delimiter.

    Args:
        requests: One a choice, in order.
        delimiter: What stands in each continuation before the choice; may be empty.

    Raises:
        ValueError: A continuation does not begin with it.
    """
    for request in requests:
        if not request.continuation.startswith(delimiter):
            raise ValueError(f"choice {request.index} does not begin with {delimiter!r}")
    return [request.continuation[len(delimiter) :] for request in requests]


def _sums(requests: Sequence[RequestRecord]) -> list[float]:
    sums = [request.logprob_nats for request in requests if request.logprob_nats is not None]
    if len(sums) != len(requests):
        raise ValueError("a choice has no log-probability")
    return sums


def _per(nats: float, length: int) -> float:
    return nats / length if length else -math.inf


def _first_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: (values[i], -i))
