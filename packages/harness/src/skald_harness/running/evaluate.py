"""The station: exports and controls in, records out.

Writes `<out>/<suite>/{summary.json, items.jsonl, requests/<model>.jsonl}` in one step, so an
interrupted evaluation leaves the earlier one whole. The answers go to `<out>-store` task by task,
so that it loses one task at most.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_json, write_jsonl
from skald_specs.records import EvaluationSummary, ItemRecord, RequestRecord, TaskInfo

from skald_harness.adapter.models import MissingAnswerError, RecordedLM
from skald_harness.adapter.tasks import FEWSHOT_SEED, LM_EVAL_VERSION, load_tasks, run_task
from skald_harness.models.controls import Subject, baseline, byte_ngram, untrained
from skald_harness.models.exports import read_export
from skald_harness.running.table import score_table
from skald_harness.store.answers import answers, read_answers, run_key, store_folder, write_answers
from skald_harness.store.records import item_records, request_records
from skald_harness.tasks.items import TaskItems, check_items, languages_with_items
from skald_harness.tasks.suites import EVALS, TaskDefinition, list_tasks, select


def evaluate(
    exports: Sequence[Path],
    suite: str,
    out: Path,
    items: Path,
    corpus: Path,
    languages: Sequence[str] | None = None,
    evals: Path = EVALS,
    controls: bool = True,
    store: Path | None = None,
) -> EvaluationSummary:
    """Evaluate exports beside their controls.

    Args:
        exports: Folders written by `skald export`.
        suite: A folder of `evals/`.
        out: Where `<suite>/` is written; answers in the store beside it are reused.
        items: The folder of evaluation items.
        corpus: A built corpus; its training text trains the byte n-gram control.
        languages: BCP-47 tags; by default those that suite, items and corpus have in common.
        evals: The folder of suites.
        controls: Evaluate the controls, too.
        store: The store of answers; None: the one beside `out`.

    Returns:
        The summary that was written.

    Raises:
        UserInputError: An input is missing or malformed; an earlier result stays as it was.
    """
    chosen = _choose(list_tasks(suite, evals=evals), items, corpus, languages)
    data = _read_items(chosen, items)
    tasks = [task for task in chosen if task.name in data]
    spoken = sorted({task.language for task in tasks})
    subjects = _subjects(exports, corpus, spoken, controls)
    loaded = load_tasks(evals / suite, [task.name for task in tasks], items)
    store = store or store_folder(out)
    asked: dict[str, list[RequestRecord]] = {}
    scored: list[ItemRecord] = []
    for subject in subjects:
        name, reused = subject.model.name, 0
        asked[name] = []
        for task in tasks:
            key = run_key(
                subject.identity(task.language), subject.model.dtype, task, data[task.name]
            )
            known = read_answers(store, key)
            samples = _recall(subject, task, loaded[task.name], known) if known else None
            if samples is None:
                samples = run_task(loaded[task.name], subject.answerer(task.language))
                write_answers(store, key, request_records(task, key, samples))
            else:
                reused += 1
            asked[name] += request_records(task, key, samples)
            scored += item_records(name, task, samples)
        note = f", {reused} from the store" if reused else ""
        print(f"{name}: {len(tasks)} tasks{note}", file=sys.stderr)
    summary = EvaluationSummary(
        schema_version=1,
        suite=suite,
        models=tuple(subject.model for subject in subjects),
        tasks=tuple(_info(task, data[task.name]) for task in tasks),
        lm_eval_version=LM_EVAL_VERSION,
        fewshot_seed=FEWSHOT_SEED,
        flags=(),
    )
    scored.sort(key=lambda item: (item.model, item.task, item.item_id))
    _write(out / suite, summary, scored, asked)
    print(score_table(summary, scored))
    return summary


def _choose(
    tasks: Sequence[TaskDefinition], items: Path, corpus: Path, languages: Sequence[str] | None
) -> list[TaskDefinition]:
    available = languages_with_items(tasks, items)
    if languages is not None:
        return select(tasks, languages)
    if not available:
        raise UserInputError(
            str(items),
            f"no items for suite {tasks[0].suite} (such as {tasks[0].items_path})",
            "Run `skald corpus generate`, or name the folder that has them",
        )
    trained = CorpusManifest.load(corpus / "corpus.json").recipe.languages
    common = [tag for tag in available if tag in trained]
    if not common:
        raise UserInputError(
            str(items),
            f"items in {', '.join(available)}, but the corpus has {', '.join(trained)}",
            "Name a corpus and items that share a language",
        )
    for tag in sorted({task.language for task in tasks} - set(common)):
        why = "no training text in the corpus" if tag in available else "no items"
        print(f"{tag}: left out, {why}", file=sys.stderr)
    return select(tasks, common)


def _read_items(tasks: Sequence[TaskDefinition], items: Path) -> dict[str, TaskItems]:
    """Check the items of every task by name, without the tasks that a user's files do not serve."""
    data: dict[str, TaskItems] = {}
    for task in tasks:
        found = check_items(task, items)
        if found is None:
            kind = task.config["metadata"]["select"]
            print(f"{task.name}: left out, no pairs of type {kind}", file=sys.stderr)
        else:
            data[task.name] = found
    if not data:
        raise UserInputError(
            str(items),
            f"no pairs for any task of suite {tasks[0].suite}",
            "Add pairs to the files, or name another folder",
        )
    return data


def _subjects(
    exports: Sequence[Path], corpus: Path, languages: Sequence[str], controls: bool
) -> list[Subject]:
    if not exports:
        raise UserInputError("exports", "none named", "Name at least one export folder")
    models = [read_export(path) for path in exports]
    # The n-gram model comes first in time because a bad corpus must fail before networks load.
    counting = [byte_ngram(corpus, languages)] if controls else []
    random = map(untrained, models) if controls else ()
    subjects = [*map(baseline, models), *random, *counting]
    names = [subject.model.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise UserInputError("exports", f"two models named {name!r}", "Rename an export folder")
    return subjects


def _recall(
    subject: Subject, task: TaskDefinition, loaded: Any, records: Sequence[RequestRecord]
) -> list[dict[str, Any]] | None:
    """Return lm-eval's samples from recorded answers, or None when one is missing."""
    try:
        return run_task(loaded, RecordedLM(answers(records, task.kind == "text")))
    except MissingAnswerError:
        print(f"{subject.model.name}: {task.name} is incomplete; asked again", file=sys.stderr)
        return None


def _info(task: TaskDefinition, items: TaskItems) -> TaskInfo:
    return TaskInfo(
        name=task.name,
        kind=task.kind,
        suite=task.suite,
        language=task.language,
        version=task.version,
        chance=items.chance,
        n_items=items.n_items,
        data_sha256=items.sha256,
        metric=task.metrics[0],
        family=task.name.rsplit("_", 2)[0],
        source="generated" if task.suite == "core" else "user",
        # lm-eval's own default is a space.
        target_delimiter=str(task.config.get("target_delimiter", " ")),
    )


def _write(
    folder: Path,
    summary: EvaluationSummary,
    scored: Sequence[ItemRecord],
    asked: dict[str, list[RequestRecord]],
) -> None:
    with atomic_folder(folder, marker="summary.json") as fresh:
        write_json(fresh / "summary.json", summary.model_dump(mode="json"))
        write_jsonl(fresh / "items.jsonl", (item.model_dump(mode="json") for item in scored))
        for name, records in asked.items():
            write_jsonl(
                fresh / "requests" / f"{name}.jsonl",
                (record.model_dump(mode="json") for record in records),
            )
