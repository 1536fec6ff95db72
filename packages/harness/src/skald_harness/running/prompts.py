"""Golden prompts: what our tasks ask, by version; a change needs a new version.

`evals/<suite>/golden.json` holds for each task its version and two hashes of all that it asks and
takes for right: `toy` of fixed toy items, which shows a changed template or code anywhere, and `items`
of all of the repository's own items, where the task has such. Of a user's text there is nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json

from skald_harness.adapter.asking import ask, questions_sha256
from skald_harness.adapter.tasks import load_tasks
from skald_harness.tasks.items import check_items, find_items
from skald_harness.tasks.suites import EVALS, TaskDefinition, list_tasks, require_trusted
from skald_harness.tasks.toy import write_toy_items

GOLDEN = "golden.json"
_ACCEPT = "`skald evals check --accept`"
#: How much of a hash is kept: people read the file.
_N_DIGITS = 16


@dataclass(frozen=True)
class Checked:
    """What a check found: `problems` fail it; `notes` say what could not be looked at, or was accepted."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check_prompts(items: Path, evals: Path = EVALS, accept: bool = False) -> Checked:
    """Render what every task asks and compare it with what was accepted.

    Args:
        items: The repository's items; tasks whose items are not there are checked on toy items.
        evals: The folder of suites; its task files must be sound (`check_suites`).
        accept: Write what may be accepted: new tasks, and those with a higher version.

    Returns:
        Problems and notes, one line each.
    """
    problems: list[str] = []
    notes: list[str] = []
    for suite, grouped in groupby(_by_suite(evals), key=lambda task: task.suite):
        tasks, path = list(grouped), evals / suite / GOLDEN
        golden: dict[str, Any] = read_json(path) if path.is_file() else {}
        now, failed = _render(evals / suite, tasks, items)
        problems += failed
        kept: dict[str, Any] = {}
        for task in tasks:
            if task.name not in now:
                continue
            known, found = golden.get(task.name), now[task.name]
            problem, acceptable = _compare(task, known, found)
            if accept and acceptable:
                notes.append(_accepted(task, known))
                kept[task.name] = found
            else:
                problems += [f"{task.name}: {problem}"] if problem else []
                kept |= {task.name: known} if known else {}
        names = {task.name for task in tasks}
        for gone in sorted(golden.keys() - names):
            if accept:
                notes.append(f"{gone}: removed from {GOLDEN}")
            else:
                problems.append(f"{gone}: in {path}, but no task. Run {_ACCEPT}")
        kept |= {name: golden[name] for name in golden.keys() & (names - now.keys())}
        if accept and kept != golden:
            write_json(path, dict(sorted(kept.items())))
        bare = [
            t.name for t in tasks if t.name in now and _has_own(t) and "items" not in now[t.name]
        ]
        if bare:
            notes.append(
                f"{len(bare)} tasks of suite {suite} were checked on toy items alone: {items} has no "
                f"items for them, such as {bare[0]}"
            )
    return Checked(tuple(problems), tuple(notes))


def _by_suite(evals: Path) -> list[TaskDefinition]:
    return sorted(list_tasks(evals=evals), key=lambda task: (task.suite, task.name))


def _has_own(task: TaskDefinition) -> bool:
    """Return whether the repository makes the items of a task."""
    return bool(task.config["metadata"].get("layout") != "user")


def _render(
    folder: Path, tasks: Sequence[TaskDefinition], items: Path
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what each task is now, and a problem for each that cannot be rendered."""
    now: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="skald-toy-") as scratch:
        toy = Path(scratch)
        write_toy_items(tasks, toy)
        for task, hashed in _hashes(folder, tasks, toy, problems):
            now[task.name] = {"version": task.version, "toy": hashed}
    own = [task for task in tasks if task.name in now and _has_own(task)]
    sound = []
    for task in own:
        try:
            if find_items(task, items) is not None and check_items(task, items) is not None:
                sound.append(task)
        except UserInputError as error:
            problems.append(str(error))
    for task, hashed in _hashes(folder, sound, items, problems):
        now[task.name]["items"] = hashed
    return now, problems


def _hashes(
    folder: Path, tasks: Sequence[TaskDefinition], items: Path, problems: list[str]
) -> Iterator[tuple[TaskDefinition, str]]:
    require_trusted(folder)
    try:
        loaded = load_tasks(folder, [task.name for task in tasks], items)
    except Exception:  # One of them raised: each by itself, to name it.
        loaded = {}
    for task in tasks:
        try:
            ready = loaded.get(task.name) or load_tasks(folder, [task.name], items)[task.name]
            hashed = questions_sha256(ask(ready))[:_N_DIGITS]
        except Exception as error:  # Templates and functions of a task may raise anything.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
            problems.append(
                f"{task.name}: cannot be rendered ({type(error).__name__}: {reason.rstrip('.')}). "
                "Mend its template or utils.py"
            )
        else:
            yield task, hashed


def _compare(
    task: TaskDefinition, known: dict[str, Any] | None, found: dict[str, Any]
) -> tuple[str, bool]:
    """Return the problem, empty where there is none, and whether accepting would mend it."""
    if known is None:
        return f"not in {GOLDEN}. Run {_ACCEPT}", True
    version, accepted = task.version, float(known["version"])
    if version < accepted:
        return f"version {version} is below the accepted {accepted}. Raise metadata.version", False
    has_items = "items" in found or "items" not in known
    if version > accepted:
        if not has_items:
            return (
                f"version {version} is new, but its items are not there to accept. Make them",
                False,
            )
        return f"version {version} is not accepted yet, but {accepted}. Run {_ACCEPT}", True
    if "items" in found and "items" not in known:
        return f"its items are not in {GOLDEN}. Run {_ACCEPT}", found["toy"] == known["toy"]
    changed = [part for part in ("toy", "items") if part in found and found[part] != known[part]]
    if not changed:
        return "", False
    # The items may change while the template stays: scores do not compare either way.
    what = "prompts or right answers" if "toy" in changed else "its items"
    raised = round(version + 0.1, 1)
    return (
        f"{what} changed: raise metadata.version ({version} -> {raised}), then {_ACCEPT}", False
    )  # fmt: skip


def _accepted(task: TaskDefinition, known: dict[str, Any] | None) -> str:
    before = "" if known is None else f"{float(known['version'])} -> "
    return f"{task.name}: accepted, version {before}{task.version}"
