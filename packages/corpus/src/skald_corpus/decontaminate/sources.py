"""Evaluation items as plain strings, from the layouts that items come in.

Task names and item ids are those of the evaluation records, so that a clean-subset list fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from skald_specs.decontamination import ReferenceItem
from skald_specs.errors import UserInputError
from skald_specs.files import read_rows
from skald_specs.items import ClozeItem, PairItem, TextItem
from skald_specs.languages import language
from skald_specs.models import Spec


def skald_items(folder: Path) -> list[ReferenceItem]:
    """Read Skald's own items, `<folder>/<kind>/<language>.jsonl`.

    Left out are facts and skills, whose keys are split, and numbers, the calendar and copies, which the
    generator holds apart from its own text: all their strings are too short for n-grams.

    Raises:
        UserInputError: The folder has none, or a line is malformed.
    """
    found: list[ReferenceItem] = []
    for kind, (spec, strings) in _KINDS.items():
        for path, tag in _files(folder / kind):
            task = f"skald_core_{kind}_{_code(tag, path)}"
            for where, row in _rows(path):
                item = spec.check(row, where)
                found.append(_item(task, str(getattr(item, "id")), tag, strings(item), where))  # noqa: B009 - every item format has an id
    return _some(found, folder)


def pair_files(folder: Path) -> list[ReferenceItem]:
    """Read minimal pairs, `<folder>/<language>.jsonl[.gz]` with good, bad, type and source_id.

    Raises:
        UserInputError: The folder has none, or a line is malformed.
    """
    return _some(
        [
            _item(
                f"skald_ud_{_text(row, 'type', where)}_{_code(tag, path)}",
                f"{row['type']}/{_text(row, 'source_id', where)}",
                tag,
                [_text(row, "good", where), _text(row, "bad", where)],
                where,
            )
            for path, tag in _files(folder)
            for where, row in _rows(path)
        ],
        folder,
    )


def user_items(folder: Path) -> list[ReferenceItem]:
    """Read a user's folder in the layout of the suite `ud`: `pairs`, `ntrex`, `ud/<language>/test`.

    Raises:
        UserInputError: The folder has none of them, or a line is malformed.
    """
    found: list[ReferenceItem] = []
    if (folder / "pairs").is_dir():
        found += pair_files(folder / "pairs")
    if (folder / "ntrex").is_dir():
        found += sentence_files(folder / "ntrex", "skald_ud_ntrex", row_id)
    for path in sorted((folder / "ud").glob("*/test.jsonl*")):
        tag = path.parent.name
        for number, (where, row) in enumerate(_rows(path), start=1):
            name = str(row.get("id") or f"line {number}")
            strings = [_text(row, "text", where)]
            found.append(_item(f"skald_ud_text_{_code(tag, path)}", name, tag, strings, where))
    return _some(found, folder)


def is_users(folder: Path) -> bool:
    """Return whether a folder is a user's, in the layout of the suite `ud`, and not `data/items`."""
    if (folder / "ntrex").is_dir() or (folder / "ud").is_dir():
        return True
    # Both layouts have a folder of pairs; those of a user name their source.
    first = next((row for path, _ in _files(folder / "pairs") for _, row in _rows(path)), {})
    return "source_id" in first


def sentence_files(
    folder: Path, task: str, name: Callable[[dict[str, Any]], str]
) -> list[ReferenceItem]:
    """Read one sentence a line, `<folder>/<language>.jsonl[.gz]` with a `text`.

    Args:
        folder: Such as `scala` or `ntrex` of the test data.
        task: Start of the tasks' names; the language's code is appended.
        name: Makes an item's id from its row.

    Raises:
        UserInputError: The folder has none, or a line is malformed.
    """
    return _some(
        [
            _item(f"{task}_{_code(tag, path)}", name(row), tag, [_text(row, "text", where)], where)
            for path, tag in _files(folder)
            for where, row in _rows(path)
        ],
        folder,
    )


def row_id(row: dict[str, Any]) -> str:
    """Name a line by its `id`."""
    return str(row.get("id"))


def listed_items(path: Path) -> list[ReferenceItem]:
    """Read a neutral list of items, a `ReferenceItem` a line: any task of any harness.

    Raises:
        UserInputError: The file is missing or empty, or a line is malformed.
    """
    return _some([ReferenceItem.check(row, where) for where, row in _rows(path)], path)


def _pair(item: Any) -> list[str]:
    return [item.good, item.bad]


def _cloze(item: Any) -> list[str]:
    # Choices bring their own first space, see evals/core/_cloze_yaml.
    return [item.context + choice for choice in item.choices]


def _document(item: Any) -> list[str]:
    return [item.text]


_KINDS: dict[str, tuple[type[Spec], Callable[[Any], list[str]]]] = {
    "pairs": (PairItem, _pair),
    "cloze": (ClozeItem, _cloze),
    "text": (TextItem, _document),
}


def _item(task: str, item_id: str, tag: str, strings: list[str], where: str) -> ReferenceItem:
    value = {"task": task, "item_id": item_id, "language": tag, "strings": tuple(strings)}
    return ReferenceItem.check(value, where)


def _code(tag: str, path: Path) -> str:
    return language(tag, str(path)).flores or tag


def _some(items: list[ReferenceItem], where: Path) -> list[ReferenceItem]:
    if not items:
        raise UserInputError(str(where), "no evaluation items there", "Check the path")
    return items


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.glob("*.jsonl*")):
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            yield path, path.name.split(".")[0]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON objects of a file, each with its place."""
    for where, row in read_rows(path):
        if not isinstance(row, dict):
            raise UserInputError(where, "not a JSON object", "Mend or remove it")
        yield where, row


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UserInputError(where, f"no `{key}`", "Mend or remove the line")
    return value
