"""A byte n-gram model: what counting alone achieves, with no network and no tokenizer.

Interpolated Witten-Bell smoothing down to a uniform distribution over 256 bytes; every count is a
sorted array, so training and scoring are vectorised. Knows bytes, refuses to know tasks and files.

Source: Witten and Bell (1991), method C; Chen and Goodman (1999), section 2.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Fills the context before a document's first byte; UTF-8 text has no other use for it.
BOUNDARY = 0
#: A context of up to seven bytes and the next byte fit one 64-bit word.
MAX_ORDER = 8

Codes = NDArray[np.uint64]


@dataclass(frozen=True)
class _Level:
    """Counts of one context length: n-grams, contexts, and how many bytes follow each context."""

    grams: Codes
    gram_counts: NDArray[np.float64]
    contexts: Codes
    context_counts: NDArray[np.float64]
    followers: NDArray[np.float64]


class ByteNgram:
    """An n-gram model over bytes.

    Args:
        documents: Training texts; each begins after a boundary.
        order: Bytes in the longest n-gram, the predicted one included.
    """

    def __init__(self, documents: Sequence[str], order: int = 6) -> None:
        if not 1 <= order <= MAX_ORDER:
            raise ValueError(f"order = {order} is outside 1..{MAX_ORDER}")
        self.order = order
        texts = [document.encode("utf-8") for document in documents]
        digest = hashlib.sha256(f"byte n-gram, Witten-Bell, order {order}\n".encode())
        for text in texts:
            digest.update(len(text).to_bytes(8, "big") + text)
        #: Identity: the training bytes, the order and the rule fix every probability.
        self.sha256 = digest.hexdigest()
        codes, times = np.unique(self._codes(texts), return_counts=True)
        counts = times.astype(float)
        # What is distinct at full length is little; shorter n-grams are sums over it.
        self._levels = [_count(_suffix(codes, length), counts) for length in range(1, order + 1)]

    def _codes(self, texts: Sequence[bytes]) -> Codes:
        """Pack each byte with the `order - 1` before it; the newest byte is the lowest."""
        gap = bytes([BOUNDARY]) * (self.order - 1)
        stream = np.frombuffer(b"".join(gap + text for text in texts), dtype=np.uint8)
        codes = np.zeros(len(stream), dtype=np.uint64)
        for back in range(self.order):
            codes[back:] |= stream[: len(stream) - back].astype(np.uint64) << np.uint64(8 * back)
        starts = np.cumsum([0] + [len(text) + len(gap) for text in texts])[:-1]
        real = np.ones(len(stream), dtype=bool)
        for offset in range(len(gap)):
            real[starts + offset] = False
        return codes[real]

    def log_probabilities(self, texts: Sequence[bytes]) -> list[NDArray[np.float64]]:
        """Return the natural log-probability of every byte of each text, from its beginning.

        Args:
            texts: UTF-8 texts, each scored as a document of its own.

        Returns:
            One array per text, one number per byte.
        """
        if not any(texts):
            return [np.zeros(0) for _ in texts]
        # Texts of one task repeat each other, so each distinct n-gram is looked up once.
        distinct, where = np.unique(self._codes(texts), return_inverse=True)
        probability = np.full(len(distinct), 1 / 256)
        for length, level in enumerate(self._levels, start=1):
            grams = _suffix(distinct, length)
            context = _find(level.contexts, grams >> np.uint64(8))
            count = _take(level.gram_counts, _find(level.grams, grams))
            total, followers = _take(level.context_counts, context), _take(level.followers, context)
            seen = total > 0
            mixed = count + followers * probability
            probability[seen] = mixed[seen] / (total + followers)[seen]
        ends = np.cumsum([len(text) for text in texts])[:-1]
        return np.split(np.log(probability)[where], ends)


def _suffix(codes: Codes, length: int) -> Codes:
    return codes & np.uint64((1 << (8 * length)) - 1)


def _count(codes: Codes, weights: NDArray[np.float64]) -> _Level:
    grams, which = np.unique(codes, return_inverse=True)
    # Sums of whole numbers below 2^53 are exact.
    counts = np.bincount(which, weights).astype(float)
    # Sorted n-grams have sorted contexts, so a context's n-grams lie together.
    contexts, starts, followers = np.unique(
        grams >> np.uint64(8), return_index=True, return_counts=True
    )
    totals = np.add.reduceat(counts, starts)
    return _Level(grams, counts, contexts, totals, followers.astype(float))


def _find(table: Codes, keys: Codes) -> NDArray[np.intp]:
    """Return each key's place in a sorted table, or -1."""
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return np.where(table[place] == keys, place, -1)


def _take(values: NDArray[np.float64], place: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.where(place >= 0, values[place], 0.0)
