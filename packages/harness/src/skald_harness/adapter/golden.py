"""The suite `hub` checked against the installed lm-eval: every task there, none changed unnoticed.

`evals/hub/golden.json` holds a hash of each task's resolved file and code. It imports nothing of
lm-eval, so checking takes less than a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_json
from skald_specs.fingerprint import fingerprint

from skald_harness.adapter.index import PublicTask, define_all
from skald_harness.tasks.hub import hub_tasks, read_table
from skald_harness.tasks.suites import EVALS, HUB

_GOLDEN = "golden.json"
#: Enough of a hash to notice a change; the file is read by people.
_N_DIGITS = 12


def check_hub(evals: Path = EVALS) -> list[str]:
    """Return every fault of the suite `hub`, one line each; none means all is well.

    Every task must be in the installed lm-eval as its family says, every family must have one, and no
    two wordings may ask the same: their mean would count it twice.
    """
    try:
        table = read_table(evals)
        named = hub_tasks(evals, table=table)
    except UserInputError as error:
        return [str(error)]
    defined, problems = define_all(named)
    unused = sorted(set(table.families) - {task.family for task in named})
    return (
        [str(problem) for problem in problems]
        + [f"{evals / HUB}: no task of family {family}. Remove the family" for family in unused]
        + _asked_twice(defined)
    )


def _asked_twice(tasks: Sequence[PublicTask]) -> list[str]:
    first: dict[tuple[str, str, str], str] = {}
    lines = []
    for task in tasks:
        # A name and a version ask nothing.
        config = {k: v for k, v in task.config.items() if k not in ("task", "metadata")}
        key = (task.language, task.family, fingerprint([config, task.code_sha256]))
        if (same := first.setdefault(key, task.name)) != task.name:
            lines.append(f"{task.name}: asks the same as {same} in the same words. Leave one out")
    return lines


def changed_upstream(evals: Path = EVALS, accept: bool = False) -> list[str]:
    """Return every task that lm-eval no longer has as it was accepted, one line each.

    Args:
        evals: The folder of suites; the suite must be sound (`check_hub`).
        accept: Accept all tasks as they are now instead.
    """
    tasks, _ = define_all(hub_tasks(evals))
    path = evals / HUB / _GOLDEN
    if accept:
        if not path.is_file() or read_json(path) != _golden(tasks):
            write_json(path, _golden(tasks))
        return []
    return _changed(tasks, path)


def _golden(tasks: Sequence[PublicTask]) -> dict[str, Any]:
    hashes = {task.name: task.fingerprint[:_N_DIGITS] for task in tasks}
    return {"lm_eval": metadata.version("lm_eval"), "tasks": dict(sorted(hashes.items()))}


def _changed(tasks: Sequence[PublicTask], path: Path) -> list[str]:
    known, now = read_json(path) if path.is_file() else {}, _golden(tasks)
    accepted = known.get("tasks", {})
    remedy = "If that is meant, accept it with `skald evals check --accept`"
    lines = []
    for name, digest in now["tasks"].items():
        if name not in accepted:
            lines.append(f"{name}: not in {path.name}. {remedy}")
        elif accepted[name] != digest:
            lines.append(
                f"{name}: changed between lm-eval {known.get('lm_eval')} and {now['lm_eval']}; "
                f"earlier scores do not compare. {remedy}"
            )
    for name in sorted(accepted.keys() - now["tasks"].keys()):
        lines.append(f"{name}: in {path.name}, but no task. {remedy}")
    return lines
