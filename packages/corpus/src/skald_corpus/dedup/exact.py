"""Exact duplicates: documents whose normalised texts are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path

import numpy as np
import xxhash
from skald_specs.corpus import Document

from skald_corpus.dedup.clusters import Clusters, Parts
from skald_corpus.dedup.store import PartWriter
from skald_corpus.words import Hashes, normalised, pieces

RULE = "exact-1"
#: Documents hashed before they are written.
_DOCUMENTS = 4096


def text_hash(text: str) -> int:
    """Hash a text's normalised form with white space collapsed; punctuation counts.

    Args:
        text: Any text.

    Returns:
        A 64-bit XXH3 hash. Among n different texts the probability that any two agree by chance is
        about n^2 / 2^65: 7e-5 for 50 million.
    """
    state = xxhash.xxh3_64()
    found = chain.from_iterable(normalised(piece).split() for piece in pieces(text))
    # In blocks of words, because a call for each would cost more than the hashing.
    while block := list(islice(found, 1 << 14)):
        state.update((" ".join(block) + " ").encode("utf-8", "surrogatepass"))
    return state.intdigest()


def write_part(documents: Iterable[Document], folder: Path) -> None:
    """Hash documents into a part.

    Args:
        documents: The documents, read once.
        folder: A new folder for the part.
    """
    stream = iter(documents)
    with PartWriter(folder, RULE) as part:
        while batch := list(islice(stream, _DOCUMENTS)):
            hashes: Hashes = np.array([[text_hash(d.text)] for d in batch], dtype=np.uint64)
            part.add([d.id for d in batch], hashes, np.ones(len(batch), dtype=np.bool_))


@contextmanager
def exact_clusters(parts: Iterable[Path]) -> Iterator[Clusters]:
    """Open the clusters of exact duplicates over parts that `write_part` wrote.

    Args:
        parts: Their folders, in any order; `Clusters.verdicts` follows it.

    Yields:
        The clusters, readable inside the block.
    """
    with Parts(list(parts), RULE) as opened:
        yield Clusters(opened)
