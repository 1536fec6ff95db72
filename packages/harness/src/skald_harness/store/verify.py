"""Every number of an evaluation's folder that follows from its request records, computed again.

Knows what follows from what; refuses to know models and how the records came about. What follows from
the corpus, the store and the items' data is compared where those are at hand.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.models import Spec
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

from skald_harness.scoring.recheck import TOLERANCE_NATS, tolerance_nats
from skald_harness.store.answers import store_folder
from skald_harness.store.evaluation import requests_path
from skald_harness.store.mismatches import Mismatch, Verification
from skald_harness.store.recompute import as_asked, choice_metrics, text_metrics
from skald_harness.store.verify_contamination import check_contamination
from skald_harness.store.verify_sources import check_data, check_keys
from skald_harness.store.verify_summary import check_summary

S = TypeVar("S", bound=Spec)
#: The answers to one item, by model, task and item.
Asked = dict[tuple[str, str, str], list[RequestRecord]]


def verify_evaluation(
    folder: Path, corpus: Path | None = None, data: Path | None = None
) -> Verification:
    """Recompute an evaluation: requests -> items -> summary.

    Args:
        folder: Holds `summary.json`, `items.jsonl` and `requests/`. The store of its answers is looked
            for beside the folder that it lies in.
        corpus: The corpus that was searched for its items; None where there is none.
        data: The folder of the suite's items; None where it is not known.

    Returns:
        What was compared, and the mismatches.

    Raises:
        UserInputError: A file is missing or a line cannot be read.
    """
    found = Verification()
    summary = EvaluationSummary.load(folder / "summary.json")
    asked = _requests(folder, summary, found)
    items = _items(folder / "items.jsonl", summary, asked, found)
    rows: dict[tuple[str, str], list[list[RequestRecord]]] = {}
    for (model, task, _), requests in asked.items():
        rows.setdefault((model, task), []).append(requests)
    check_summary(folder / "summary.json", summary, items, rows, found)
    check_contamination(folder, summary, items, corpus, found)
    keys = {(model, task): row[0][0].run_key for (model, task), row in rows.items()}
    check_keys(folder / "summary.json", summary, keys, store_folder(folder.parent), found)
    check_data(folder, summary, items, data, found)
    return found


def _requests(folder: Path, summary: EvaluationSummary, found: Verification) -> Asked:
    tasks = {task.name for task in summary.tasks}
    asked: Asked = {}
    #: What each run key was met with: never a second model's or task's answers.
    owners: dict[str, tuple[str, tuple[str, ...]]] = {}
    for model in summary.models:
        path = requests_path(folder, model.name)
        keys: dict[str, collections.Counter[str]] = {}
        records = []
        for where, record in _read(path, RequestRecord):
            if record.task not in tasks:
                raise UserInputError(where, f"task {record.task!r} is not in summary.json", _AGAIN)
            asked.setdefault((model.name, record.task, record.item_id), []).append(record)
            keys.setdefault(record.task, collections.Counter())[record.run_key] += 1
            records.append(record)
        usual = {task: counts.most_common(1)[0][0] for task, counts in keys.items()}
        for record in records:
            name = f"{record.task}/{record.item_id}#{record.index}"
            n_bytes = len(record.continuation.encode("utf-8"))
            found.check("requests", path, name, "n_bytes", record.n_bytes, n_bytes)
            found.check("run keys", path, name, "run_key", record.run_key, usual[record.task])
            _check_again(path, name, model, record, found)
        for task, key in usual.items():
            owner = owners.setdefault(key, (task, _identity(model)))
            found.check("run keys", path, task, "run_key of", (task, _identity(model)), owner)
    return asked


def _identity(model: EvaluatedModel) -> tuple[str, ...]:
    return (model.weights_sha256, model.tokenizer_sha256, model.dtype)


def _check_again(
    path: Path, name: str, model: EvaluatedModel, record: RequestRecord, found: Verification
) -> None:
    if record.recheck_nats is None or record.logprob_nats is None:
        return
    # A type that has no tolerance of its own is none of a network's.
    dtype = model.dtype if model.dtype in TOLERANCE_NATS else "float32"
    bound = tolerance_nats(dtype, max(1, record.n_tokens))
    found.checked["answers beside the plain path"] += 1
    if abs(record.recheck_nats - record.logprob_nats) > bound:
        found.mismatches.append(
            Mismatch(path, name, "logprob_nats", record.logprob_nats, record.recheck_nats)
        )


def _items(
    path: Path, summary: EvaluationSummary, asked: Asked, found: Verification
) -> dict[tuple[str, str], list[ItemRecord]]:
    tasks = {task.name: task for task in summary.tasks}
    models = {model.name: model for model in summary.models}
    seen: set[tuple[str, str, str]] = set()
    groups: dict[tuple[str, str], list[ItemRecord]] = {}
    for where, item in _read(path, ItemRecord):
        name = f"{item.model}/{item.task}/{item.item_id}"
        if item.task not in tasks or item.model not in models:
            raise UserInputError(where, f"{name} is of no model and task of summary.json", _AGAIN)
        task = as_asked(tasks[item.task], models[item.model])
        key = (item.model, item.task, item.item_id)
        found.check("items", path, name, "times recorded", 1 + (key in seen), 1)
        seen.add(key)
        groups.setdefault((item.model, item.task), []).append(item)
        found.check("items", path, name, "kind", item.kind, task.kind)
        found.check("items", path, name, "language", item.language, task.language)
        requests = sorted(asked.get(key, ()), key=lambda record: record.index)
        numbers = [record.index for record in requests]
        wanted = list(range(max(1, len(numbers))))
        found.check("items", path, name, "indices of its requests", numbers, wanted)
        if numbers == wanted:
            _check_item(path, name, item, task, requests, found)
    for missing in sorted(asked.keys() - seen):
        found.check("items", path, "/".join(missing), "times recorded", 0, 1)
    return groups


def _check_item(
    path: Path,
    name: str,
    item: ItemRecord,
    task: TaskInfo,
    requests: Sequence[RequestRecord],
    found: Verification,
) -> None:
    try:
        if item.kind == "text":
            metrics: dict[str, float] | None = text_metrics(requests)
            n_bytes = requests[0].n_bytes
        else:
            metrics = choice_metrics(requests, task.target_delimiter)
            n_bytes = next((r for r in requests if r.is_right), requests[0]).n_bytes
    except ValueError as error:
        found.mismatches.append(Mismatch(path, name, "score", item.score, f"nothing: {error}"))
        return
    if metrics is None:
        found.checked["items whose task does not tell the right answer (not recomputed)"] += 1
        return
    found.check("item scores", path, name, "n_bytes", item.n_bytes, n_bytes)
    for metric, value in {task.metric: item.score, **item.metrics}.items():
        if metric in metrics:
            found.check("item scores", path, name, metric, value, metrics[metric])
        else:
            found.checked[f"values of {metric} (not recomputed)"] += 1


def _read(path: Path, spec: type[S]) -> Iterator[tuple[str, S]]:
    for number, row in enumerate(read_jsonl(path), start=1):
        where = f"{path}:{number}"
        yield where, spec.check(row, where)


_AGAIN = "Evaluate again into an empty folder"
