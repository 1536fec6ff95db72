"""Text of YAML and JSON as plain data, with bounds: what a stranger's file may do to the reader.

Knows which values YAML gives (those of JSON; `no` is a word), and what is no document: one that does not
parse, that nests without end, or that a few aliases make endless. Refuses to know files, and what a
document means. Rows of corpora, very many, are read by `skald_corpus.readers` with orjson.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from skald_specs.errors import UserInputError

#: How deep a document may nest; ours nest less than ten deep. Past a few hundred Python's own walks end,
#: past a few thousand libyaml's do, with the process.
MAX_DEPTH = 64
#: So many values may stand in a YAML document by aliases instead of being written: eight lines of eight
#: aliases each are sixteen million.
MAX_ALIASED_VALUES = 100_000
#: The escape of half a character that takes two: text that no file can hold.
_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_MEND = "Mend the line"
_REBUILD = "Mend or rebuild the file"


class PlainLoader(yaml.CSafeLoader):
    """A safe loader whose values are those that JSON has, too, under keys that are words.

    `no`, `off` and `12:00:00` stay text, as YAML 1.2 has it: in YAML 1.1 the language Norwegian is false and
    noon is 43200. Dates stay text. A key that stands twice is refused, as nobody can have meant it.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping; see the class for what is refused."""
        merges = any(key.tag == _MERGE for key, _ in node.value)
        found = super().construct_mapping(node, deep)
        for key in found:
            if not isinstance(key, str):
                raise _refused(node, f"the key {key!r} is no word; put it in quotes")
        if len(found) < len(node.value) and not merges:
            keys = [self.construct_object(key, True) for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _refused(node, f"the key {twice!r} stands twice")
        return found


_MERGE = "tag:yaml.org,2002:merge"
#: A part of what YAML 1.1 reads as more than text, so that whatever PyYAML wrote is read back as it was.
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    (
        "int",
        r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)",
        tuple("-+0123456789"),
    ),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        tuple("-+0123456789."),
    ),
    ("merge", r"<<", ("<",)),
)
_UNWANTED = ("timestamp", "binary", "set", "omap", "pairs")


def _refused(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


PlainLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _SCALARS:
    PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), list(_first)
    )
PlainLoader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.CSafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] not in _UNWANTED
}


def parse_yaml(text: str, where: str, loader: type[PlainLoader] = PlainLoader) -> Any:
    """Return what a text of YAML holds, by a safe loader.

    Args:
        text: One document.
        where: What to call it in messages.
        loader: Knows further tags.

    Raises:
        UserInputError: It is not YAML, nests too deep, or repeats too much by aliases.
    """
    try:
        _check_size(text, where)
        return yaml.load(text, loader)  # noqa: S506 - a safe loader, see above
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = (
            getattr(error, "problem", None) or getattr(error, "reason", None) or "syntax error"
        )
        raise UserInputError(f"{where}{line}", f"not YAML ({problem})", _MEND) from None
    # Constructors of numbers, dates and tags: a month of 13, a number of 5000 digits, `!!int x`.
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError) as error:
        problem = f"a value that cannot be read ({error})"
        raise UserInputError(where, problem, "Mend it, or put it in quotes") from None


def _check_size(text: str, where: str) -> None:
    """Refuse a document by its events, before anything is built of it."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    n_values = n_aliased = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.ScalarEvent):
            n_values += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, n_values))
            n_values += 1
            if len(open_) > MAX_DEPTH:
                raise UserInputError(
                    _at(where, event), f"it nests more than {MAX_DEPTH} deep", "Write it flatter"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = n_values - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise UserInputError(
                    _at(where, event), f"`*{event.anchor}` stands in itself", "Remove it"
                )
            size = sizes.get(str(event.anchor), 1)
            n_values, n_aliased = n_values + size, n_aliased + size
            if n_aliased > MAX_ALIASED_VALUES:
                raise UserInputError(
                    _at(where, event),
                    f"aliases repeat more than {MAX_ALIASED_VALUES} values",
                    "Write out what is meant",
                )


def _at(where: str, event: yaml.Event) -> str:
    return f"{where}:{event.start_mark.line + 1}" if event.start_mark else where


def parse_json(text: str, where: str, line: int | None = None) -> Any:
    """Return what a text of JSON holds; a syntax error names the line.

    Args:
        text: One value.
        where: What to call it in messages.
        line: Its line, where it is a row of a file.

    Raises:
        UserInputError: It is not JSON, or nests too deep.
    """
    remedy = _REBUILD if line is None else "Mend or remove the line"
    at = where if line is None else f"{where}:{line}"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserInputError(
            at if line else f"{where}:{error.lineno}", f"not JSON ({error.msg})", remedy
        ) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise UserInputError(at, f"a value that cannot be read ({error})", remedy) from None
    except RecursionError:
        raise UserInputError(at, f"it nests more than {MAX_DEPTH} deep", remedy) from None
    # It nests no deeper than it has brackets, so most texts need no second look.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise UserInputError(at, f"it nests more than {MAX_DEPTH} deep", remedy)
    if _HALF_ESCAPED.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UserInputError(at, "a text with half a surrogate pair", remedy) from None
    return value


def _depth(value: Any) -> int:
    """Return how deep a value nests, up to one more than is allowed."""
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth
