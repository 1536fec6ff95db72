"""Character n-grams as numbers: many texts at once, the same buckets on every machine.

Knows letters and hashing; knows no language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Lengths that are counted, in characters. Standing: measured on UD dev text; (1, 2, 3, 4, 5) is no
#: better and slower, lengths up to 4 lose .002 of accuracy.
ORDERS = (1, 3, 5)
#: Number of hash buckets is 2 to this power. Standing: measured; 18 loses .0005, 20 gains nothing.
BITS = 19
#: Characters above have one code together: letters of another script.
_TOP = 0x250
_OTHER = 255
# Odd 64-bit constants of splitmix64 and xxHash, one for each length, so that lengths do not collide
# by rule.
_ODD = tuple(
    np.uint64(c)
    for c in (
        0x9E3779B97F4A7C15,
        0xBF58476D1CE4E5B9,
        0x94D049BB133111EB,
        0xD6E8FEB86659FD93,
        0xC2B2AE3D27D4EB4F,
    )
)
_MIX = np.uint64(0xFF51AFD7ED558CCD)


def _codes() -> NDArray[np.uint8]:
    """Map code points below U+0250 to one byte: 0 for what is no letter, case folded."""
    small = sorted({c for c in map(chr, range(_TOP)) if c.isalpha() and c == c.lower()})
    code = {letter: number for number, letter in enumerate(small, start=1)}
    table = np.zeros(_TOP + 1, np.uint8)
    for point in range(_TOP):
        if chr(point).isalpha():
            table[point] = code.get(chr(point).lower(), 0)
    table[_TOP] = _OTHER
    assert len(small) < _OTHER
    return table


_CODES = _codes()


class Encoded(NamedTuple):
    """Letter codes of many texts in one row; text i lies at `starts[i]:ends[i]`."""

    codes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def encode(texts: Sequence[str]) -> Encoded:
    """Turn texts into letter codes, all in one row.

    Case, digits and punctuation are dropped; what lies between words is one 0, as are the two ends
    of a text, so that an n-gram knows where a word begins and ends. A text without letters is one 0.

    Args:
        texts: At least one text.
    """
    joined = "".join([f" {text}\0" if "\0" not in text else _plain(text) for text in texts])
    points = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    codes = _CODES[np.minimum(points, _TOP)]
    last = points == 0
    # Of a run of non-letters the last stays, and none before the 0 that ends a text.
    keep = (codes != 0) | last
    keep[:-1] |= codes[1:] != 0
    ends = np.flatnonzero(last[keep]).astype(np.int64) + 1
    return Encoded(codes[keep], np.concatenate([[0], ends[:-1]]).astype(np.int64), ends)


def _plain(text: str) -> str:
    return f" {text.replace(chr(0), ' ')}\0"


def buckets(encoded: Encoded, bits: int = BITS) -> Iterator[NDArray[np.int64]]:
    """Yield, for each length, the bucket of the n-gram that begins at each position.

    Where an n-gram would reach into the next text the bucket is 0, which counts for nothing: what
    is said of a text must not depend on the texts beside it.

    Args:
        encoded: Texts as `encode` returns them.
        bits: Number of buckets is 2 to this power.
    """
    codes, starts, ends = encoded
    wide = codes.astype(np.uint64)
    packed = np.zeros(len(codes), np.uint64)
    for n in range(1, max(ORDERS) + 1):
        packed <<= np.uint64(8)
        if len(codes) >= n:
            packed[: len(codes) - n + 1] |= wide[n - 1 :]
        if n in ORDERS:
            hashed = packed * _ODD[n - 1]
            hashed ^= hashed >> np.uint64(32)
            hashed *= _MIX
            hashed >>= np.uint64(64 - bits)
            found = hashed.astype(np.int64)
            for back in range(1, n):
                positions = ends - back
                found[positions[positions >= starts]] = 0
            yield found


def letter_bucket(letter: str, bits: int = BITS) -> int:
    """Return the bucket of a single letter.

    Args:
        letter: One character.
        bits: Log2 of the number of buckets, as for `buckets`.
    """
    return int(next(buckets(encode([letter]), bits))[1])


def other_share(encoded: Encoded) -> NDArray[np.float64]:
    """Return each text's share of letters that belong to another script, 0 where it has none."""
    others = np.add.reduceat((encoded.codes == _OTHER).astype(np.int64), encoded.starts)
    letters = np.add.reduceat((encoded.codes != 0).astype(np.int64), encoded.starts)
    return np.asarray(others / np.maximum(letters, 1))
