"""Every number of an evaluation's folder, computed again from its request records alone.

Knows what follows from what; refuses to know models, tasks' code and how the records came about.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from skald_specs.errors import UserInputError
from skald_specs.files import read_jsonl
from skald_specs.models import Spec
from skald_specs.records import (
    CHOICE_KINDS,
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

from skald_harness.store.evaluation import requests_path
from skald_harness.store.recompute import as_asked, choice_metrics, choices_of, text_metrics

#: How far a log-probability may lie from the plain path's, in nats. Standing: measured sums of tree
#: and plain path differ by 1.5e-5 in fp32; a type of 8 bits of mantissa by hundreds of times that.
RECHECK_NATS: Mapping[str, float] = {"float32": 1e-3, "float64": 1e-3}
RECHECK_NATS_OTHERWISE = 2e-2
#: Two ways to one number may differ in its last bits, relative to its size.
ROUNDING = 1e-12

S = TypeVar("S", bound=Spec)
#: The answers to one item, by model, task and item.
Asked = dict[tuple[str, str, str], list[RequestRecord]]


@dataclass(frozen=True)
class Mismatch:
    """A number that does not follow from the records: where, what, as recorded and as computed."""

    file: Path
    item: str
    what: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.item}: {self.what} is {_shown(self.recorded)}, "
            f"recomputed {_shown(self.recomputed)}"
        )


@dataclass
class Verification:
    """What was checked, by name with its count, and what did not agree."""

    checked: collections.Counter[str] = field(default_factory=collections.Counter)
    mismatches: list[Mismatch] = field(default_factory=list)

    def check(
        self, name: str, file: Path, item: str, what: str, recorded: Any, recomputed: Any
    ) -> None:
        """Count one comparison, and keep it where the two are not the same."""
        self.checked[name] += 1
        if not _same(recorded, recomputed):
            self.mismatches.append(Mismatch(file, item, what, recorded, recomputed))


def verify_evaluation(folder: Path) -> Verification:
    """Recompute an evaluation: requests -> items -> summary.

    Args:
        folder: Holds `summary.json`, `items.jsonl` and `requests/`.

    Returns:
        What was compared, and the mismatches.

    Raises:
        UserInputError: A file is missing or a line cannot be read.
    """
    found = Verification()
    summary = EvaluationSummary.load(folder / "summary.json")
    asked = _requests(folder, summary, found)
    items = _items(folder / "items.jsonl", summary, asked, found)
    _check_summary(folder / "summary.json", summary, items, asked, found)
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
    bound = RECHECK_NATS.get(model.dtype, RECHECK_NATS_OTHERWISE)
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


def _check_summary(
    path: Path,
    summary: EvaluationSummary,
    items: Mapping[tuple[str, str], Sequence[ItemRecord]],
    asked: Asked,
    found: Verification,
) -> None:
    counts: dict[tuple[str, str], list[int]] = {}
    for (name, task_name, _), requests in asked.items():
        counts.setdefault((name, task_name), []).append(len(choices_of(requests)) or len(requests))
    for task in summary.tasks:
        for model in summary.models:
            where, key = f"{task.name} of {model.name}", (model.name, task.name)
            # A control takes the tasks that it has an answer to.
            if model.role == "control" and key not in items and key not in counts:
                continue
            found.check("summary", path, where, "n_items", task.n_items, len(items.get(key, ())))
            if task.kind in CHOICE_KINDS and task.chance is not None and key in counts:
                chance = sum(1 / count for count in counts[key]) / len(counts[key])
                found.check("summary", path, where, "chance", task.chance, round(chance, 12))
    known = {task.name: task.chance for task in summary.tasks}
    for flag in summary.flags:
        where, mine = f"flag of {flag.control}", items.get((flag.control, flag.task), ())
        score = sum(item.score for item in mine) / len(mine) if mine else None
        found.check("flags", path, where, f"score on {flag.task}", flag.score, score)
        found.check(
            "flags", path, where, f"chance of {flag.task}", flag.chance, known.get(flag.task)
        )


def _read(path: Path, spec: type[S]) -> Iterator[tuple[str, S]]:
    for number, row in enumerate(read_jsonl(path), start=1):
        where = f"{path}:{number}"
        yield where, spec.check(row, where)


_AGAIN = "Evaluate again into an empty folder"


def _same(recorded: Any, recomputed: Any) -> bool:
    if isinstance(recorded, float | int) and isinstance(recomputed, float | int):
        return math.isclose(recorded, recomputed, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(recorded == recomputed)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_shown(part) for part in _flat(value))
    return repr(value) if isinstance(value, float) else str(value)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value[:12] if isinstance(value, str) and len(value) == 64 else value
