"""From questions, answers and lm-eval's samples to records: one per request, one per item."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from skald_specs.errors import ClaimError
from skald_specs.records import ItemRecord, Recheck, RequestRecord

from skald_harness.adapter.asking import AskedItem, Sample
from skald_harness.scoring.questions import Answer
from skald_harness.tasks.suites import TaskDefinition


def request_record(
    task: str, run_key: str, item: AskedItem, index: int, answer: Answer
) -> RequestRecord:
    """Return one question with its answer.

    Args:
        task: The task's name.
        run_key: The digest of model and task under which answers are kept.
        item: The item.
        index: Which of its questions.
        answer: To that question, from the model or a rule.

    Raises:
        ClaimError: The log-probability is no number.
    """
    question = item.questions[index]
    if answer.logprob_nats is not None and not math.isfinite(answer.logprob_nats):
        raise ClaimError(
            f"{task}: item {item.item_id}: log-probability {answer.logprob_nats} is no number. "
            "Its weights may be damaged: export or fetch the model again"
        )
    return RequestRecord(
        run_key=run_key,
        task=task,
        item_id=item.item_id,
        index=index,
        context=question.context,
        continuation=question.continuation,
        logprob_nats=answer.logprob_nats,
        is_greedy=answer.is_greedy,
        response=answer.text,
        recheck_nats=answer.recheck_nats,
        n_tokens=answer.n_tokens,
        n_bytes=len(question.continuation.encode("utf-8")),
        is_right=question.is_right,
    )


def recorded_answer(fields: Mapping[str, Any]) -> Answer:
    """Return the answer that a request record holds."""
    return Answer(
        fields["logprob_nats"],
        fields["is_greedy"],
        fields["response"],
        fields["n_tokens"],
        fields["recheck_nats"],
    )


def recheck(model: str, answers: Sequence[Answer]) -> list[Recheck]:
    """Return how far the plain path was off for a model; nothing where no answer was drawn for it.

    Args:
        model: Who answered.
        answers: All its answers of one suite.
    """
    off = [
        abs(answer.logprob_nats - answer.recheck_nats)
        for answer in answers
        if answer.logprob_nats is not None and answer.recheck_nats is not None
    ]
    if not off:
        return []
    return [
        Recheck(model=model, n_requests=len(answers), n_rechecked=len(off), largest_nats=max(off))
    ]


def item_records(
    model: str, task: TaskDefinition, asked: Sequence[AskedItem], samples: Sequence[Sample]
) -> list[ItemRecord]:
    """Return one record per item; the headline is the first metric of the task's definition.

    Args:
        model: Who answered.
        task: The definition.
        asked: What was asked.
        samples: What `asking.measure` made of it. Of several filters the first one's metrics keep
            their names, and the others' get theirs behind a comma.
    """
    by_item: dict[int, list[Sample]] = {}
    for sample in samples:
        by_item.setdefault(sample["doc_id"], []).append(sample)
    return [_item_record(model, task, item, by_item[item.doc_id]) for item in asked]


def _item_record(
    model: str, task: TaskDefinition, item: AskedItem, samples: Sequence[Sample]
) -> ItemRecord:
    first = samples[0]
    metrics: dict[str, float] = {}
    for sample in samples:
        suffix = "" if sample is first else f",{sample['filter']}"
        for name in sample["metrics"]:
            # What lm-eval only puts together over items (F1, perplexity) has no value of its own.
            if isinstance(sample[name], numbers.Real):
                metrics[f"{name}{suffix}"] = float(sample[name])
    headline = task.metrics[0]
    n_bytes = sum(len(question.continuation.encode("utf-8")) for question in item.questions)
    if item.gold:
        logprobs = [float(response[0]) for response in first["filtered_resps"]]
        wrong = [x for x, q in zip(logprobs, item.questions, strict=True) if q.is_right is False]
        metrics["logprob_gold"] = max(logprobs[i] for i in item.gold)
        if wrong:
            metrics["logprob_best_wrong"] = max(wrong)
        n_bytes = len(item.questions[item.gold[0]].continuation.encode("utf-8"))
    if task.kind == "text":
        # lm-eval leaves the division to its aggregation: the metric is (log-probability, bytes).
        logprob_nats, n_bytes = first[headline]
        metrics["bits"] = -float(logprob_nats) / math.log(2)
        score = metrics["bits"] / n_bytes
    elif headline in metrics:
        score = metrics.pop(headline)
    else:
        # A task may have nothing but a correlation: whether the two agree is then its accuracy.
        score = _agreement(first[headline] if headline in first else first["mcc"])
    return ItemRecord(
        model=model,
        task=task.name,
        kind=task.kind,
        language=task.language,
        item_id=item.item_id,
        key=item.key,
        group=item.group,
        score=score,
        n_bytes=n_bytes,
        metrics=metrics,
    )


def _agreement(value: Any) -> float:
    """Return an item's share in a metric over all items: whether (right, given) agree."""
    right, given = value
    return float(given in right) if isinstance(right, list) else float(right == given)
