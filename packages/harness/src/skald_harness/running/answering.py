"""One model and one task: what the store lacks is asked, chunk by chunk, and kept at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skald_process.progress import Part
from skald_specs.errors import UserInputError
from skald_specs.records import EvaluatedModel

from skald_harness.models.controls import Subject
from skald_harness.running.asked import Asked, AskedTask
from skald_harness.running.problems import failures_named
from skald_harness.running.ranks import World
from skald_harness.scoring.questions import Answer
from skald_harness.store.answers import AnswerStore, Kept, Place, Stored
from skald_harness.store.keys import RunKey, run_key
from skald_harness.store.records import recorded_answer, request_record

_UNASKED = "cannot be asked"


def _key_of(subject: Subject, task: AskedTask, asked: Asked) -> RunKey:
    """Return the key of a model's answers to what a task asks it."""
    identity = subject.identity(task.definition.language)
    model = asked_model(subject.model, [task])
    return run_key(model, identity, task.definition, task.items, asked.sha256)


def asked_model(model: EvaluatedModel, tasks: Sequence[AskedTask]) -> EvaluatedModel:
    """Return a model's facts as far as tasks concern them: without a template that none takes.

    Args:
        model: The model's facts.
        tasks: What it is asked: one task for the key of its answers, a suite for its summary.
    """
    if any(task.definition.takes_chat for task in tasks):
        return model
    return model.model_copy(update={"chat_template_sha256": None})


def answer(
    subject: Subject,
    task: AskedTask,
    number: int,
    store: AnswerStore,
    me: World,
    progress: Part,
) -> None:
    """Ask what is missing of one model's answers to one task, as far as it is this rank's.

    A chunk is asked as a whole however much of it is known, so that no answer depends on what was
    known before; what was known is not written again.

    Args:
        subject: The model.
        task: The task.
        number: Its number, by which the ranks begin with different chunks.
        store: Where answers are kept.
        me: This rank.
        progress: Counts every answer; of several ranks, as if the others were as fast.

    Raises:
        TaskError: The model cannot be asked this task.
        UserInputError: The model cannot be loaded, or the store not be written.
        ClaimError: An answer cannot be right.
    """
    asked = task.by(subject.chat)
    key = _key_of(subject, task, asked)
    missing = _missing(asked, store.read(key))
    known = len(asked.places) - len(missing)
    progress.found += known
    progress.done += known
    if not missing:
        return
    answerer = subject.answerer(task.definition.language)
    with failures_named(task.definition.name, _UNASKED):
        chunks = answerer.chunks(asked.questions)
    if sorted(i for chunk in chunks for i in chunk) != list(range(len(asked.questions))):
        raise AssertionError(f"{subject.model.name}: chunks lack a question or have one twice")
    how = getattr(answerer, "how", subject.model.scorer)
    with store.writing(key, me.rank, how, me.run) as part:
        # Read again: another evaluation may have come to its end before this one got the lock.
        stored = store.read(key)
        missing = _missing(asked, stored)
        for line in stored.damaged if missing else ():
            me.say(f"{line}: damaged; what it answered is asked again")
        for offset, chunk in enumerate(chunks):
            if not me.has(number + offset) or missing.isdisjoint(chunk):
                continue
            with failures_named(task.definition.name, _UNASKED):
                answers = answerer.answer([asked.questions[i] for i in chunk])
            new = [
                request_record(task.definition.name, key.digest, asked.items[i], j, given)
                for (i, j), given in _wanted(asked, chunk, answers, missing)
            ]
            part.append(new)
            progress.done += len(new) * me.size


@dataclass(frozen=True)
class Recalled:
    """All answers of a model to a task: records in the order of the questions, answers by item."""

    asked: Asked
    records: list[Kept]
    answers: list[list[Answer]]
    scorer: str


def recall(subject: Subject, task: AskedTask, store: AnswerStore) -> Recalled:
    """Read a model's answers to a task, all of which are there.

    Args:
        subject: The model; where it has a chat template, of what was asked in it.
        task: The task.
        store: Where answers are kept.

    Raises:
        UserInputError: Some are not.
    """
    asked = task.by(subject.chat)
    key = _key_of(subject, task, asked)
    stored = store.read(key)
    if missing := _missing(asked, stored):
        raise UserInputError(
            str(store.root),
            f"lacks {len(missing)} answers of {subject.model.name} to {task.definition.name}",
            "All ranks must see the same folder; run the same command again",
        )
    kept = [stored.records[_place(asked, i, j)] for i, j in asked.places]
    given = iter(kept)
    answers = [
        [recorded_answer(next(given).fields) for _ in item.questions] for item in asked.items
    ]
    return Recalled(asked, kept, answers, store.scorer(key))


def taken(subject: Subject, tasks: Sequence[AskedTask]) -> list[AskedTask]:
    """Return the tasks that a model can be asked.

    Args:
        subject: The model; a rule or a model that only generates takes some kinds alone.
        tasks: Candidates.

    Returns:
        In their order; none where it takes none.
    """
    return [
        t for t in tasks
        if subject.takes(t.definition.kind, t.definition.language)
        and (t.items.fixed_labels or not subject.labels_only)
    ]  # fmt: skip


def _missing(asked: Asked, stored: Stored) -> set[int]:
    return {n for n, (i, j) in enumerate(asked.places) if _place(asked, i, j) not in stored.records}


def _place(asked: Asked, item: int, question: int) -> Place:
    return asked.items[item].item_id, question


def _wanted(
    asked: Asked, chunk: Sequence[int], answers: Sequence[Answer], missing: set[int]
) -> Iterable[tuple[tuple[int, int], Answer]]:
    for n, given in zip(chunk, answers, strict=True):
        if n in missing:
            yield asked.places[n], given
