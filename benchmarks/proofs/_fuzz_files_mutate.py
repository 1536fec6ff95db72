"""Mutations of files that are packed or begin with a header of their own, and helpers of their targets."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from _fuzz_mutate import mutated, of_bytes

T = TypeVar("T")
#: Numbers that headers of binary files are broken with.
_NUMBERS = (0, 1, 7, 100, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)


@cache
def _bombs() -> tuple[bytes, ...]:
    """Small gzips of much: blank lines, one line, records without end, a line break short of all."""
    lines = (b"\n", b"a", b'{"text": "a"}\n', b'{"id": "1"}\n', b"[" * 64 + b"\n", b"a\n\n")
    return tuple(gzip.compress(line * ((20 << 20) // len(line)), mtime=0) for line in lines)


def of_packed(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change a gzip inside or outside, or put a bomb in its place."""
    pick = rng.random()
    if pick < 0.002:
        return rng.choice(_bombs())
    if pick < 0.3:
        return of_bytes(data, rng, words)
    try:
        inside = gzip.decompress(data[:100_000])
    except (OSError, EOFError, ValueError, struct.error) as _:
        return of_bytes(data, rng, words)
    except Exception:  # zlib.error has no better base
        return of_bytes(data, rng, words)
    packed = gzip.compress(mutated(inside[:100_000], rng, words), 1, mtime=0)
    return packed + packed if rng.random() < 0.05 else packed


def of_tensors(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change the header of a safetensors file as JSON, its length, or the bytes behind."""
    pick = rng.random()
    if pick < 0.3 or len(data) < 8:
        return of_numbers(data, rng, words)
    size = int.from_bytes(data[:8], "little")
    if size > len(data) or pick > 0.95:
        return of_numbers(data, rng, words)
    header = mutated(data[8 : 8 + size], rng, words)
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def of_numbers(data: bytes, rng: Random, words: tuple[bytes, ...]) -> bytes:
    """Change bytes, or put a number of eight or four bytes somewhere."""
    if rng.random() < 0.5 or len(data) < 8:
        return of_bytes(data, rng, words)
    width = rng.choice((4, 8))
    at = rng.randrange(len(data) // width) * width
    number = rng.choice(_NUMBERS) % (1 << 8 * width)
    return data[:at] + number.to_bytes(width, "little") + data[at + width :]


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def packed(data: bytes) -> bytes:
    """Return bytes as gzip."""
    return gzip.compress(data, mtime=0)


def put(path: Path, data: bytes) -> Path:
    """Write a file where a reader looks for it."""
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return path


def fixed(*found: bytes) -> Callable[[Path], list[bytes]]:
    """Return seeds that are written out."""
    return lambda folder: list(found)


_MADE: set[tuple[str, str]] = set()


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Return a folder below one that was given, made the first time it is asked for.

    Args:
        folder: Of the inputs.
        make: Fills it; named functions only, they name the folder.
    """
    place = folder / make.__name__.strip("_")
    key = (str(place.absolute()), make.__name__)
    if key not in _MADE:
        place.mkdir(parents=True, exist_ok=True)
        make(place)
        _MADE.add(key)
    return place
