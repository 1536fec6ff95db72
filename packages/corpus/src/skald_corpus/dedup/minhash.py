"""Near-duplicates by MinHash: signatures of word n-grams, bands, and clusters of what shares one.

Everything that a hash depends on is fixed here or in `NearDuplicates`: word hashes are XXH3,
permutations multiply by constants from SHA-256. No random generator, no native hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates

from skald_corpus.dedup.clusters import Clusters, Parts, join_equal
from skald_corpus.dedup.store import PartWriter
from skald_corpus.dedup.verify import Verifier
from skald_corpus.words import Hashes, Offsets, WordBatch, constants, hash_texts, mixed

#: Characters of text hashed at once, and documents: 6 MB of arrays.
_BATCH_CHARACTERS, _BATCH_DOCUMENTS = 1 << 20, 4096
#: Shingles permuted at once: two arrays of 64 kB, which stay in a core's second-level cache.
#: Standing: measured (8,192 was the fastest of 2^9 to 2^16 on the development machine).
_SHINGLES = 8192
#: A batch of more words than this holds a very long text, and is shingled text by text, in blocks.
_LONG_WORDS = 1 << 20


def shingles(batch: WordBatch, n: int) -> tuple[Hashes, Offsets]:
    """Hash the word n-grams of several texts; a shorter text is one shingle of what it has.

    Args:
        batch: Hashed words.
        n: Words in a shingle.

    Returns:
        Shingle hashes of all texts end to end, and where each text's begin, (texts + 1,). A text
        without words has none.
    """
    lengths = batch.lengths
    counts = np.where(lengths > 0, np.maximum(lengths - n + 1, 1), 0)
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    if len(batch.hashes) > _LONG_WORDS:
        out = np.zeros(starts[-1], dtype=np.uint64)
        for i in range(len(counts)):
            words = batch.hashes[batch.starts[i] : batch.starts[i + 1]]
            _shingle_long(words, n, out[starts[i] : starts[i + 1]])
        return out, starts
    # Index of each shingle's first word: its text's first word plus its place in the text.
    first = np.arange(starts[-1]) + np.repeat(batch.starts[:-1] - starts[:-1], counts)
    last = np.repeat(batch.starts[1:], counts)
    words = np.concatenate([batch.hashes, np.zeros(n, dtype=np.uint64)])
    total = np.zeros(len(first), dtype=np.uint64)
    for place, factor in enumerate(constants("skald.shingle", n, odd=True)):
        # Beyond the end of a short text there is nothing to add.
        total += np.where(first + place < last, words[first + place] * factor, np.uint64(0))
    return mixed(total), starts


def _shingle_long(words: Hashes, n: int, out: Hashes) -> None:
    """Write the shingles of one text, in blocks: a text of 200 MB has 30 million."""
    for begin in range(0, len(out), _LONG_WORDS):
        block = out[begin : begin + _LONG_WORDS]
        for place, factor in enumerate(constants("skald.shingle", n, odd=True)):
            piece = words[begin + place : begin + place + len(block)]
            block[: len(piece)] += piece * factor
        block[:] = mixed(block)


def signatures(hashes: Hashes, starts: Offsets, n_permutations: int) -> Hashes:
    """Return the minimum of each text's shingles under each of several permutations.

    Permutation k sends x to a_k x + b_k mod 2^64 with odd a_k, which is one to one.

    Args:
        hashes: Shingle hashes of all texts end to end.
        starts: Where each text's begin, (texts + 1,); every text has one at least.
        n_permutations: How many.

    Returns:
        (n_permutations, texts).

    Source: Broder 1997; the permutations are those of datasketch's scheme `affine64`, with other
    constants.
    """
    factors = constants("skald.minhash.a", n_permutations, odd=True)
    shifts = constants("skald.minhash.b", n_permutations)
    out = np.empty((n_permutations, len(starts) - 1), dtype=np.uint64)
    for first, last in _groups(starts):
        begins = starts[first:last] - starts[first]
        part = hashes[starts[first] : starts[last]]
        scratch = np.empty(min(len(part), _SHINGLES), dtype=np.uint64)
        for k in range(n_permutations):
            out[k, first:last] = _minima(part, begins, factors[k], shifts[k], scratch)
    return out


def _groups(starts: Offsets) -> Iterator[tuple[int, int]]:
    """Divide texts into groups of at most `_SHINGLES` shingles, or of one text."""
    first, n = 0, len(starts) - 1
    while first < n:
        last = int(np.searchsorted(starts, starts[first] + _SHINGLES, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _minima(
    part: Hashes, begins: Offsets, factor: np.uint64, shift: np.uint64, scratch: Hashes
) -> Hashes:
    if len(part) <= len(scratch):
        np.multiply(part, factor, out=scratch)
        np.add(scratch, shift, out=scratch)
        return np.minimum.reduceat(scratch, begins)
    # One text longer than the scratch space.
    pieces = [part[i : i + len(scratch)] for i in range(0, len(part), len(scratch))]
    return np.array([min((piece * factor + shift).min() for piece in pieces)], dtype=np.uint64)


def band_hashes(minima: Hashes, rule: NearDuplicates) -> Hashes:
    """Hash each band's minima; equal hashes of different bands never mean a shared band.

    Args:
        minima: (bands x rows, texts).
        rule: Bands and rows.

    Returns:
        (texts, bands).
    """
    factors = constants("skald.bands", rule.bands * rule.rows, odd=True)
    scaled = minima * factors[:, None]
    banded = scaled.reshape(rule.bands, rule.rows, -1)
    return np.ascontiguousarray(mixed(np.add.reduce(banded, axis=1)).T)


def sketch(texts: Sequence[str], rule: NearDuplicates) -> tuple[Hashes, NDArray[np.bool_]]:
    """Return the band hashes of texts, and which texts have words at all.

    Args:
        texts: Some megabytes of texts.
        rule: Shingles, bands and rows.

    Returns:
        (texts, bands) hashes, and (texts,) flags; without words the hashes mean nothing.
    """
    return _sketch(*shingles(hash_texts(texts), rule.shingle_words), rule)


def _sketch(
    hashes: Hashes, starts: Offsets, rule: NearDuplicates
) -> tuple[Hashes, NDArray[np.bool_]]:
    filled = np.diff(starts) > 0
    out = np.zeros((len(filled), rule.bands), dtype=np.uint64)
    if filled.any():
        begins = np.append(starts[:-1][filled], starts[-1])
        out[filled] = band_hashes(signatures(hashes, begins, rule.bands * rule.rows), rule)
    return out, filled


def write_part(documents: Iterable[Document], folder: Path, rule: NearDuplicates) -> None:
    """Sketch documents into a part.

    Args:
        documents: The documents of one language, read once.
        folder: A new folder for the part.
        rule: Shingles, bands and rows; with `verify_jaccard` the shingles are kept too.

    Disk: 12 bytes a band, and 8 bytes an id plus the id itself: 176 bytes a document and its id
    with 14 bands; for verification 8 bytes a shingle more.
    """
    verified = rule.verify_jaccard is not None
    with PartWriter(folder, rule.rule, with_shingles=verified) as part:
        for batch in batches(documents):
            hashes, starts = shingles(hash_texts([d.text for d in batch]), rule.shingle_words)
            bands, filled = _sketch(hashes, starts, rule)
            distinct = (
                [np.unique(hashes[starts[i] : starts[i + 1]]) for i in range(len(batch))]
                if verified
                else []
            )
            part.add([d.id for d in batch], bands, filled, distinct)


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Gather documents until they are worth a call to numpy."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= _BATCH_CHARACTERS or len(batch) >= _BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def near_clusters(parts: Iterable[Path], rule: NearDuplicates) -> Iterator[Clusters]:
    """Open the clusters of near-duplicates over parts that `write_part` wrote.

    Args:
        parts: Their folders, in any order; `Clusters.verdicts` follows it.
        rule: The rule that the parts were made with.

    Yields:
        The clusters, readable inside the block.

    Raises:
        UserInputError: A part is incomplete, or was made with another rule.
    """
    with Parts(list(parts), rule.rule, rule.verify_jaccard is not None) as opened:
        if rule.verify_jaccard is None:
            yield Clusters(opened, join_equal)
        else:
            yield Clusters(opened, Verifier(opened, rule.verify_jaccard).join)
