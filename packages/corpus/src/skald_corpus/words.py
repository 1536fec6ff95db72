"""Text as hashed words: the one normalisation that deduplication and decontamination share.

Two texts have the same words when they differ in Unicode form (NFC, NFD, compatibility forms), in
case, quotes, punctuation, white space or invisible characters only. Knows nothing of what the
words are compared for.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Offsets = NDArray[np.int64]

#: Characters that show nothing: soft hyphen, zero-width spaces and joiners, marks of direction,
#: word joiner, byte order mark. They must not part a word.
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_DROPPED = str.maketrans("", "", INVISIBLE)
_WORD = re.compile(r"\w+")
#: A text is read in pieces of this many characters, so that one line of 200 MB does not become 33
#: million Python strings at once.
PIECE_CHARACTERS = 1 << 18
#: Words whose hash is kept at hand; about 150 bytes each.
_KNOWN_WORDS = 1 << 19


def normalised(text: str) -> str:
    """Return the form that texts are compared in: NFKC, case folded, invisible characters gone.

    Args:
        text: Any text, in any Unicode form.

    Returns:
        Text in NFKC; the same for a text and its NFD, NFC and NFKD forms.

    Source: Unicode 16, section 3.13.3, toNFKC_Casefold, with a shorter list of invisible characters.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    if any(mark in folded for mark in INVISIBLE):
        folded = folded.translate(_DROPPED)
    return unicodedata.normalize("NFKC", folded)


def pieces(text: str) -> Iterator[str]:
    """Cut a long text before white space, each piece at most about `PIECE_CHARACTERS` long."""
    start = 0
    while len(text) - start > PIECE_CHARACTERS:
        end = start + PIECE_CHARACTERS
        space = text.rfind(" ", start + 1, end)
        cut = space if space > start else text.rfind("\n", start + 1, end)
        yield text[start : cut if cut > start else end]
        start = cut if cut > start else end
    yield text[start:]


def words(text: str) -> list[str]:
    """Return a text's normalised words: runs of letters, digits, underscores.

    Quotes, apostrophes, hyphens and all other punctuation part words, so that the many ways to
    write them do not matter.
    """
    return _WORD.findall(normalised(text))


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= _KNOWN_WORDS:
            self.clear()
        value = self[word] = xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass"))
        return value


_HASHES = _WordHashes()


def word_hashes(text: str) -> Hashes:
    """Return the 64-bit XXH3 hash of each normalised word of a text, in order."""
    if len(text) <= PIECE_CHARACTERS:
        found = words(text)
        return np.fromiter(map(_HASHES.__getitem__, found), np.uint64, len(found))
    return np.concatenate([word_hashes(piece) for piece in pieces(text)])


@dataclass(frozen=True)
class WordBatch:
    """The hashed words of several texts, end to end.

    Shapes: `hashes` (words of all texts,), `starts` (texts + 1,), the last being the total.
    """

    hashes: Hashes
    starts: Offsets

    @property
    def lengths(self) -> Offsets:
        """Number of words of each text."""
        return np.diff(self.starts)


def hash_texts(texts: Sequence[str]) -> WordBatch:
    """Hash the words of several texts.

    Args:
        texts: The texts; together they should be some megabytes at most.
    """
    parts = [word_hashes(text) for text in texts]
    starts = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=starts[1:])
    return WordBatch(np.concatenate(parts) if parts else np.empty(0, np.uint64), starts)


@lru_cache
def constants(name: str, count: int, odd: bool = False) -> Hashes:
    """Return pseudo-random 64-bit constants that depend on a name alone.

    From SHA-256, because numpy does not promise its generators' streams across versions.

    Args:
        name: What they are for.
        count: How many; fewer of one name are the first of more.
        odd: Whether all are odd, as multipliers modulo 2^64 must be to lose nothing.
    """
    values = [
        int.from_bytes(hashlib.sha256(f"{name}:{i}".encode()).digest()[:8], "big") | odd
        for i in range(count)
    ]
    table = np.array(values, dtype=np.uint64)
    table.flags.writeable = False  # it is shared by all callers
    return table


def mixed(values: Hashes) -> Hashes:
    """Scramble 64-bit values, so that all bits of a sum reach all bits of its hash.

    Source: the finaliser of MurmurHash3 (Appleby, public domain), constants fmix64.
    """
    values = values ^ (values >> np.uint64(33))
    values *= np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    values ^= values >> np.uint64(33)
    return values


def ngram_hashes(hashes: Hashes, n: int) -> Hashes:
    """Hash every run of n consecutive words.

    Args:
        hashes: Word hashes.
        n: Words in a run.

    Returns:
        max(0, len(hashes) - n + 1) hashes; the i-th covers words i to i + n - 1.
    """
    count = len(hashes) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    factors = constants("skald.ngram", n, odd=True)
    total = np.full(count, n, dtype=np.uint64)
    for place in range(n):
        total += hashes[place : place + count] * factors[place]
    return mixed(total)
