"""The station: exports and controls in, records out.

Writes `<out>/<suite>/{summary.json, contamination.json, items.jsonl, requests/<model>.jsonl}` in one step, so an
interrupted evaluation leaves the earlier one whole. The answers go to `<out>-store` task by task,
so that it loses one task at most.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skald_specs.contamination import CONTAMINATION_FILE, Contamination
from skald_specs.corpus import CorpusManifest
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_json, write_jsonl
from skald_specs.records import EvaluationSummary, ItemRecord, RequestRecord, TaskInfo

from skald_harness.adapter.models import AnsweredLM, MissingAnswerError, RecordedLM, TokenLM
from skald_harness.adapter.tasks import FEWSHOT_SEED, LM_EVAL_VERSION, load_tasks, run_task
from skald_harness.models.controls import Subject, baseline, untrained
from skald_harness.models.counting import byte_counts
from skald_harness.models.exports import read_export
from skald_harness.models.rules import rules
from skald_harness.running.contamination import contamination, contamination_line, read_search
from skald_harness.running.flags import control_flags
from skald_harness.running.table import score_table
from skald_harness.store.answers import answers, read_answers, run_key, store_folder, write_answers
from skald_harness.store.records import item_records, rechecks, request_records
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

    Returns:
        The summary that was written.

    Raises:
        UserInputError: An input is missing or malformed; an earlier result stays as it was.
    """
    chosen = _choose(list_tasks(suite, evals=evals), items, corpus, languages)
    data = _read_items(chosen, items)
    tasks = [task for task in chosen if task.name in data]
    subjects = _subjects(exports, corpus, sorted({task.language for task in tasks}))
    loaded = load_tasks(evals / suite, [task.name for task in tasks], items)
    store = store_folder(out)
    asked: dict[str, list[RequestRecord]] = {}
    scored: list[ItemRecord] = []
    for subject in subjects:
        name, reused = subject.model.name, 0
        asked[name] = []
        taken = [task for task in tasks if subject.takes(task.kind, task.language)]
        for task in taken:
            key = run_key(
                subject.identity(task.language), subject.model.dtype, task, data[task.name]
            )
            known = read_answers(store, key)
            samples = _recall(subject, task, loaded[task.name], known) if known else None
            if samples is None:
                samples = run_task(loaded[task.name], _lm(subject.answerer(task.language)))
                write_answers(store, key, request_records(task, key, samples))
            else:
                reused += 1
            asked[name] += request_records(task, key, samples)
            scored += item_records(name, task, samples)
        note = f", {reused} from the store" if reused else ""
        print(f"{name}: {len(taken)} tasks{note}", file=sys.stderr)
    scored.sort(key=lambda item: (item.model, item.task, item.item_id))
    models = tuple(subject.model for subject in subjects)
    infos = tuple(_info(task, data[task.name]) for task in tasks)
    summary = EvaluationSummary(
        schema_version=1,
        suite=suite,
        models=models,
        tasks=infos,
        lm_eval_version=LM_EVAL_VERSION,
        fewshot_seed=FEWSHOT_SEED,
        flags=control_flags(models, infos, scored),
        rechecks=rechecks(asked),
    )
    overlap = contamination(summary, scored, read_search(corpus))
    _write(out / suite, summary, scored, asked, overlap)
    print(score_table(summary, scored))
    print(contamination_line(overlap))
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


def _subjects(exports: Sequence[Path], corpus: Path, languages: Sequence[str]) -> list[Subject]:
    if not exports:
        raise UserInputError("exports", "none named", "Name at least one export folder")
    models = [read_export(path) for path in exports]
    # The n-gram model comes first in time because a bad corpus must fail before networks load.
    counting = byte_counts(corpus, languages)
    subjects = [*map(baseline, models), *map(untrained, models), *counting, *rules()]
    names = [subject.model.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise UserInputError("exports", f"two models named {name!r}", "Rename an export folder")
    return subjects


def _lm(answerer: Any) -> Any:
    """Return lm-eval's view of a model: networks have it, controls get one."""
    return answerer if isinstance(answerer, TokenLM) else AnsweredLM(answerer)


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
    )


def _write(
    folder: Path,
    summary: EvaluationSummary,
    scored: Sequence[ItemRecord],
    asked: dict[str, list[RequestRecord]],
    overlap: Contamination,
) -> None:
    with atomic_folder(folder, marker="summary.json") as fresh:
        write_json(fresh / "summary.json", summary.model_dump(mode="json"))
        write_json(fresh / CONTAMINATION_FILE, overlap.model_dump(mode="json"))
        write_jsonl(fresh / "items.jsonl", (item.model_dump(mode="json") for item in scored))
        for name, records in asked.items():
            write_jsonl(
                fresh / "requests" / f"{name}.jsonl",
                (record.model_dump(mode="json") for record in records),
            )
