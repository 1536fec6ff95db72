"""An evaluation's folder as a whole: what was asked, what it came to, and how sure a score is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skald_specs.errors import UserInputError
from skald_specs.files import inside, read_jsonl, sha256_file
from skald_specs.fingerprint import fingerprint
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

from skald_harness.store.recompute import as_asked

#: How `standard_error` is computed, in words that an export can carry.
STANDARD_ERROR = (
    "analytic, cluster-robust over item keys; by linearisation where the score is a ratio of sums"
)


@dataclass(frozen=True)
class Asked:
    """One item of one model with its requests, in the order of its choices."""

    item: ItemRecord
    requests: tuple[RequestRecord, ...]


@dataclass(frozen=True)
class Evaluated:
    """`asked` holds the items by model and task, in the order in which they were asked."""

    summary: EvaluationSummary
    asked: Mapping[tuple[str, str], tuple[Asked, ...]]

    def taken(self, model: str) -> list[TaskInfo]:
        """Return the tasks as a model was asked them; a rule has no answer to a document."""
        [asked] = [known for known in self.summary.models if known.name == model]
        tasks = [task for task in self.summary.tasks if (model, task.name) in self.asked]
        return [as_asked(task, asked) for task in tasks]


def public_name(model: EvaluatedModel) -> str:
    """Return what others know a model by: its hub id, and the revision where its name tells one."""
    if model.hub_id is None:
        return model.name
    _, at, revision = model.name.partition("@")
    return f"{model.hub_id}{at}{revision}"


def requests_path(folder: Path, model: str) -> Path:
    """Return the file with a model's answers.

    Args:
        folder: One suite's results.
        model: What records call the model.

    Raises:
        UserInputError: The name leads out of the folder.
    """
    return inside(folder / "requests", f"{model}.jsonl")


def read_evaluation(folder: Path) -> Evaluated:
    """Read an evaluation's summary, items and requests.

    Raises:
        UserInputError: A file is missing or malformed, or an item and its requests lack each other.
    """
    summary = EvaluationSummary.load(folder / "summary.json")
    path = folder / "items.jsonl"
    items: dict[tuple[str, str, str], ItemRecord] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        item = ItemRecord.check(row, f"{path}:{number}")
        items[item.model, item.task, item.item_id] = item
    asked: dict[tuple[str, str], list[Asked]] = {}
    for model in summary.models:
        requests: dict[tuple[str, str], list[RequestRecord]] = {}
        path = requests_path(folder, model.name)
        for number, row in enumerate(read_jsonl(path), start=1):
            record = RequestRecord.check(row, f"{path}:{number}")
            requests.setdefault((record.task, record.item_id), []).append(record)
        for (task, item_id), mine in requests.items():
            found = items.pop((model.name, task, item_id), None)
            if found is None:
                raise _lacking(path, f"item {task}/{item_id} is not in items.jsonl")
            ordered = tuple(sorted(mine, key=lambda record: record.index))
            asked.setdefault((model.name, task), []).append(Asked(found, ordered))
    for model_name, task, item_id in items:
        raise _lacking(folder / "items.jsonl", f"{model_name} was not asked {task}/{item_id}")
    for rows in asked.values():
        _check_alike(folder / "items.jsonl", [row.item for row in rows])
    return Evaluated(summary, {key: tuple(rows) for key, rows in asked.items()})


def _check_alike(path: Path, items: Sequence[ItemRecord]) -> None:
    """Refuse items of one task whose means have no value: other metrics, or nothing to weigh by."""
    first = items[0]
    odd = next((item for item in items if item.metrics.keys() != first.metrics.keys()), None)
    if odd is not None:
        names = f"{first.item_id} and {odd.item_id} of {first.task} have different metrics"
        raise _lacking(path, names)
    if not all(weight(item) > 0 for item in items):
        raise _lacking(path, f"a text of {first.task} has no bytes")


def values_of(item: ItemRecord, headline: str) -> dict[str, float]:
    """Return an item's metrics by name, without what is no metric of a task's.

    Args:
        item: The record.
        headline: The task's metric, whose value is the item's score.
    """
    notes = ("bits", "logprob_gold", "logprob_best_wrong")
    return {headline: item.score} | {k: v for k, v in item.metrics.items() if k not in notes}


def metric_and_filter(metric: str, task: TaskInfo) -> tuple[str, str]:
    """Return a metric of the records by lm-eval's own names: the metric, and what its answers went through.

    Args:
        metric: As records have it: lm-eval's name, with `,filter` behind it where the filter is not
            the task's first.
        task: The task; says which filter is its first.
    """
    name, _, done = metric.partition(",")
    return name, done or task.first_filter


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Say in one line that records hold what a format of others has no place for.

    Args:
        folder: Of the evaluation.

    Raises:
        UserInputError: The block raised a `ValueError`, such as pydantic's.
    """
    try:
        yield
    except ValueError as error:
        problem = f"its records cannot be told in this format ({error})"
        raise UserInputError(str(folder), problem, "Evaluate again, or mend them") from None


def content_sha256(folder: Path) -> str:
    """Return a hash of what an evaluation came to; a copy has the same."""
    return fingerprint([sha256_file(folder / name) for name in ("summary.json", "items.jsonl")])


def weight(item: ItemRecord) -> float:
    """Return what an item counts in its task's score: its bytes, or one."""
    return float(item.n_bytes) if item.kind == "text" else 1.0


def score_of(items: Sequence[ItemRecord]) -> float:
    """Return a task's headline score: the mean over items, or bits over all bytes."""
    return sum(item.score * weight(item) for item in items) / sum(map(weight, items))


def mean_of(items: Sequence[ItemRecord], metric: str, headline: str) -> float:
    """Return a task's score by any of its metrics: a mean over items, or bits over all bytes.

    Args:
        items: Of one model and task.
        metric: As records have it; every item has it.
        headline: The metric whose values are the items' scores.
    """
    rows = list(_rows(items, metric, headline))
    return sum(value * size for value, size, _ in rows) / sum(size for _, size, _ in rows)


def standard_error(items: Sequence[ItemRecord], metric: str, headline: str) -> float | None:
    """Return the standard error of `mean_of`, with items of a key as one cluster.

    Args:
        items: Of one model and task.
        metric: The metric.
        headline: The metric whose values are the items' scores.

    Returns:
        The error; None with fewer than two keys.

    Source:
        Miller, arXiv 2411.00640, section 2.2 (clusters), with the factor G / (G - 1); a ratio is
        linearised around its value.
    """
    mean = mean_of(items, metric, headline)
    total, clusters = 0.0, dict[str, float]()
    for value, size, key in _rows(items, metric, headline):
        total += size
        clusters[key] = clusters.get(key, 0.0) + (value - mean) * size
    if len(clusters) < 2:
        return None
    spread = sum(away * away for away in clusters.values())
    return math.sqrt(spread * len(clusters) / (len(clusters) - 1)) / total


def _rows(
    items: Sequence[ItemRecord], metric: str, headline: str
) -> Iterator[tuple[float, float, str]]:
    for item in items:
        # An item without a key is a cluster of its own.
        yield values_of(item, headline)[metric], weight(item), item.key or f"item {item.item_id}"


def _lacking(path: Path, what: str) -> UserInputError:
    return UserInputError(str(path), what, "Evaluate again into an empty folder")
