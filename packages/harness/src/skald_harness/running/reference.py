"""Evaluation items as strings to look for in training text: the rows of a decontamination.

Names are those of the records: what is found can be left out of a score. lm-eval renders the texts,
so whatever it can load can be looked for.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from skald_specs.decontamination import ReferenceItem, item_sha256, items_sha256
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_path
from skald_specs.languages import BY_TAG, REGISTER, language

from skald_harness.adapter.index import define_all
from skald_harness.adapter.public import load_hub, load_public
from skald_harness.adapter.tasks import item_texts, load_tasks
from skald_harness.tasks.hub import hub_tasks
from skald_harness.tasks.items import check_items, find_items
from skald_harness.tasks.suites import EVALS, HUB, TaskDefinition, list_tasks, suite_names


def write_reference_items(
    names: Sequence[str],
    out: Path,
    items: Path,
    tag: str | None = None,
) -> dict[str, int]:
    """Write the items of suites and tasks, one `ReferenceItem` a line, gzipped; same bytes each time.

    Args:
        names: Suites, tasks of suites, or tasks, groups and tags of lm-eval.
        out: The file, `*.jsonl.gz`.
        items: The folder with the suites' items.
        tag: BCP-47 tag of tasks of lm-eval whose name does not say their language.

    Returns:
        The number of items by task.

    Raises:
        UserInputError: A name is unknown, a task cannot be loaded, items are missing or malformed,
            or a task's language is not known; an earlier file stays as it was.
    """
    if not out.name.endswith(".jsonl.gz"):
        raise UserInputError(str(out), "not a .jsonl.gz file", "Name it items.jsonl.gz, say")
    if tag is not None:
        language(tag, "--language")
    counts: dict[str, int] = {}
    with (
        atomic_path(out) as temporary,
        temporary.open("wb") as raw,
        # Neither a name nor a time in the header: same items, same bytes.
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
    ):
        for item in reference_items(names, items, tag):
            packed.write(f"{item.model_dump_json()}\n".encode())
            counts[item.task] = counts.get(item.task, 0) + 1
    return counts


def reference_items(
    names: Sequence[str], items: Path, tag: str | None = None, evals: Path = EVALS
) -> Iterator[ReferenceItem]:
    """Yield the items of suites and tasks; see `write_reference_items`.

    A task named twice, also by its suite, is read once.

    Args:
        names: Suites, tasks of suites, or tasks, groups and tags of lm-eval.
        items: The folder with the suites' items.
        tag: BCP-47 tag of tasks of lm-eval whose name does not say their language; None: these are
            refused.
        evals: The folder of suites.
    """
    ours = {task.name: task for task in list_tasks(evals=evals)}
    suites = suite_names(evals)
    spoken = {task.name: task.language for task in hub_tasks(evals)} if HUB in suites else {}
    done: set[str] = set()
    for name in names:
        if name != HUB and (name in suites or name in ours):
            chosen = [task for task in ours.values() if name in (task.suite, task.name)]
            yield from _suite([t for t in chosen if t.name not in done], name, items, evals)
            done |= {task.name for task in chosen}
        else:
            public = _load_hub(evals) if name == HUB else load_public(name)
            yield from _public({k: v for k, v in public.items() if k not in done}, spoken, tag)
            done |= public.keys()


def asked_sha256(name: str, task: Any, is_public: bool) -> str:
    """Return the hash of a task's items by which a search for them knows them again.

    Args:
        name: The task's.
        task: lm-eval's object.
        is_public: Whether it is a task of others.

    Returns:
        `items_sha256`; empty where an item cannot be rendered, so that nobody looked for it.
    """
    try:
        hashes = {item: item_sha256(texts) for item, texts in _named(name, task, is_public)}
    except UserInputError:
        return ""
    return items_sha256(hashes)


def task_language(name: str, tag: str | None = None) -> str:
    """Return the language that a task's name tells, by the register.

    Args:
        name: A name with a FLORES code (`belebele_dan_Latn`) or with a tag or ISO 639-3 code as its
            last part (`arc_da`).
        tag: What to take where the name does not tell.

    Raises:
        UserInputError: Neither tells.
    """
    for row in REGISTER:
        if row.flores and re.search(rf"(^|_){row.flores}(_|$)", name):
            return row.tag
    last = re.split(r"[_-]", name)[-1]
    for row in REGISTER:
        if row.iso639_3 and last in (row.tag, row.iso639_3):
            return row.tag
    if tag is None:
        raise UserInputError(
            name,
            "its name does not tell its language",
            f"Add --language, one of {', '.join(BY_TAG)}",
        )
    return tag


def _suite(
    tasks: Sequence[TaskDefinition], name: str, items: Path, evals: Path
) -> Iterator[ReferenceItem]:
    if not items.is_dir():
        raise UserInputError(
            str(items), "no such items folder", "Run `skald corpus generate`, or name your own"
        )
    present = [task for task in tasks if find_items(task, items) is not None]
    if tasks and not present:
        raise UserInputError(
            str(items),
            f"no items for {name} (such as {tasks[0].items_path})",
            "Name the folder that has them with --items",
        )
    # Checked before lm-eval reads the same files, where a fault would be a traceback.
    served = [task for task in present if check_items(task, items) is not None]
    if missing := [task.name for task in tasks if task not in served]:
        print(f"left out, no items: {', '.join(missing)}", file=sys.stderr)
    for suite in sorted({task.suite for task in served}):
        here = [task for task in served if task.suite == suite]
        loaded = load_tasks(evals / suite, [task.name for task in here], items)
        for task in here:
            for item_id, texts in _named(task.name, loaded[task.name], is_public=False):
                yield _item(task.name, item_id, task.language, texts)


def _load_hub(evals: Path) -> dict[str, Any]:
    """Load all tasks of the suite `hub`; a list that lacks some would look like one that is whole."""
    tasks, problems = define_all(hub_tasks(evals))
    loaded = load_hub(tasks)
    problems += loaded.problems
    for problem in problems[1:]:
        print(f"skald: {problem}", file=sys.stderr)
    if problems:
        raise problems[0]
    return loaded.tasks


def _public(
    tasks: Mapping[str, Any], spoken: Mapping[str, str], tag: str | None
) -> Iterator[ReferenceItem]:
    for name in sorted(tasks):
        tongue = spoken.get(name) or task_language(name, tag)
        for item_id, texts in _named(name, tasks[name], is_public=True):
            yield _item(name, item_id, tongue, texts)


def _named(name: str, task: Any, is_public: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    for number, (document, texts) in enumerate(item_texts(name, task)):
        # lm-eval's own `doc_id`: documents of others have no common name for an id.
        yield str(number) if is_public else str(document["id"]), texts


def _item(task: str, item_id: str, tag: str, texts: tuple[str, ...]) -> ReferenceItem:
    if not texts:
        raise UserInputError(task, f"item {item_id} has no text", "Mend it, or leave the task out")
    return ReferenceItem(task=task, item_id=item_id, language=tag, strings=texts)
