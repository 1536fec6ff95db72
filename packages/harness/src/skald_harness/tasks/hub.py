"""The suite `hub`: which of lm-eval's own tasks are asked in which language, and what is known of them.

Reads `evals/hub`: one group file a language, which plain lm-eval runs, and the table of families.
Refuses to know lm-eval: `adapter.index` finds the task files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from skald_specs.errors import UserInputError
from skald_specs.files import read_yaml
from skald_specs.languages import REGISTER
from skald_specs.models import Spec
from skald_specs.records import TaskKind

from skald_harness.tasks.suites import EVALS, HUB, select

#: The table of families. Without `.yaml`, so that lm-eval does not take it for a task.
TABLE = "_families_yaml"
#: Fewer items than this decide little: at 50 items and one half right, +-14 points.
LOW_POWER_BELOW = 100
_GROUP = "skald_hub_"
#: Metrics of a choice; any other is of a generated answer.
_CHOICE_METRICS = ("acc", "acc_norm", "acc_bytes")

Made = Literal["original", "machine", "corrected", "people"]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(gt=0)]


class Family(Spec):
    """One family of tasks; `_families_yaml` says what the fields mean."""

    about: Text
    match: tuple[Text, ...]
    folders: tuple[Text, ...]
    source: Text
    license: str | None = None
    license_from: str | None = None
    made: Made | None = None
    original_language: str | None = None
    metric: Literal["acc", "acc_norm", "acc_bytes", "exact_match", "em", "f1", "fscore"]
    filter: str | None = None
    chance: Annotated[float, Field(gt=0, lt=1)] | None = None
    labels: bool = False
    n_items: Count | dict[str, Count] | None = None
    cluster: str | None = None

    @field_validator("match")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            _compiled(pattern, ("variant", "part"))
        return value

    @model_validator(mode="after")
    def _facts_agree(self) -> Family:
        if (self.license is None) != (self.license_from is None):
            raise ValueError("a license needs `license_from`, where it was read, and the reverse")
        translated = self.made not in ("original", None)
        if translated != (self.original_language is not None):
            raise ValueError("what was translated, and only that, has an `original_language`")
        if self.chance is not None and self.kind == "generate":
            raise ValueError("a generated answer has no `chance`")
        if self.labels and (self.chance is not None or self.kind == "generate"):
            raise ValueError("`labels` are of a choice, and their `chance` follows from the items")
        return self

    @property
    def kind(self) -> TaskKind:
        """Whether answers are chosen or generated."""
        return "choice" if self.metric in _CHOICE_METRICS else "generate"


class LeftOut(Spec):
    """Tasks of lm-eval that the suite does not ask, and why."""

    match: tuple[Text, ...]
    why: Text

    @field_validator("match")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            _compiled(pattern, ())
        return value


class HubTable(Spec):
    """`_families_yaml`: the families, and what is left out."""

    families: dict[str, Family]
    left_out: tuple[LeftOut, ...]

    def place(self, name: str) -> tuple[str, str, str] | None:
        """Return family, part and variant of a task, None where no family has it.

        Raises:
            UserInputError: Two families have it.
        """
        found = [
            (family, *_named(match))
            for family, facts in self.families.items()
            for pattern in facts.match
            if (match := re.fullmatch(pattern, name)) is not None
        ]
        if len(found) > 1:
            families = " and ".join(family for family, _, _ in found)
            raise UserInputError(TABLE, f"{name} is of {families}", "Narrow a `match`")
        return found[0] if found else None


@dataclass(frozen=True)
class HubTask:
    """One task of the suite: its name in lm-eval, its language, and what its family knows.

    `part` tells items of one family apart, `variant` prompts for the same items; both may be empty.
    """

    name: str
    language: str
    family: str
    part: str
    variant: str
    facts: Family

    @property
    def suite(self) -> str:
        """The suite's name."""
        return HUB

    @property
    def kind(self) -> TaskKind:
        """Whether answers are chosen or generated."""
        return self.facts.kind

    @property
    def asked(self) -> str:
        """What is asked, whatever the prompt: tasks of one language that share it are variants."""
        return f"{self.family}/{self.part}" if self.part else self.family

    @property
    def translated(self) -> bool | None:
        """Whether the items were translated into this language; None where it is not known."""
        if self.facts.made is None:
            return None
        return self.facts.made != "original" and self.language != self.facts.original_language

    @cached_property
    def n_items(self) -> int | None:
        """Number of items as published; None where it is not known before they are loaded."""
        known = self.facts.n_items
        return known.get(self.language) if isinstance(known, dict) else known

    @property
    def low_power(self) -> bool:
        """Whether the task is known to have too few items to decide much."""
        return self.n_items is not None and self.n_items < LOW_POWER_BELOW


def read_table(evals: Path = EVALS) -> HubTable:
    """Read the table of families.

    Raises:
        UserInputError: The file is missing or malformed.
    """
    return HubTable.load(evals / HUB / TABLE)


def hub_tasks(
    evals: Path = EVALS, languages: Sequence[str] | None = None, table: HubTable | None = None
) -> list[HubTask]:
    """Return the suite's tasks, by language and in the order of the group files.

    Args:
        evals: The folder of suites.
        languages: BCP-47 tags; None for all.
        table: The families, where they are read already.

    Raises:
        UserInputError: A file is malformed, a task is of no family, or a language has none.
    """
    table = table or read_table(evals)
    tasks = [
        task for path in sorted((evals / HUB).glob("*.yaml")) for task in _read_group(path, table)
    ]
    seen: set[str] = set()
    for task in tasks:
        if task.name in seen:
            raise UserInputError(str(evals / HUB), f"{task.name} stands twice", "Remove one")
        seen.add(task.name)
    return select(tasks, languages) if languages is not None else tasks


def _read_group(path: Path, table: HubTable) -> list[HubTask]:
    value: Any = read_yaml(path)
    where = str(path)
    tags = {row.flores: row.tag for row in REGISTER if row.flores}
    if path.stem not in tags:
        raise UserInputError(
            where, "the file's name is no FLORES code", "Name it dan_Latn.yaml, say"
        )
    if not isinstance(value, dict) or value.get("group") != _GROUP + path.stem:
        raise UserInputError(where, f"`group` must be {_GROUP}{path.stem}", "Change the value")
    names = value.get("task")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise UserInputError(where, "`task` must list names of tasks", "List some of lm-eval's")
    tasks = []
    for name in names:
        place = table.place(name)
        if place is None:
            raise UserInputError(where, f"no family has {name}", f"Add it to {TABLE}")
        family, part, variant = place
        tasks.append(HubTask(name, tags[path.stem], family, part, variant, table.families[family]))
    return tasks


def _compiled(pattern: str, groups: Sequence[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no pattern ({error})") from None
    if unknown := set(compiled.groupindex) - set(groups):
        raise ValueError(f"{pattern!r} names {', '.join(sorted(unknown))}, which means nothing")
    return compiled


def _named(match: re.Match[str]) -> tuple[str, str]:
    groups = match.groupdict()
    return groups.get("part") or "", groups.get("variant") or ""
