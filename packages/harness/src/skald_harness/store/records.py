"""From lm-eval's samples to records: one per request, one per item."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from skald_specs.records import ItemRecord, Recheck, RequestRecord

from skald_harness.tasks.suites import TaskDefinition

Sample = dict[str, Any]


def request_records(
    task: TaskDefinition, key: str, samples: Sequence[Sample]
) -> list[RequestRecord]:
    """Return what was asked and answered, in the order of items and choices."""
    records = []
    for sample in samples:
        pairs = zip(sample["arguments"], sample["filtered_resps"], strict=True)
        for index, (arguments, response) in enumerate(pairs):
            context, continuation = ("", arguments[0]) if task.kind == "text" else arguments
            records.append(
                RequestRecord(
                    run_key=key,
                    task=task.name,
                    item_id=str(sample["doc"]["id"]),
                    index=index,
                    context=context,
                    continuation=continuation,
                    logprob_nats=_logprob(response),
                    is_greedy=None,
                    response=None,
                    recheck_nats=None,
                    n_tokens=0,
                    n_bytes=len(continuation.encode("utf-8")),
                )
            )
    return records


def item_records(model: str, task: TaskDefinition, samples: Sequence[Sample]) -> list[ItemRecord]:
    """Return one record per item; the headline is the first metric of the task's definition."""
    return [
        _text_record(model, task, sample)
        if task.kind == "text"
        else _choice_record(model, task, sample)
        for sample in samples
    ]


def rechecks(asked: Mapping[str, Sequence[RequestRecord]]) -> tuple[Recheck, ...]:
    """Return for each model with a request drawn for it how far the plain path was off.

    Args:
        asked: The requests of each model.
    """
    found = []
    for model, records in asked.items():
        off = [
            abs(record.logprob_nats - record.recheck_nats)
            for record in records
            if record.logprob_nats is not None and record.recheck_nats is not None
        ]
        if off:
            found.append(
                Recheck(
                    model=model,
                    n_requests=len(records),
                    n_rechecked=len(off),
                    largest_nats=max(off),
                )
            )
    return tuple(found)


def _choice_record(model: str, task: TaskDefinition, sample: Sample) -> ItemRecord:
    document = sample["doc"]
    gold = int(document["gold"])
    logprobs = [_logprob(response) for response in sample["filtered_resps"]]
    metrics = {name: float(sample[name]) for name in task.metrics[1:]}
    metrics["logprob_gold"] = logprobs[gold]
    metrics["logprob_best_wrong"] = max(logprobs[:gold] + logprobs[gold + 1 :])
    return _record(
        model,
        task,
        document,
        score=float(sample[task.metrics[0]]),
        n_bytes=len(document["choices"][gold].encode("utf-8")),
        metrics=metrics,
    )


def _text_record(model: str, task: TaskDefinition, sample: Sample) -> ItemRecord:
    # lm-eval leaves the division to its aggregation: the metric is (log-probability, bytes).
    logprob_nats, n_bytes = sample[task.metrics[0]]
    bits = -float(logprob_nats) / math.log(2)
    return _record(
        model, task, sample["doc"], score=bits / n_bytes, n_bytes=n_bytes, metrics={"bits": bits}
    )


def _record(
    model: str,
    task: TaskDefinition,
    document: dict[str, Any],
    score: float,
    n_bytes: int,
    metrics: dict[str, float],
) -> ItemRecord:
    return ItemRecord(
        model=model,
        task=task.name,
        kind=task.kind,
        language=task.language,
        item_id=str(document["id"]),
        key=str(document["key"]),
        group=str(document["group"]),
        score=score,
        n_bytes=n_bytes,
        metrics=metrics,
    )


def _logprob(response: Any) -> float:
    """Unwrap lm-eval's answer: a number for documents, (number, is greedy) for choices."""
    return float(response[0] if isinstance(response, tuple | list) else response)
