"""The station: exports and controls in, records out.

First every answer that is missing goes to `<out>-store`, on as many ranks as there are. Then
`<out>/<suite>/{summary.json, contamination.json, items.jsonl, requests/<model>.jsonl}` is made from
the store alone and written in one step, so its bytes tell nothing of interruptions and ranks, and an
earlier evaluation stays whole until then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skald_process.locks import LockedError
from skald_process.progress import part
from skald_specs.errors import (
    EXIT_CLAIM_FAILED,
    EXIT_DONE,
    EXIT_USER_INPUT,
    SkaldError,
    UserInputError,
)
from skald_specs.files import DiskError, disk_error
from skald_specs.records import EvaluationSummary

from skald_harness.adapter.vllm import require_vllm
from skald_harness.models.controls import Subject
from skald_harness.models.folder import Folder
from skald_harness.running.answering import answer, taken
from skald_harness.running.asked import AskedTask, asked_tasks
from skald_harness.running.problems import EVERYTHING, Failures, TaskError, first_of, tell
from skald_harness.running.ranks import World, together, world
from skald_harness.running.results import write_results
from skald_harness.running.subjects import choose_subjects
from skald_harness.scoring.threads import fixed_threads
from skald_harness.store.answers import AnswerStore, store_folder
from skald_harness.tasks.suites import EVALS


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
    vllm: bool = False,
) -> Evaluation | None:
    """Evaluate exports and other models beside their controls, on one rank or on each of torchrun's.

    A model, task or suite that cannot be used is named in one line, and the others go on; so is a
    task that one model cannot be asked.

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
        vllm: Let vLLM generate texts, without controls and likelihoods.

    Returns:
        What was written and what could not be used; None on every rank but the first.

    Raises:
        UserInputError: No suite or no model is left; earlier results stay as they were.
    """
    if vllm:
        require_vllm()
    me, store = world(), AnswerStore(store_root or store_folder(out))
    plan: list[_Plan] = []

    def work(me: World) -> Failures:
        plan.append(
            _plan(exports, models, suites, items, corpus, languages, evals, me, controls, vllm)
        )
        # Only where there is something to ask, and before it: answering may take hours.
        for folder in (out, store.root):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise disk_error(folder, error) from None
        return _answer(plan[0], store, me)

    def finish(found: Sequence[Failures]) -> Evaluation:
        failures = dict(found[0])
        for (name, task), error in (pair for others in found[1:] for pair in others.items()):
            if (name, task) not in failures:
                tell(me, name, error, task)
                failures[name, task] = error
        subjects = [s for s in plan[0].subjects if (s.model.name, EVERYTHING) not in failures]
        if not subjects:
            raise next(iter(failures.values()))
        summaries = []
        for suite, tasks in plan[0].tasks.items():
            # What no task of it could be done for is among the failures already.
            with contextlib.suppress(TaskError):
                summaries.append(
                    write_results(suite, tasks, subjects, store, out, corpus, failures, me)
                )
        if not summaries:
            raise next(iter(failures.values()))
        return Evaluation(tuple(summaries), (*plan[0].problems, *failures.values()))

    # Bytes must not hang on how many threads whoever started this process left to it.
    with fixed_threads():
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
    vllm: bool,
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
        raise first_of(problems, me, UserInputError("suites", "none named", "Name at least one"))
    for problem in problems:
        tell(me, "", problem)
    spoken = sorted({t.definition.language for chosen in tasks.values() for t in chosen})
    subjects, failed = choose_subjects(exports, others, corpus, spoken, me, controls, vllm)
    return _Plan(subjects, tasks, problems + failed)


def _answer(plan: _Plan, store: AnswerStore, me: World) -> Failures:
    """Ask every model what is this rank's to ask; return what fails, with why."""
    failures: dict[tuple[str, str], SkaldError] = {}

    def failed(name: str, task: str, error: SkaldError) -> None:
        tell(me, name, error, task)
        failures[name, task] = error

    begin = 0
    for subject in plan.subjects:
        name = subject.model.name
        tasks = [task for chosen in plan.tasks.values() for task in taken(subject, chosen)]
        # Counted over all tasks, also those a failing model leaves: ranks must agree on numbers.
        first, begin = begin, begin + len(tasks)
        if not tasks:
            continue
        sound, n_questions = [], 0
        for number, task in enumerate(tasks, start=first):
            try:
                n_questions += len(task.by(subject.chat).questions)
                sound.append((number, task))
            except TaskError as error:
                failed(name, task.definition.name, error)
        try:
            with part(f"{name}, answers", n_questions) as progress:
                for number, task in sound:
                    try:
                        answer(subject, task, number, store, me, progress)
                    except TaskError as error:
                        failed(name, task.definition.name, error)
        except (DiskError, LockedError):
            raise
        except SkaldError as error:
            failed(name, EVERYTHING, error)
        else:
            me.say(
                f"{name}: {len(sound)} tasks, {n_questions:,} answers, "
                f"{progress.found:,} of them from the store"
            )
        finally:
            subject.release()
    store.sync()
    return failures
