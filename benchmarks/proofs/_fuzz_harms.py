"""Harms in order: every value, key, row and column of a whole file taken away, renamed, emptied or of another kind.

Chance finds what nobody thought of; what everybody forgets somewhere (a column gone, a table without rows, a
text under a number) is found by going through a file once. Files without structure have no such harms.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import gzip
import io
import json
import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

from _fuzz_mutate import document_of, places_of

#: What stands in place of a value, one after the other.
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e30, "", "x", "zzz/../x", [], {}, [1], {"a": 1},
)  # fmt: skip
_CELLS = ("", "x", "-1", "0", "nan", "1e400", "True")
_OTHER_NAME = "zzz"


def chosen_harms(seeds: list[bytes], most: int, name: str) -> list[bytes]:
    """Return harms of whole files, the same ones each time.

    Args:
        seeds: The files.
        most: Where there are more, so many of them are drawn.
        name: Of the reader; what is drawn follows from it.
    """
    found = list(dict.fromkeys(harm for seed in seeds for harm in harms(seed)))
    if len(found) <= most:
        return found
    return Random(zlib.crc32(name.encode())).sample(found, most)


def harms(data: bytes) -> Iterator[bytes]:
    """Yield every harm in order of one file; none where it is no JSON, JSON lines, YAML or table."""
    if data.startswith(b"\x1f\x8b"):
        for inside in harms(gzip.decompress(data)):
            yield gzip.compress(inside, 1, mtime=0)
    elif (size := int.from_bytes(data[:8], "little")) <= len(data) - 8 and data[8:9] == b"{":
        # The header of a safetensors file.
        for header in harms(data[8 : 8 + size]):
            yield struct.pack("<Q", len(header)) + header + data[8 + size :]
    else:
        with contextlib.suppress(UnicodeDecodeError):
            yield from (text.encode() for text in _of_text(data.decode()))


def _of_text(text: str) -> Iterator[str]:
    if (document := document_of(text)) is not None:
        for value in _of_tree(json.loads(document)):
            yield json.dumps(value, ensure_ascii=False)
        return
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and all(line[:1] in "{[" for line in lines):
        yield from _of_json_lines([json.loads(line) for line in lines])
    elif len(lines) > 1 and any(mark in lines[0] for mark in ",;\t"):
        yield from _of_table(text, next(mark for mark in "\t;," if mark in lines[0]))


def _of_tree(value: Any) -> Iterator[Any]:
    for number in range(len(places_of(value))):

        def torn(number: int = number) -> tuple[Any, Any, Any]:
            whole = copy.deepcopy(value)
            return whole, *places_of(whole)[number]

        whole, container, key = torn()
        of_kind = type(container[key])
        del container[key]
        yield whole
        whole, container, key = torn()
        if isinstance(container, dict):
            container[_OTHER_NAME] = container.pop(key)
        else:
            container.insert(key, container[key])
        yield whole
        for other in (*_VALUES, of_kind()):
            whole, container, key = torn()
            container[key] = copy.deepcopy(other)
            yield whole
    yield type(value)()


def _of_json_lines(rows: list[Any]) -> Iterator[str]:
    def written(changed: list[Any]) -> str:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in changed)

    for number, row in enumerate(rows):
        if isinstance(row, dict | list):
            for torn in _of_tree(row):
                yield written([*rows[:number], torn, *rows[number + 1 :]])
    # What one row lacks, a reader may pass over; here all do.
    records = [row for row in rows if isinstance(row, dict)]
    for key in dict.fromkeys(key for row in records for key in row):
        yield written([{name: row[name] for name in row if name != key} for row in records])
        for value in _VALUES:
            yield written([row | {key: value} for row in records])
    yield from (written(changed) for changed in (rows * 2, rows[1:], rows[::-1]))


def _of_table(text: str, separator: str) -> Iterator[str]:
    try:
        head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:
        return

    def written(head: list[str], rows: list[list[str]]) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=separator, lineterminator="\n").writerows([head, *rows])
        return out.getvalue()

    def put(row: list[str], at: int, cell: str) -> list[str]:
        return [*row[:at], cell, *row[at + 1 :]]

    for at in range(len(head)):
        yield written(head[:at] + head[at + 1 :], [row[:at] + row[at + 1 :] for row in rows])
        yield written(put(head, at, _OTHER_NAME), rows)
        for cell in _CELLS:
            yield written(head, [put(row, at, cell) for row in rows])
            yield written(head, [put(row, at, cell) for row in rows[:1]] + rows[1:])
    yield written(head, [])
    yield written(head, rows * 2)
    yield written(head, [row[:-1] for row in rows])
    if rows:
        yield written(rows[0], rows[1:])
