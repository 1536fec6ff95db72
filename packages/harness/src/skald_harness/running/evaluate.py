"""The station: exports and controls in, records out.

First every answer that is missing goes to `<out>-store`, on as many ranks as there are. Then
`<out>/<suite>/{summary.json, contamination.json, items.jsonl, requests/<model>.jsonl}` is made from
the store alone and written in one step, so its bytes tell nothing of interruptions and ranks, and an
earlier evaluation stays whole until then.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skald_specs.contamination import CONTAMINATION_FILE
from skald_specs.errors import (
    EXIT_CLAIM_FAILED,
    EXIT_DONE,
    EXIT_USER_INPUT,
    SkaldError,
    UserInputError,
)
from skald_specs.files import atomic_folder, atomic_path, write_json, write_jsonl
from skald_specs.records import EvaluatedModel, EvaluationSummary, ItemRecord, Recheck, TaskInfo

from skald_harness.adapter.asking import measure
from skald_harness.adapter.tasks import FEWSHOT_SEED, LM_EVAL_VERSION
from skald_harness.models.controls import RANDOM_MAX_PARAMS, Subject, baseline, untrained
from skald_harness.models.counting import byte_counts
from skald_harness.models.folder import Folder, read_export
from skald_harness.models.rules import rules
from skald_harness.running.answering import answer, recall
from skald_harness.running.asked import AskedTask, asked_tasks
from skald_harness.running.contamination import contamination, contamination_line, read_search
from skald_harness.running.flags import control_flags
from skald_harness.running.progress import Progress
from skald_harness.running.ranks import World, together, world
from skald_harness.running.table import score_table
from skald_harness.scoring.questions import Answer
from skald_harness.store.answers import AnswerStore, LockedError, store_folder
from skald_harness.store.records import item_records, recheck
from skald_harness.tasks.items import TaskItems
from skald_harness.tasks.suites import EVALS, TaskDefinition


@dataclass(frozen=True)
class Evaluation:
    """What was evaluated, and what could not be."""

    summaries: tuple[EvaluationSummary, ...]
    problems: tuple[SkaldError, ...]

    @property
    def exit_code(self) -> int:
        """2 when an input was wrong, 1 when a check failed, else 0."""
        if any(isinstance(problem, UserInputError) for problem in self.problems):
            return EXIT_USER_INPUT
        return EXIT_CLAIM_FAILED if self.problems else EXIT_DONE


def evaluate(
    exports: Sequence[Path],
    suites: Sequence[str],
    out: Path,
    items: Path | Mapping[str, Path],
    corpus: Path,
    languages: Sequence[str] | None = None,
    evals: Path = EVALS,
    models: Sequence[Folder] = (),
    controls: bool = True,
    store_root: Path | None = None,
) -> Evaluation | None:
    """Evaluate exports and other models beside their controls, on one rank or on each of torchrun's.

    A model, task or suite that cannot be used is named in one line, and the others go on.

    Args:
        exports: Folders written by `skald export`.
        suites: Folders of `evals/`.
        out: Where `<suite>/` is written; answers in the store beside it are reused.
        items: The folder of evaluation items, of all suites or by suite.
        corpus: A built corpus; its training text is what byte counts count.
        languages: BCP-47 tags; by default those that suite, items and corpus have in common.
        evals: The folder of suites.
        models: Other models, as `models.download.resolve` returns them.
        controls: Evaluate controls, too.
        store_root: The store of answers; None: the one beside `out`.

    Returns:
        What was written and what could not be used; None on every rank but the first.

    Raises:
        UserInputError: No suite or no model is left; earlier results stay as they were.
    """
    me, store = world(), AnswerStore(store_root or store_folder(out))
    plan: list[_Plan] = []

    def work() -> dict[str, SkaldError]:
        plan.append(_plan(exports, models, suites, items, corpus, languages, evals, me, controls))
        return _answer(plan[0], store, me)

    def finish(failures: Sequence[dict[str, SkaldError]]) -> Evaluation:
        failed = failures[0]
        for name, error in (pair for others in failures[1:] for pair in others.items()):
            if name not in failed:
                _tell(me, name, error)
                failed[name] = error
        subjects = [s for s in plan[0].subjects if s.model.name not in failed]
        if not subjects:
            raise next(iter(failed.values()))
        summaries = tuple(
            _write(suite, tasks, subjects, store, out, corpus)
            for suite, tasks in plan[0].tasks.items()
        )
        return Evaluation(summaries, (*plan[0].problems, *failed.values()))

    return together(me, work, finish)


@dataclass(frozen=True)
class _Plan:
    subjects: list[Subject]
    tasks: dict[str, list[AskedTask]]
    problems: list[SkaldError]


def _plan(
    exports: Sequence[Path],
    others: Sequence[Folder],
    suites: Sequence[str],
    items: Path | Mapping[str, Path],
    corpus: Path,
    languages: Sequence[str] | None,
    evals: Path,
    me: World,
    controls: bool,
) -> _Plan:
    tasks: dict[str, list[AskedTask]] = {}
    problems: list[SkaldError] = []
    for suite in dict.fromkeys(suites):
        folder = items if isinstance(items, Path) else items[suite]
        found: list[SkaldError] = []
        try:
            tasks[suite] = asked_tasks(suite, folder, corpus, languages, evals, found, me.say)
        except UserInputError as error:
            found.append(error)
        problems += found
    if not tasks:
        raise _first(problems, me, UserInputError("suites", "none named", "Name at least one"))
    for problem in problems:
        _tell(me, "", problem)
    spoken = sorted({t.definition.language for chosen in tasks.values() for t in chosen})
    subjects, failed = _subjects(exports, others, corpus, spoken, me, controls)
    return _Plan(subjects, tasks, problems + failed)


def _subjects(
    exports: Sequence[Path],
    others: Sequence[Folder],
    corpus: Path,
    languages: Sequence[str],
    me: World,
    controls: bool,
) -> tuple[list[Subject], list[SkaldError]]:
    models: list[Folder] = []
    problems: list[SkaldError] = []
    for path in exports:
        try:
            models.append(read_export(path))
        except UserInputError as error:
            problems.append(error)
    models += others
    if not models:
        nothing = UserInputError(
            "exports", "none named", "Name at least one export folder, or --models"
        )
        raise _first(problems, me, nothing)
    subjects = []
    for model in models:
        try:
            subjects.append(baseline(model))
        except UserInputError as error:
            problems.append(error)
    if controls:
        twins = [
            m for m in models if m.role == "baseline" and m.n_params_total <= RANDOM_MAX_PARAMS
        ]
        subjects += map(untrained, twins)
        try:
            subjects += byte_counts(corpus, languages, me.say)
        except UserInputError as error:
            problems.append(error)
        subjects += rules()
    for problem in problems:
        _tell(me, "", problem)
    names = [subject.model.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise UserInputError("exports", f"two models named {name!r}", "Rename a folder")
    return subjects, problems


def _first(problems: Sequence[SkaldError], me: World, nothing: SkaldError) -> SkaldError:
    """Return what to raise when nothing is left, having said the rest."""
    for problem in problems[1:]:
        _tell(me, "", problem)
    return problems[0] if problems else nothing


def _tell(me: World, name: str, problem: SkaldError) -> None:
    me.say(" ".join(f"skald: {f'{name} is left out: ' if name else ''}{problem}".split()))


def _answer(plan: _Plan, store: AnswerStore, me: World) -> dict[str, SkaldError]:
    """Ask every model what is this rank's to ask; return the models that fail, with why."""
    failed: dict[str, SkaldError] = {}
    number = 0
    for subject in plan.subjects:
        tasks = [task for chosen in plan.tasks.values() for task in _taken(subject, chosen)]
        n_questions = sum(len(task.by(subject.chat).questions) for task in tasks)
        progress = Progress(me, subject.model.name, len(tasks), n_questions)
        try:
            for task in tasks:
                answer(subject, task, number, store, me, progress)
                number += 1
        except LockedError:
            raise
        except SkaldError as error:
            _tell(me, subject.model.name, error)
            failed[subject.model.name] = error
        else:
            progress.finished()
        finally:
            subject.release()
    store.sync()
    return failed


def _taken(subject: Subject, tasks: Sequence[AskedTask]) -> list[AskedTask]:
    return [t for t in tasks if subject.takes(t.definition.kind, t.definition.language)]


def _write(
    suite: str,
    tasks: Sequence[AskedTask],
    subjects: Sequence[Subject],
    store: AnswerStore,
    out: Path,
    corpus: Path,
) -> EvaluationSummary:
    scored: list[ItemRecord] = []
    models: list[EvaluatedModel] = []
    checked: list[Recheck] = []
    with atomic_folder(out / suite, marker="summary.json") as fresh:
        for subject in subjects:
            name, scorers = subject.model.name, dict[str, None]()
            with (
                atomic_path(fresh / "requests" / f"{name}.jsonl") as path,
                path.open("wb") as lines,
            ):
                given: list[Answer] = []
                for task in _taken(subject, tasks):
                    found = recall(subject, task, store)
                    given += itertools.chain.from_iterable(found.answers)
                    lines.writelines(record.line + b"\n" for record in found.records)
                    samples = measure(task.loaded, found.asked.items, found.answers)
                    scored += item_records(name, task.definition, found.asked.items, samples)
                    scorers[found.scorer] = None
            how = {"scorer": "; ".join(scorers)} if scorers else {}
            models.append(subject.model.model_copy(update=how))
            checked += recheck(name, given)
        scored.sort(key=lambda item: (item.model, item.task, item.item_id))
        infos = tuple(_info(task.definition, task.items) for task in tasks)
        summary = EvaluationSummary(
            schema_version=1,
            suite=suite,
            models=tuple(models),
            tasks=infos,
            lm_eval_version=LM_EVAL_VERSION,
            fewshot_seed=FEWSHOT_SEED,
            flags=control_flags(models, infos, scored),
            rechecks=tuple(checked),
        )
        overlap = contamination(summary, scored, read_search(corpus))
        write_json(fresh / "summary.json", summary.model_dump(mode="json"))
        write_json(fresh / CONTAMINATION_FILE, overlap.model_dump(mode="json"))
        write_jsonl(fresh / "items.jsonl", (item.model_dump(mode="json") for item in scored))
    print(score_table(summary, scored))
    print(contamination_line(overlap))
    return summary


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
        family=task.family,
        variant=task.variant,
        num_fewshot=int(task.config.get("num_fewshot") or 0),
        translated=task.translated,
        license=task.license,
        source=task.source,
        # lm-eval's own default is a space.
        target_delimiter=str(task.config.get("target_delimiter", " ")),
    )
