"""Evaluation items on disk: checked line by line before any model is loaded.

lm-eval reads the same files through the suites' `utils.py`; a fault met there would be a traceback.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from skald_specs.errors import UserInputError
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.models import Spec
from skald_specs.records import CHOICE_KINDS

from skald_harness.tasks.suites import TaskDefinition

Text = Annotated[str, Field(min_length=1)]


class UserPair(Spec):
    """A pair of a user's own folder (suite `ud`); fields beyond these are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    good: Text
    bad: Text
    type: Literal["swap", "delete"]
    source_id: Text


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
    """What a task reads: `sha256` hashes the items as text, packed or not."""

    n_items: int
    sha256: str
    chance: float | None


def find_items(task: TaskDefinition, folder: Path) -> Path | None:
    """Return the file with a task's items, plain or gzipped, or None."""
    plain = folder / task.items_path
    packed = plain.with_name(plain.name + ".gz")
    return next((path for path in (plain, packed) if path.is_file()), None)


def languages_with_items(tasks: Sequence[TaskDefinition], folder: Path) -> list[str]:
    """Return the languages for which a folder holds at least one task's items.

    Raises:
        UserInputError: The folder is missing.
    """
    if not folder.is_dir():
        raise UserInputError(
            str(folder), "no such items folder", "Run `skald corpus generate`, or name your own"
        )
    return sorted({task.language for task in tasks if find_items(task, folder) is not None})


def check_items(task: TaskDefinition, folder: Path) -> TaskItems | None:
    """Read and check the items of a task.

    Returns:
        What the task reads; None when a user's file has no pairs of the task's type.

    Raises:
        UserInputError: The file is missing, a line is malformed (it is named), or a file of which
            a task reads every line has none.
    """
    path = find_items(task, folder)
    if path is None:
        raise UserInputError(
            str(folder / task.items_path),
            f"no items for {task.name}",
            "Run `skald corpus generate`, or leave the language out",
        )
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = data.decode("utf-8")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise UserInputError(str(path), f"cannot be read ({error})", "Rebuild the file") from None
    chosen = task.config["metadata"].get("select")
    seen: set[str] = set()
    chances: list[float] = []
    # Only newlines end a line: str.splitlines would also split at U+2028 inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserInputError(where, f"not JSON ({error.msg})", "Mend or remove it") from None
        if chosen is None:
            item = _SPECS[task.kind].check(value, where)
            name = str(getattr(item, "id"))  # noqa: B009 - every item format has an id
        else:
            pair = UserPair.check(value, where)
            if pair.type != chosen:
                continue
            item, name = pair, pair.source_id
        if name in seen:
            raise UserInputError(where, f"a second item named {name!r}", "Make the names unique")
        seen.add(name)
        chances.append(1 / len(item.choices) if isinstance(item, ClozeItem) else 0.5)
    if not seen:
        if chosen is not None:
            return None
        raise UserInputError(str(path), f"no items for {task.name}", "Add some, or remove the file")
    chance = None if task.kind == "text" else round(sum(chances) / len(chances), 12)
    return TaskItems(len(seen), hashlib.sha256(data).hexdigest(), chance)
