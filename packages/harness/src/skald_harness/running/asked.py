"""What an evaluation asks: the tasks of its suites that have items, rendered once for all models."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skald_specs.corpus import CorpusManifest
from skald_specs.errors import SkaldError, UserInputError

from skald_harness.adapter.asking import AskedItem, Chat, ask, questions_sha256
from skald_harness.adapter.index import PublicTask, define_all
from skald_harness.adapter.public import cluster_of, load_hub
from skald_harness.adapter.tasks import load_tasks
from skald_harness.running.problems import TaskError, failures_named
from skald_harness.scoring.questions import Question
from skald_harness.tasks.hub import hub_tasks
from skald_harness.tasks.items import TaskItems, check_items, languages_with_items, nothing_for
from skald_harness.tasks.suites import HUB, TaskDefinition, list_tasks, require_trusted, select


@dataclass(frozen=True)
class Asked:
    """What a task asks a model: `places` are the items' numbers and the questions' in them."""

    items: tuple[AskedItem, ...]
    places: tuple[tuple[int, int], ...]
    questions: tuple[Question, ...]
    sha256: str


class AskedTask:
    """One task with its items and lm-eval's object.

    Args:
        definition: The definition.
        items: What it reads.
        loaded: lm-eval's task object.
    """

    def __init__(self, definition: TaskDefinition, items: TaskItems, loaded: Any) -> None:
        self.definition, self.items, self.loaded = definition, items, loaded

    @functools.cached_property
    def plainly(self) -> Asked:
        """What models without a chat template are asked."""
        return self._ask(None)

    def by(self, chat: Chat | None) -> Asked:
        """Return what a model is asked, in the form of its chat template if the task takes one.

        Raises:
            TaskError: The task cannot be rendered.
        """
        return self._ask(chat) if chat and self.definition.takes_chat else self.plainly

    def _ask(self, chat: Chat | None) -> Asked:
        with failures_named(self.definition.name, "cannot be rendered"):
            items = tuple(_clustered(self.definition, item) for item in ask(self.loaded, chat))
        places = [(i, j) for i, item in enumerate(items) for j in range(len(item.questions))]
        questions = tuple(items[i].questions[j] for i, j in places)
        return Asked(items, tuple(places), questions, questions_sha256(items))


def asked_tasks(
    suite: str,
    items: Path,
    corpus: Path,
    languages: Sequence[str] | None,
    evals: Path,
    problems: list[SkaldError],
    say: Callable[[str], None],
) -> list[AskedTask]:
    """Choose, check and load the tasks of a suite.

    Args:
        suite: A folder of `evals`.
        items: The folder of its items.
        corpus: A built corpus; its languages limit a choice that is not given.
        languages: BCP-47 tags; None: those that suite, items and corpus have in common.
        evals: The folder of suites.
        problems: Where the problem of a task is put that cannot be asked.
        say: Told what is left out.

    Returns:
        The tasks, sorted by name.

    Raises:
        UserInputError: No task can be asked.
    """
    if suite == HUB:
        return _hub_tasks(corpus, languages, evals, problems, say)
    found: list[tuple[TaskDefinition, TaskItems]] = []
    errors: list[SkaldError] = []
    for task in _choose(list_tasks(suite, evals=evals), items, corpus, languages, say):
        try:
            data = check_items(task, items)
        except UserInputError as error:
            errors.append(error)
            continue
        if data is None:
            say(f"{task.name}: left out, {nothing_for(task)}")
        else:
            found.append((task, data))
    if not found:
        raise (
            errors[0]
            if errors
            else UserInputError(
                str(items),
                f"no items for any task of suite {suite}",
                "Add some to the files, or name another folder",
            )
        )
    problems += errors
    require_trusted(evals / suite)
    loaded = _load(evals / suite, [task.name for task, _ in found], items, problems)
    return _rendered(
        [AskedTask(task, data, loaded[task.name]) for task, data in found if task.name in loaded],
        problems,
    )


def _load(
    folder: Path, names: Sequence[str], items: Path, problems: list[SkaldError]
) -> dict[str, Any]:
    """Load tasks together; each by itself where one of them fails, which lm-eval does not name."""
    with contextlib.suppress(Exception):
        return load_tasks(folder, names, items)
    loaded: dict[str, Any] = {}
    for name in names:
        try:
            with failures_named(name, "cannot be rendered"):
                loaded |= load_tasks(folder, [name], items)
        except TaskError as error:
            problems.append(error)
    return loaded


def _hub_tasks(
    corpus: Path,
    languages: Sequence[str] | None,
    evals: Path,
    problems: list[SkaldError],
    say: Callable[[str], None],
) -> list[AskedTask]:
    named = hub_tasks(evals)
    if languages is None:
        trained = CorpusManifest.load(corpus / "corpus.json").recipe.languages
        known = sorted({task.language for task in named})
        languages = [tag for tag in known if tag in trained]
        if rest := [tag for tag in known if tag not in trained]:
            say(f"{', '.join(rest)}: left out of suite {HUB}, no training text in the corpus")
    tasks, errors = define_all(select(named, languages))
    loaded = load_hub(tasks)
    errors += loaded.problems
    if not loaded.tasks:
        problems += errors[1:]
        raise errors[0]
    problems += errors
    there = [task for task in tasks if task.name in loaded.tasks]
    return _rendered(
        [
            AskedTask(task, loaded.data[task.name], loaded.tasks[task.name])
            for task in sorted(there, key=lambda task: task.name)
        ],
        problems,
    )


def _rendered(tasks: Sequence[AskedTask], problems: list[SkaldError]) -> list[AskedTask]:
    """Return the tasks whose questions can be rendered, before any model is asked one.

    Raises:
        TaskError: None can.
    """
    kept, errors = [], list[SkaldError]()
    for task in tasks:
        try:
            kept.append(task if task.plainly.questions else _no_questions(task))
        except TaskError as error:
            errors.append(error)
    problems += errors
    if not kept:
        # The caller keeps what is raised, too.
        raise problems.pop()
    return kept


def _no_questions(task: AskedTask) -> AskedTask:
    raise TaskError(task.definition.name, "asks no question", "Mend its items or its template")


def _clustered(task: TaskDefinition, item: AskedItem) -> AskedItem:
    """Name what an item of others hangs together with; they have no columns for that in common."""
    if not isinstance(task, PublicTask):
        return item
    key = cluster_of(task, item.document, item.item_id)
    return dataclasses.replace(item, key=key, group="")


def _choose(
    tasks: Sequence[TaskDefinition],
    items: Path,
    corpus: Path,
    languages: Sequence[str] | None,
    say: Callable[[str], None],
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
        say(f"{tag}: left out, {why}")
    return select(tasks, common)
