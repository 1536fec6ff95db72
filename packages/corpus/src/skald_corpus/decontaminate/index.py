"""The n-grams of evaluation items, and which of them a batch of text has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skald_specs.decontamination import Decontamination, ReferenceItem, item_sha256

from skald_corpus.words import Hashes, WordBatch, constants, mixed, ngram_hashes, word_hashes

Grams = NDArray[np.int64]
#: Slots of the first sieve for each n-gram of the index; 1 in 16 other n-grams passes it.
_SIEVE_SLOTS = 16
#: Words searched at once: some 60 MB of arrays, also for a text of 200 MB.
_BLOCK_WORDS = 1 << 20


@dataclass(frozen=True)
class Width:
    """All n-grams of one length. `first` is the number of the first of them in the index."""

    n: int
    hashes: Hashes
    first: int
    sieve: NDArray[np.bool_]
    shift: np.uint64


@dataclass(frozen=True)
class Match:
    """N-grams found in a batch: numbers of n-grams, and the index of each one's first word."""

    grams: Grams
    words: Grams


class ItemIndex:
    """The n-grams of all items, numbered from 0 by length and hash.

    Args:
        items: The items, in any order; an item named twice has the strings of both.
        rule: Lengths of the n-grams.
    """

    def __init__(self, items: Sequence[ReferenceItem], rule: Decontamination) -> None:
        self.rule = rule
        self.items, strings = _merged(items)
        self.hashes = [item_sha256(texts) for texts in strings]
        wanted: dict[int, dict[int, set[int]]] = {}
        for number, texts in enumerate(strings):
            for text in texts:
                hashes = word_hashes(text)
                n = gram_length(len(hashes), rule)
                for gram in ngram_hashes(hashes, n).tolist() if n else ():
                    wanted.setdefault(n, {}).setdefault(gram, set()).add(number)
        self.widths: list[Width] = []
        self._owners: list[tuple[int, ...]] = []
        lengths: list[int] = []
        for n in sorted(wanted):
            grams = sorted(wanted[n])
            self.widths.append(_width(n, np.array(grams, dtype=np.uint64), len(self._owners)))
            self._owners += [tuple(sorted(wanted[n][gram])) for gram in grams]
            lengths += [n] * len(grams)
        self.lengths = np.array(lengths, dtype=np.int64)
        self._grams: list[list[int]] = [[] for _ in self.items]
        for gram, owners in enumerate(self._owners):
            for number in owners:
                self._grams[number].append(gram)

    def owners(self, gram: int) -> tuple[int, ...]:
        """Return the numbers of the items that have an n-gram."""
        return self._owners[gram]

    def grams(self, item: int) -> list[int]:
        """Return the n-grams of an item; none when it has no words."""
        return self._grams[item]

    def match(self, batch: WordBatch) -> Match:
        """Find the index's n-grams in a batch.

        Args:
            batch: Hashed words of several texts.

        Returns:
            Every place where a text has an n-gram of an item.
        """
        grams, words = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for begin in range(0, len(batch.hashes), _BLOCK_WORDS):
            end = min(begin + _BLOCK_WORDS, len(batch.hashes))
            for first, found in self._match_block(batch, begin, end):
                grams.append(first)
                words.append(found)
        return Match(np.concatenate(grams), np.concatenate(words))

    def _match_block(self, batch: WordBatch, begin: int, end: int) -> Iterator[tuple[Grams, Grams]]:
        """Yield the n-grams of each length that begin in a block, and where."""
        longest = self.widths[-1].n if self.widths else 0
        hashes = batch.hashes[begin : end + longest - 1]
        at = np.arange(begin, end)
        room = batch.starts[np.searchsorted(batch.starts, at, side="right")] - at
        total = np.zeros(end - begin, dtype=np.uint64)
        widths = {width.n: width for width in self.widths}
        # The sum of n words' terms is the start of the sum of n + 1: one pass serves all lengths.
        for place in range(min(longest, len(hashes))):
            term = hashes[place : place + len(total)]
            total[: len(term)] += term * constants("skald.ngram", longest, odd=True)[place]
            if (width := widths.get(place + 1)) is not None:
                seen = mixed(total[: len(term)] + np.uint64(width.n))
                near = np.flatnonzero(width.sieve[seen >> width.shift])
                near = near[room[near] >= width.n]
                slot = np.searchsorted(width.hashes, seen[near])
                slot[slot == len(width.hashes)] = 0
                found = width.hashes[slot] == seen[near]
                yield width.first + slot[found], begin + near[found]


def gram_length(n_words: int, rule: Decontamination) -> int:
    """Return the length of the n-grams that a string of so many words is matched by.

    Args:
        n_words: Of the string, after normalisation.
        rule: Its long n-grams are for strings that hold one, its short ones for those that hold one
            of these; a shorter string is matched whole.
    """
    for n in (rule.ngram_words, rule.short_ngram_words):
        if n_words >= n:
            return n
    return n_words


def _merged(
    items: Sequence[ReferenceItem],
) -> tuple[list[ReferenceItem], list[list[str]]]:
    """Sort items by name, and gather the strings of those with one name."""
    named: dict[tuple[str, str], ReferenceItem] = {}
    strings: dict[tuple[str, str], set[str]] = {}
    for item in items:
        key = (item.task, item.item_id)
        named.setdefault(key, item)
        strings.setdefault(key, set()).update(item.strings)
    keys = sorted(named)
    return [named[key] for key in keys], [sorted(strings[key]) for key in keys]


def _width(n: int, hashes: Hashes, first: int) -> Width:
    bits = max(8, (len(hashes) * _SIEVE_SLOTS - 1).bit_length())
    shift = np.uint64(64 - bits)
    sieve = np.zeros(1 << bits, dtype=np.bool_)
    sieve[hashes >> shift] = True
    return Width(n, hashes, first, sieve, shift)
