"""Evaluation items on disk: checked line by line before any model is loaded.

lm-eval reads the same files through the suites' `utils.py`; a fault met there would be a traceback.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from skald_specs.errors import UserInputError
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.models import Spec
from skald_specs.packed import read_packed
from skald_specs.plain import parse_json
from skald_specs.records import CHOICE_KINDS

from skald_harness.tasks.suites import TaskDefinition

Text = Annotated[str, Field(min_length=1)]
_NAME_YOURS = "Name your folder with --items"
_REMEDY = "Run `skald corpus generate`, or name your own"


class UserPair(Spec):
    """A pair of a user's own folder (suite `ud`); fields beyond these are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    good: Text
    bad: Text
    type: Literal["swap", "delete"]
    source_id: Text


class UserText(Spec):
    """A line of a user's own text (suite `ud`); fields beyond these are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: Text
    id: Text | None = None
    doc: Text | None = None


class UserSentence(UserText):
    """A sentence whose `id` its translations share."""

    id: Text


class _Pair(PairItem):
    @model_validator(mode="after")
    def _two_sides(self) -> Self:
        if not self.good or not self.bad or self.good == self.bad:
            raise ValueError("`good` and `bad` must be two different, non-empty texts")
        return self


class _Cloze(ClozeItem):
    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if not self.context or not all(self.choices):
            raise ValueError("`context` and every choice must be non-empty")
        if len(set(self.choices)) != len(self.choices):
            raise ValueError("two choices are the same")
        if not 0 <= self.answer < len(self.choices):
            raise ValueError(f"`answer` = {self.answer} names no choice")
        return self


class _Document(TextItem):
    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.text:
            raise ValueError("`text` is empty")
        return self


_SPECS: dict[str, type[Spec]] = {
    **dict.fromkeys(CHOICE_KINDS, _Cloze),
    "pairs": _Pair,
    "number": _Pair,
    "text": _Document,
}


@dataclass(frozen=True)
class TaskItems:
    """What a task reads: `sha256` hashes the items as text, packed or not.

    `chance` and `fixed_labels` are those of `skald_specs.records.TaskInfo`.
    """

    n_items: int
    sha256: str
    chance: float | None
    fixed_labels: bool = False


def find_items(task: TaskDefinition, folder: Path) -> Path | None:
    """Return the file with a task's items, plain or gzipped.

    Args:
        task: The task; names the file within the folder.
        folder: The suites' items, or a user's own.

    Returns:
        None where there is neither.
    """
    return _either(folder / task.items_path)


def nothing_for(task: TaskDefinition) -> str:
    """Return why `check_items` found nothing for a task of a user's folder."""
    chosen = task.config["metadata"].get("select")
    return f"no pairs of type {chosen}" if chosen else f"nothing in {task.items_path}"


def languages_with_items(tasks: Sequence[TaskDefinition], folder: Path) -> list[str]:
    """Return the languages for which a folder holds at least one task's items.

    Args:
        tasks: Of one suite.
        folder: The suites' items, or a user's own.

    Returns:
        BCP-47 tags, sorted.

    Raises:
        UserInputError: The folder is missing, or holds Skald's own items for tasks of a user's.
    """
    is_users = all(task.config["metadata"].get("layout") == "user" for task in tasks)
    if not folder.is_dir():
        what = "a file, no folder of items" if folder.exists() else "no such items folder"
        remedy = _NAME_YOURS if is_users else _REMEDY
        raise UserInputError(str(folder), what, remedy)
    found = [(task, path) for task in tasks if (path := find_items(task, folder)) is not None]
    if is_users and found and all(_is_own(path) for path in {path for _, path in found}):
        raise UserInputError(str(folder), "items of Skald's own, none of yours", _NAME_YOURS)
    return sorted({task.language for task, _ in found})


def check_items(task: TaskDefinition, folder: Path) -> TaskItems | None:
    """Read and check the items of a task.

    Args:
        task: The task.
        folder: The suites' items, or a user's own.

    Returns:
        What the task reads; None when a user's folder has nothing for it (`nothing_for`).

    Raises:
        UserInputError: A line is malformed (it is named), sentences share no id, or Skald's own items
            are missing.
    """
    settings = task.config["metadata"]
    is_users = settings.get("layout") == "user"
    path = find_items(task, folder)
    if path is None:
        if is_users:
            return None
        raise UserInputError(
            str(folder / task.items_path),
            f"no items for {task.name}",
            "Run `skald corpus generate`, or leave the language out",
        )
    text = _read(path)
    names: dict[str, float] = {}
    for where, number, value in _rows(path, text):
        name, n_choices = _check(task, value, where, number)
        if name is None:
            continue
        if name in names:
            raise UserInputError(where, f"a second item named {name!r}", "Make the names unique")
        names[name] = 1 / n_choices
    digest = hashlib.sha256(text.encode("utf-8"))
    if settings.get("parallel"):
        shared = _shared_ids(task, folder)
        names = {name: chance for name, chance in names.items() if name in shared}
        # Which sentences are asked depends on the files of the other languages.
        digest.update("\n".join(sorted(shared)).encode("utf-8"))
    if not names:
        if is_users:
            return None
        raise UserInputError(str(path), f"no items for {task.name}", "Add some, or remove the file")
    chance = None if task.kind == "text" else round(sum(names.values()) / len(names), 12)
    return TaskItems(len(names), digest.hexdigest(), chance)


def _check(task: TaskDefinition, value: Any, where: str, number: int) -> tuple[str | None, int]:
    """Check one line; return the item's name, None for one of another task, and its choices."""
    settings = task.config["metadata"]
    if settings.get("layout") != "user":
        item = _SPECS[task.kind].check(value, where)
        n_choices = len(item.choices) if isinstance(item, ClozeItem) else 2
        return str(getattr(item, "id")), n_choices  # noqa: B009 - every item format has an id
    if task.kind == "pairs":
        if isinstance(value, dict) and "phenomenon" in value:
            raise UserInputError(where, "an item of Skald's own, none of yours", _NAME_YOURS)
        pair = UserPair.check(value, where)
        return (pair.source_id if pair.type == settings["select"] else None), 2
    line = (UserSentence if settings.get("parallel") else UserText).check(value, where)
    return line.id or f"line {number}", 1


def _shared_ids(task: TaskDefinition, folder: Path) -> set[str]:
    """Return the ids that the files of all languages have.

    Raises:
        UserInputError: A line of a language is malformed, or no id is in all of them.
    """
    pattern = str(task.config["metadata"]["items"]).format(language="*")
    found = sorted({*folder.glob(pattern), *folder.glob(f"{pattern}.gz")})
    # A plain file stands before a packed one of the same name.
    paths = [
        path for path in found if path == _either(path.with_name(path.name.removesuffix(".gz")))
    ]
    ids = [
        {UserSentence.check(value, where).id for where, _, value in _rows(path, _read(path))}
        for path in paths
    ]
    shared = set.intersection(*ids)
    if not shared:
        names = ", ".join(path.name for path in paths)
        raise UserInputError(
            str(folder / pattern), f"no `id` that all of {names} have", "Give translations one id"
        )
    return shared


def _is_own(path: Path) -> bool:
    """Tell whether a file begins with a pair that Skald made."""
    try:
        first = next((value for _, _, value in _rows(path, _read(path))), None)
    except UserInputError:
        return False
    return isinstance(first, dict) and "phenomenon" in first


def _either(plain: Path) -> Path | None:
    packed = plain.with_name(plain.name + ".gz")
    return next((path for path in (plain, packed) if path.is_file()), None)


def _read(path: Path) -> str:
    data = read_packed(path)
    if data.startswith(codecs.BOM_UTF8):
        raise UserInputError(
            f"{path}:1", "begins with a byte order mark", "Save the file as UTF-8 without BOM"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise UserInputError(
            f"{path}:{line}",
            f"byte {column} of the line (0x{data[error.start]:02x}) is not UTF-8",
            "Save the file as UTF-8",
        ) from None


def _rows(path: Path, text: str) -> Iterator[tuple[str, int, Any]]:
    """Yield each line's place, its number and its value."""
    # Only newlines end a line: str.splitlines would also split at U+2028 inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}:{number}"
            value = parse_json(line, str(path), number)
            if half := _half_character(line, value):
                raise UserInputError(where, f"holds half a character ({half})", "Mend the line")
            yield where, number, value


def _half_character(line: str, value: Any) -> str | None:
    r"""Return a surrogate without its other half, which only `\u` can write and no UTF-8 holds."""
    if "\\u" not in line:
        return None
    found = re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False))
    return f"\\u{ord(found[0]):04x}" if found else None
