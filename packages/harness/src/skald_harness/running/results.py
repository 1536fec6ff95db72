"""What a suite came to: the files of `<out>/<suite>`, made from the store alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from skald_specs.contamination import CONTAMINATION_FILE
from skald_specs.errors import SkaldError
from skald_specs.files import atomic_folder, atomic_path, write_json, write_jsonl
from skald_specs.records import (
    EvaluatedModel,
    EvaluationSummary,
    ItemRecord,
    LeftOut,
    Recheck,
    TaskInfo,
)

from skald_harness.adapter.asking import measure
from skald_harness.adapter.index import PublicTask
from skald_harness.adapter.tasks import FEWSHOT_SEED, LM_EVAL_VERSION
from skald_harness.models.controls import Subject
from skald_harness.running.answering import Recalled, asked_model, recall, taken
from skald_harness.running.asked import AskedTask
from skald_harness.running.contamination import contamination, contamination_line, read_search
from skald_harness.running.problems import EVERYTHING, TaskError, failures_named, tell
from skald_harness.running.ranks import World
from skald_harness.running.reference import asked_sha256
from skald_harness.running.table import score_table
from skald_harness.scoring.questions import Answer
from skald_harness.store.answers import AnswerStore
from skald_harness.store.flags import control_flags
from skald_harness.store.records import item_records, recheck


def write_results(
    suite: str,
    tasks: Sequence[AskedTask],
    subjects: Sequence[Subject],
    store: AnswerStore,
    out: Path,
    corpus: Path,
    failures: dict[tuple[str, str], SkaldError],
    me: World,
) -> EvaluationSummary:
    """Write a suite's results in one step, and print its table.

    A model that fails in a task is in none of its records, and one that fails in all is not there.

    Args:
        suite: Its name.
        tasks: What was asked.
        subjects: Who has answered, all of it but what `failures` names.
        store: The answers.
        out: The folder of all suites.
        corpus: A built corpus, whose search for items tells what is contaminated.
        failures: Tasks that models could not be asked; those that cannot be measured are added.
        me: This rank; told of them.

    Returns:
        The summary that was written.

    Raises:
        TaskError: Nothing was answered; an earlier result stays.
    """
    scored: list[ItemRecord] = []
    models: list[EvaluatedModel] = []
    checked: list[Recheck] = []
    with atomic_folder(out / suite, marker="summary.json") as fresh:
        for subject in subjects:
            name, scorers = subject.model.name, dict[str, None]()
            own = taken(subject, tasks)
            if not own and subject.model.role == "control":
                continue
            with (
                atomic_path(fresh / "requests" / f"{name}.jsonl") as path,
                path.open("wb") as lines,
            ):
                given: list[Answer] = []
                for task in own:
                    if (name, task.definition.name) in failures:
                        continue
                    found = recall(subject, task, store)
                    try:
                        items = _measured(name, task, found)
                    except TaskError as error:
                        tell(me, name, error, task.definition.name)
                        failures[name, task.definition.name] = error
                        continue
                    given += itertools.chain.from_iterable(found.answers)
                    lines.writelines(record.line + b"\n" for record in found.records)
                    scored += items
                    scorers[found.scorer] = None
            if not scorers and own:
                (fresh / "requests" / f"{name}.jsonl").unlink()
                continue
            how = {"scorer": "; ".join(scorers)} if scorers else {}
            model = asked_model(subject.model, tasks)
            models.append(model.model_copy(update=how))
            checked += recheck(name, given)
        scored.sort(key=lambda item: (item.model, item.task, item.item_id))
        answered = {item.task for item in scored}
        infos = tuple(_info(task) for task in tasks if task.definition.name in answered)
        if not infos:
            names = {EVERYTHING, *(task.definition.name for task in tasks)}
            raise next(error for (_, task), error in failures.items() if task in names)
        summary = EvaluationSummary(
            schema_version=1,
            suite=suite,
            models=tuple(models),
            tasks=infos,
            lm_eval_version=LM_EVAL_VERSION,
            fewshot_seed=FEWSHOT_SEED,
            flags=control_flags(models, infos, scored),
            rechecks=tuple(checked),
            left_out=tuple(
                LeftOut(model=name, task=task)
                for name, task in sorted(failures)
                if task in answered and name in {model.name for model in models}
            ),
        )
        overlap = contamination(summary, scored, read_search(corpus))
        write_json(fresh / "summary.json", summary.model_dump(mode="json"))
        write_json(fresh / CONTAMINATION_FILE, overlap.model_dump(mode="json"))
        write_jsonl(fresh / "items.jsonl", (item.model_dump(mode="json") for item in scored))
    print(score_table(summary, scored))
    print(contamination_line(overlap))
    return summary


def _measured(name: str, task: AskedTask, found: Recalled) -> list[ItemRecord]:
    with failures_named(task.definition.name, "its answers cannot be measured"):
        samples = measure(task.loaded, found.asked.items, found.answers)
        return item_records(name, task.definition, found.asked.items, samples)


def _info(asked: AskedTask) -> TaskInfo:
    task, items = asked.definition, asked.items
    filters = [str(row["name"]) for row in task.config.get("filter_list") or []]
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
        family=task.family,
        variant=task.variant,
        num_fewshot=int(task.config.get("num_fewshot") or 0),
        translated=task.translated,
        license=task.license,
        source=task.source,
        # lm-eval's own default is a space.
        target_delimiter=str(task.config.get("target_delimiter", " ")),
        fixed_labels=items.fixed_labels,
        items_sha256=asked_sha256(task.name, asked.loaded, isinstance(task, PublicTask)),
        **({"first_filter": filters[0]} if filters else {}),
    )
