"""lm-eval's tasks as plain questions, and plain answers back as lm-eval's samples.

`lm_eval.evaluate` sets up anew for every model and task, which costs more than a small model; here a
task is asked once for all models. What is asked and how it is counted stays lm-eval's own code.
Refuses to know models, stores and records.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lm_eval.utils
from lm_eval.utils import handle_non_serializable, hash_string

from skald_harness.adapter.tasks import FEWSHOT_SEED
from skald_harness.scoring.questions import Answer, Question

#: A model's chat template: messages in, prompt out, as lm-eval calls it.
Chat = Callable[..., str]
Sample = dict[str, Any]

#: The fields of a document that name it; documents of others are named by their number.
NAMES = ("id", "key", "group")

# lm-eval compiles a template each time that it fills one in: 0.5 ms for 0.02 ms of work.
lm_eval.utils.env.from_string = functools.lru_cache(maxsize=1024)(lm_eval.utils.env.from_string)


@dataclass(frozen=True)
class AskedItem:
    """One document of a task with what it makes a model answer.

    `gold` holds the numbers of the right choices, none where the task has no choices. `key` names
    the items that share their content, `group` their phenomenon. `hashes` are those of lm-eval's
    samples, `instances` its requests, one a question.
    """

    document: Mapping[str, Any]
    doc_id: int
    item_id: str
    key: str
    group: str
    gold: tuple[int, ...]
    target: Any
    questions: tuple[Question, ...]
    instances: tuple[Any, ...]
    hashes: Mapping[str, str]


def ask(task: Any, chat: Chat | None = None) -> list[AskedItem]:
    """Render what a task asks, with its own examples in the context where it takes some.

    Args:
        task: lm-eval's task object.
        chat: The model's chat template, each example a turn of its own; None asks without one.

    Returns:
        The items in lm-eval's order; the same ones each time.
    """
    # Sampled examples depend on how often the task was asked before.
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
    task.build_all_requests(
        apply_chat_template=chat is not None, fewshot_as_multiturn=chat is not None,
        chat_template=chat,
    )  # fmt: skip
    by_document: dict[int, list[Any]] = {}
    for instance in task.instances:
        by_document.setdefault(instance.doc_id, []).append(instance)
    documents = {doc_id: instances[0].doc for doc_id, instances in by_document.items()}
    named = _are_named(list(documents.values()))
    return [
        _asked(task, doc_id, sorted(instances, key=lambda instance: int(instance.idx)), named)
        for doc_id, instances in by_document.items()
    ]


def questions_sha256(asked: Sequence[AskedItem]) -> str:
    """Hash everything that a task asks: texts, order, options, names and right choices."""
    digest = hashlib.sha256()
    for item in asked:
        for question in item.questions:
            fields = (question.kind, question.context, question.continuation, question.options)
            row = [item.item_id, *fields, question.is_right]
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()


def measure(
    task: Any, asked: Sequence[AskedItem], answers: Sequence[Sequence[Answer]]
) -> list[Sample]:
    """Count answers as lm-eval does.

    Args:
        task: The task object that was asked.
        asked: Its items.
        answers: For each item an answer to each of its questions.

    Returns:
        The samples that `lm_eval.evaluate` would log, in its order: filter by filter, item by item.
    """
    instances = []
    for item, given in zip(asked, answers, strict=True):
        for instance, answer in zip(item.instances, given, strict=True):
            # Answers are a function of the question: repeats are the same answer again.
            instance.resps = [_response(instance.request_type, answer)] * (instance.repeats or 1)
            instance.filtered_resps = {}
            instances.append(instance)
    task._instances = instances
    task.apply_filters()
    samples = []
    for name in instances[0].filtered_resps:
        for item in asked:
            filtered = [instance.filtered_resps[name] for instance in item.instances]
            metrics = task.process_results(item.document, filtered)
            samples.append(
                {
                    "doc_id": item.doc_id,
                    "doc": item.document,
                    "target": item.target,
                    "arguments": [instance.args for instance in item.instances],
                    "resps": [instance.resps for instance in item.instances],
                    "filtered_resps": filtered,
                    "filter": name,
                    "metrics": list(metrics),
                    **item.hashes,
                    **metrics,
                }
            )
    return samples


def _are_named(documents: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether all documents carry names of their own, and no two the same one."""
    if not all(name in document for document in documents for name in NAMES):
        return False
    return len({str(document["id"]) for document in documents}) == len(documents)


def _asked(task: Any, doc_id: int, instances: list[Any], named: bool) -> AskedItem:
    document = instances[0].doc
    target = task.doc_to_target(document)
    gold = right_choices(task, document, target)
    names = [str(document[name]) if named else str(doc_id) for name in NAMES]
    serialised = json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return AskedItem(
        document=document,
        doc_id=doc_id,
        item_id=names[0],
        key=names[1],
        group=names[2],
        gold=gold,
        target=target,
        questions=tuple(_question(instance, gold, task) for instance in instances),
        instances=tuple(instances),
        hashes={
            "doc_hash": hash_string(serialised),
            "prompt_hash": hash_string(instances[0].arguments[0]),
            "target_hash": hash_string(str(target)),
        },
    )


def right_choices(task: Any, document: Mapping[str, Any], target: Any) -> tuple[int, ...]:
    """Return the numbers of the right choices by lm-eval's own reading of a target.

    Args:
        task: lm-eval's task object.
        document: The item.
        target: What the task's `doc_to_target` makes of it.
    """
    if task.OUTPUT_TYPE != "multiple_choice":
        return ()
    choices = task.doc_to_choice(document)
    right = task.doc_to_text(document) if task.multiple_input else target
    found = []
    for value in right if isinstance(right, list) else [right]:
        if isinstance(value, str):
            value = choices.index(value) if value in choices else -1
        if 0 <= value < len(choices):
            found.append(int(value))
    return tuple(found)


def _question(instance: Any, gold: tuple[int, ...], task: Any) -> Question:
    if instance.request_type == "loglikelihood_rolling":
        return Question("rolling", "", instance.args[0])
    if instance.request_type == "generate_until":
        options = json.dumps(instance.args[1], sort_keys=True, ensure_ascii=False)
        return Question("generate", instance.args[0], "", options)
    context, continuation = instance.args[:2]
    is_right = None
    # Behind the choices may stand their continuations without a context (`acc_mutual_info`).
    if gold and instance.idx < len(task.doc_to_choice(instance.doc)):
        is_right = instance.idx in gold
    return Question(
        "loglikelihood", context, continuation, is_right=is_right, place=int(instance.idx)
    )


def _response(request_type: str, answer: Answer) -> Any:
    if request_type == "generate_until":
        return answer.text
    if request_type == "loglikelihood_rolling":
        return answer.logprob_nats
    return answer.logprob_nats, bool(answer.is_greedy)
