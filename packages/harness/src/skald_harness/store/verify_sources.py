"""What an evaluation was made of, where that is at hand: the keys of its answers, and the items' data.

Neither follows from the records, so what cannot be compared is counted and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.decontamination import item_sha256, items_sha256
from skald_specs.errors import UserInputError
from skald_specs.files import read_json
from skald_specs.records import EvaluationSummary, ItemRecord, TaskInfo

from skald_harness.adapter.tasks import item_texts, load_tasks
from skald_harness.store.answers import facts_digest
from skald_harness.store.mismatches import Verification
from skald_harness.tasks.items import check_items
from skald_harness.tasks.suites import EVALS, HUB, list_tasks, suite_names

#: Items by model and task.
Items = Mapping[tuple[str, str], Sequence[ItemRecord]]


def check_keys(
    path: Path,
    summary: EvaluationSummary,
    keys: Mapping[tuple[str, str], str],
    store: Path,
    found: Verification,
) -> None:
    """Compare versions, data, examples and types with the facts that the store's keys hash.

    Args:
        path: Of `summary.json`.
        summary: What it holds.
        keys: Of the answers, by model and task.
        store: The store of answers.
        found: Takes the comparisons.
    """
    tasks = {task.name: task for task in summary.tasks}
    dtypes = {model.name: model.dtype for model in summary.models}
    for (model, name), key in keys.items():
        file = store / key / "key.json"
        value = read_json(file) if file.is_file() else None
        facts = value.get("facts") if isinstance(value, dict) else None
        if not isinstance(facts, dict):
            found.checked["run keys (not compared: not in the store)"] += 1
            continue
        of, task = facts.get("task") or {}, tasks[name]
        found.check("facts of run keys", file, name, "hash", key, facts_digest(facts))
        for what, recorded, hashed in (
            ("name", name, of.get("name")),
            ("version", task.version, of.get("version")),
            ("num_fewshot", task.num_fewshot, of.get("num_fewshot")),
            ("data_sha256", task.data_sha256, facts.get("data_sha256")),
            ("fewshot_seed", summary.fewshot_seed, facts.get("fewshot_seed")),
            ("lm_eval_version", summary.lm_eval_version, facts.get("lm_eval")),
            ("dtype", dtypes[model], facts.get("dtype")),
        ):
            where = f"{name} of {model}"
            found.check("facts of run keys", path, where, what, recorded, hashed)


def check_data(
    folder: Path,
    summary: EvaluationSummary,
    items: Items,
    data: Path | None,
    found: Verification,
) -> None:
    """Compare keys, groups and hashes of items with their files.

    Args:
        folder: Of the evaluation.
        summary: Its summary.
        items: By model and task.
        data: The folder of the suite's items; None where it is not known.
        found: Takes the comparisons.
    """
    there = _there(summary, data)
    rest = sum(len(rows) for (_, task), rows in items.items() if task not in there)
    if rest:
        found.checked["keys and groups of items (not recomputed: no such data)"] += rest
    if not there or data is None:
        return
    loaded = load_tasks(EVALS / summary.suite, sorted(there), data)
    for name, info in there.items():
        named: dict[str, tuple[str, str]] = {}
        hashes: dict[str, str] = {}
        for document, texts in item_texts(name, loaded[name]):
            item_id = str(document["id"])
            named[item_id] = (str(document["key"]), str(document["group"]))
            hashes[item_id] = item_sha256(texts)
        summed, path = items_sha256(hashes), folder / "summary.json"
        found.check("data of tasks", path, name, "items_sha256", info.items_sha256, summed)
        found.check("data of tasks", path, name, "n_items", info.n_items, len(named))
        for (model, task), rows in items.items():
            for item in rows if task == name else ():
                where = f"{model}/{name}/{item.item_id}"
                told, known = (item.key, item.group), named.get(item.item_id)
                path = folder / "items.jsonl"
                found.check("keys and groups", path, where, "key and group", told, known)


def _there(summary: EvaluationSummary, data: Path | None) -> dict[str, TaskInfo]:
    """Return the tasks whose items are in the folder, and are those that were asked."""
    if data is None or summary.suite == HUB or summary.suite not in suite_names():
        return {}
    infos, found = {task.name: task for task in summary.tasks}, {}
    for task in list_tasks(summary.suite):
        if task.name not in infos:
            continue
        try:
            now = check_items(task, data)
        except UserInputError:
            continue
        if now is not None and now.sha256 == infos[task.name].data_sha256:
            found[task.name] = infos[task.name]
    return found
