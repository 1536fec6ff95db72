"""lm-eval's own tasks: found, loaded with their data, and described.

Only the folders that a name occurs in are given to lm-eval, whose whole index costs seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import datasets
from huggingface_hub import constants, get_session
from lm_eval.tasks import TaskManager
from skald_specs.errors import UserInputError
from skald_specs.guesses import near

from skald_harness.adapter.asking import right_choices
from skald_harness.adapter.index import PublicTask, tasks_folder
from skald_harness.adapter.tasks import FEWSHOT_SEED, unloadable
from skald_harness.tasks.hub import hub_tasks
from skald_harness.tasks.items import TaskItems
from skald_harness.tasks.suites import list_tasks, suite_names

#: A cluster's value longer than this is a passage; its hash names it as well.
_MAX_KEY_CHARACTERS = 64
_PATIENCE_S = 10.0


@dataclass
class Loaded:
    """lm-eval's task objects and what they read, by task name; `problems` says what is missing.

    One problem a family, for no hub answers a hundred tasks of one data set differently.
    """

    tasks: dict[str, Any] = field(default_factory=dict)
    data: dict[str, TaskItems] = field(default_factory=dict)
    problems: list[UserInputError] = field(default_factory=list)


def load_hub(tasks: Sequence[PublicTask]) -> Loaded:
    """Load tasks of the suite `hub` with their data, from the Hub or a filled cache.

    A family that cannot be loaded is left out and named; the others go on.

    Args:
        tasks: Tasks of `adapter.index`.

    Returns:
        What could be loaded, and one problem for each family of which something could not.
    """
    manager = TaskManager(include_defaults=False)
    loaded = Loaded()
    missing: dict[str, list[tuple[PublicTask, UserInputError]]] = {}
    # lm-eval downloads and runs the code of a metric that it does not know; without the library that
    # does so it goes on, for such a metric is computed by the task itself.
    with _hub_or_cache(), _without_module("evaluate"):
        for task in tasks:
            try:
                with _failures_named(task.name):
                    [built] = manager.load([str(task.path)])["tasks"].values()
                    built.set_fewshot_seed(seed=FEWSHOT_SEED)
                    loaded.data[task.name] = describe(task, built)
                loaded.tasks[task.name] = built
            except UserInputError as error:
                missing.setdefault(task.hub.family, []).append((task, error))
    loaded.problems = [_left_out(family, rows) for family, rows in missing.items()]
    return loaded


def describe(task: PublicTask, loaded: Any) -> TaskItems:
    """Return what a task reads: number of items, hash of the documents, chance.

    The documents are hashed as the task evaluates them, after its own filters and changes.

    Args:
        task: The task; its kind says whether there are choices, and so a chance.
        loaded: lm-eval's object of it, with its data.

    Raises:
        UserInputError: It has no items.
    """
    digest, n_items = hashlib.sha256(), 0
    offered: list[list[str]] = []
    right: Counter[int] = Counter()
    for document in loaded.eval_docs:
        row = json.dumps(document, ensure_ascii=False, sort_keys=True, default=str)
        digest.update(f"{row}\n".encode())
        n_items += 1
        if task.kind == "choice":
            offered.append(_choices(loaded, document))
            right.update(right_choices(loaded, document, loaded.doc_to_target(document)))
    if not n_items:
        raise UserInputError(task.name, "its data set has no items", "Leave it out")
    if task.kind != "choice":
        return TaskItems(n_items, digest.hexdigest(), None)
    # One item alone does not show that its choices are those of all.
    fixed = task.hub.facts.labels or (n_items > 1 and all(own == offered[0] for own in offered))
    if fixed and right:
        chance = max(right.values()) / n_items
    else:
        chance = sum(1 / len(choices) for choices in offered) / n_items
    return TaskItems(n_items, digest.hexdigest(), round(chance, 12), fixed)


def cluster_of(task: PublicTask, document: Mapping[str, Any], item_id: str) -> str:
    """Return what an item hangs together with: the value of its cluster's column, else itself.

    Args:
        task: The task; where the hub's facts name no column, every item stands alone.
        document: The item as lm-eval holds it.
        item_id: What records call the item.

    Returns:
        The key; of a long value, such as a whole passage, its hash.
    """
    cluster = task.hub.facts.cluster
    if cluster is None:
        return item_id
    value = str(document[cluster])
    if len(value) <= _MAX_KEY_CHARACTERS:
        return value
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def load_public(name: str) -> dict[str, Any]:
    """Load a task, group or tag of lm-eval's own; its data come from where the task says.

    Args:
        name: Such as `belebele_dan_Latn`.

    Returns:
        lm-eval's task objects by name.

    Raises:
        UserInputError: lm-eval has no such task, or it or its data cannot be loaded.
    """
    _quiet()
    manager = TaskManager(include_path=_folders_with(name), include_defaults=False)
    if name not in manager.all_tasks:
        own = [task.name for task in list_tasks()] + [task.name for task in hub_tasks()]
        meant = near(name, [*suite_names(), *own])
        raise UserInputError(
            name,
            "no suite and no task of lm-eval",
            (f"Did you mean {meant[0]}? " if meant else "")
            + "Suites: `skald evals list`; tasks: `lm_eval ls tasks`",
        )
    if _reaches_beyond(name, manager.task_index):
        manager = TaskManager()
    with _hub_or_cache(), _without_module("evaluate"), _failures_named(name):
        tasks: dict[str, Any] = manager.load([name])["tasks"]
    return tasks


def _quiet() -> None:
    """Keep lm-eval and the Hub's clients from warning of what is named here in one line."""
    for noisy in ("lm_eval", "huggingface_hub", "datasets"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # It calls an error what is no fault here: a metric that a task computes by itself.
    logging.getLogger("lm_eval.api.registry").setLevel(logging.CRITICAL)


@contextmanager
def _hub_or_cache() -> Iterator[None]:
    """Read the cache alone where the Hub does not answer.

    Each data set that cannot be reached costs 24 s of retries; hundreds of tasks would cost hours.
    """
    _quiet()
    offline = constants.HF_HUB_OFFLINE or not _hub_answers()
    with (
        patch.object(constants, "HF_HUB_OFFLINE", offline),
        patch.object(datasets.config, "HF_HUB_OFFLINE", offline),
    ):
        yield


@contextmanager
def _without_module(name: str) -> Iterator[None]:
    """Let an import fail; what else is imported meanwhile stays, unlike with `patch.dict`."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own sign that there is none
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def _hub_answers() -> bool:
    try:
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE_S)
    except Exception as error:  # Any of the transport's many errors: no answer is no answer.
        why = str(error).strip() or type(error).__name__
        print(f"{constants.ENDPOINT}: no answer ({why}); the cache alone is read", file=sys.stderr)
        return False
    return True


def _folders_with(name: str) -> list[str | Path]:
    """Return the folders of lm-eval's tasks in whose files a name occurs."""
    wanted = name.encode()
    return [
        folder
        for folder in sorted(tasks_folder().iterdir())
        if folder.is_dir()
        and any(
            wanted in path.read_bytes()
            for path in folder.rglob("*")
            if path.suffix == ".yaml" or path.name.endswith("_yaml")
        )
    ]


def _reaches_beyond(name: str, index: Mapping[str, Any]) -> bool:
    """Whether a group names a task or group that the folders indexed so far do not have."""
    if name not in index:
        return True
    return any(_reaches_beyond(member, index) for member in _members(index[name].cfg or {}))


def _members(config: Mapping[str, Any]) -> Iterator[str]:
    listed = config.get("task")
    for member in listed if isinstance(listed, list) else ():
        if isinstance(member, str):
            yield member
        elif isinstance(member.get("task"), list):  # A group within the group.
            yield from _members(member)
        else:
            yield member.get("group") or member["task"]


def _choices(loaded: Any, document: Mapping[str, Any]) -> list[str]:
    choices: list[str] = loaded.doc_to_choice(document)
    return choices


@contextmanager
def _failures_named(name: str) -> Iterator[None]:
    try:
        yield
    except UserInputError:
        raise
    except Exception as error:  # Tasks run code of their own, and hubs fail in many ways.
        raise unloadable(name, error) from None


def _left_out(family: str, rows: Sequence[tuple[PublicTask, UserInputError]]) -> UserInputError:
    first = rows[0][1]
    languages = ", ".join(sorted({task.language for task, _ in rows}))
    return UserInputError(
        f"{family} ({languages})",
        f"{len(rows)} task{'s' * (len(rows) > 1)} left out: {first.problem}",
        first.remedy,
    )
