"""The base class of every format, and the loader that turns its complaints into one line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skald_specs.errors import UserInputError
from skald_specs.files import read_json, read_yaml
from skald_specs.guesses import near, offer
from skald_specs.kinds import Kind, check_kind, require_file

T = TypeVar("T", bound="Spec")

#: Name of a file beside the one that names it: it leads nowhere else, and no system finds it too long.
BesideName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")]
#: A name that becomes one of a file or folder: it leads nowhere else, on any system.
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Spec(BaseModel):
    """A frozen format: unknown keys are refused, numbers must be finite.

    `file_kind`: the kind of file that it is the whole of, if any.
    """

    file_kind: ClassVar[Kind | None] = None

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a YAML or JSON file of this format.

        Raises:
            UserInputError: The file is missing, malformed, or breaks a rule of the format.
        """
        if cls.file_kind is not None:
            require_file(path, cls.file_kind)
        value = read_json(path) if path.suffix == ".json" else read_yaml(path)
        return cls.check(value, str(path))

    @classmethod
    def check(cls, value: Any, where: str) -> Self:
        """Validate plain data; the first broken rule becomes a one-line error.

        Args:
            value: What YAML or JSON held; anything at all.
            where: The file or option that it came from, for the error's line.

        Raises:
            UserInputError: It is empty, of another kind of file, or breaks a rule.
        """
        if cls.file_kind is not None:
            check_kind(value, where, cls.file_kind)
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise first_problem(error, where, cls) from None


def first_problem(error: ValidationError, where: str, spec: type[BaseModel]) -> UserInputError:
    """Turn pydantic's report into one line: field, value, rule, remedy.

    Args:
        error: What validating raised; its first unknown key, else its first problem is told.
        where: The file, or file and line, that held the value.
        spec: What was validated: its keys are offered for an unknown one.
    """
    # A mistyped key is both unknown and missing; the word the user wrote says more.
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    item = problems[0]
    fields = [".".join(_field(e["loc"])) for e in problems]
    field, others = fields[0], len(set(fields)) - 1
    more = f" (and {others} more)" if others else ""
    if item["type"] == "extra_forbidden":
        known = _known_keys(spec, item["loc"][:-1])
        remedy = offer(str(item["loc"][-1]), known)
        return UserInputError(where, f"unknown key `{field}`{more}", remedy)
    if item["type"] == "missing":
        return UserInputError(where, f"missing key `{field}`{more}", "Add it")
    message = item["msg"].removeprefix("Value error, ").rstrip(".")
    message = message.removesuffix(", unable to parse string as a number")
    # A number or a word: pydantic reports each part of the union by itself.
    words = [
        e["ctx"]["expected"]
        for e in problems[1:]
        if e["type"] == "literal_error" and ".".join(_field(e["loc"])) == field
    ]
    message = " or ".join([message, *words])
    # The words that would do stand in quotes: 'a', 'b' or 'c'.
    words = re.findall(r"'([^']+)'", message)
    meant = near(item["input"], words) if isinstance(item["input"], str) else []
    shown = "" if isinstance(item["input"], dict | list) else f" = {item['input']!r}"
    named = f"`{field}`{shown}: " if field else ""
    # Our own validators name the remedy with the rule.
    remedy = "" if item["type"] == "value_error" else "Change the value"
    if meant and remedy:
        remedy = f"Did you mean {meant[0]!r}? {remedy}"
    return UserInputError(where, f"{named}{message}{more}", remedy)


def _field(location: tuple[Any, ...]) -> list[str]:
    """Drop pydantic's tags of union members, which are no keys of the user's."""
    return [
        str(part)
        for part in location
        if not re.search(r"constrained|literal\[|function-", str(part))
    ]


def _known_keys(spec: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Return the keys that may stand where a path through a document leads."""
    here = [spec]
    for part in location:
        inner = [s.model_fields[part].annotation for s in here if part in s.model_fields]
        # Else it is an index, a key of a mapping or pydantic's tag, which the annotation above spans.
        here = [found for annotation in inner for found in _specs_in(annotation)] or here
    return sorted({key for found in here for key in found.model_fields})


def _specs_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the formats that an annotation such as `tuple[Source, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _specs_in(part)]
