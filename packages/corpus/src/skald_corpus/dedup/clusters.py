"""From equal hashes to clusters of documents, and the one of each cluster that is kept.

Rows count documents over all parts. Which rows form a cluster depends on the hashes alone, the
kept one on the ids alone, so parts may be given in any order and of any size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from skald_specs.errors import UserInputError

from skald_corpus.dedup.store import MAX_DOCUMENTS, PARTITIONS, Part, Records, Rows
from skald_corpus.words import Hashes

#: Records of a partition that are gathered before equal hashes are joined.
_GATHERED = 4_000_000
#: Rows handled at once where every document is walked.
_BLOCK = 1 << 16


class Forest:
    """Union-find over rows; the root of a cluster is its smallest row.

    Takes edges in bulk. The clusters are the connected components, whatever the order of the edges.

    Args:
        n: Number of rows.
    """

    def __init__(self, n: int) -> None:
        self.parent: Rows = np.arange(n, dtype=np.uint32)

    def roots(self, rows: Rows) -> Rows:
        """Return the root of each row, and shorten its path."""
        found = self.parent[rows]
        while True:
            above = self.parent[found]
            if np.array_equal(above, found):
                break
            found = above
        self.parent[rows] = found
        return found

    def join(self, one: Rows, other: Rows) -> None:
        """Join the clusters of pairs of rows.

        Args:
            one: Rows of the first of each pair.
            other: Rows of the second; as many.
        """
        while len(one):
            left, right = self.roots(one), self.roots(other)
            apart = left != right
            one, other, left, right = one[apart], other[apart], left[apart], right[apart]
            # Of several edges at one root the smallest wins; the others are tried again.
            np.minimum.at(self.parent, np.maximum(left, right), np.minimum(left, right))

    def flatten(self) -> None:
        """Make every row point at its root."""
        for start in range(0, len(self.parent), _BLOCK):
            end = min(start + _BLOCK, len(self.parent))
            self.roots(np.arange(start, end, dtype=np.uint32))


class Parts:
    """The parts of one language, seen as one range of rows; a context manager.

    Args:
        folders: Folders of complete parts.
        rule: The rule that made them.
        with_shingles: Whether their shingles will be asked for.

    Raises:
        UserInputError: A part is incomplete, or was made with another rule.
    """

    def __init__(self, folders: Sequence[Path], rule: str, with_shingles: bool = False) -> None:
        self.parts = [Part(folder) for folder in folders]
        for folder, part in zip(folders, self.parts, strict=True):
            problem = ""
            if part.facts.rule != rule:
                problem = f"made by the rule {part.facts.rule}, not by {rule}"
            elif with_shingles and not part.facts.with_shingles:
                problem = "made without shingles, which verification needs"
            if problem:
                raise UserInputError(str(folder), problem, "Run the stage again")
        counts = [part.facts.n_documents for part in self.parts]
        self.starts = [0, *np.cumsum(counts, dtype=np.int64).tolist()]
        if self.n_documents > MAX_DOCUMENTS:
            raise UserInputError(
                str(folders[0]), "more than 2^32 - 1 documents", "Divide the language"
            )

    @property
    def n_documents(self) -> int:
        """Documents in all parts."""
        return int(self.starts[-1])

    def records(self, partition: int) -> Iterator[Records]:
        """Yield the records of a partition over all parts, with rows of the whole."""
        for start, part in zip(self.starts, self.parts, strict=False):
            for piece in part.records(partition):
                records = np.array(piece)
                records["row"] += np.uint32(start)
                yield records

    def id_bytes(self, row: int) -> bytes:
        """Return a document's id in UTF-8."""
        which = bisect_right(self.starts, row) - 1
        return self.parts[which].id_bytes(row - self.starts[which])

    def shingles(self, row: int) -> Hashes:
        """Return a document's sorted, distinct shingle hashes."""
        which = bisect_right(self.starts, row) - 1
        return self.parts[which].shingles(row - self.starts[which])

    def ids(self) -> Iterator[str]:
        """Yield all ids in row order."""
        for part in self.parts:
            for first in range(0, part.facts.n_documents, _BLOCK):
                yield from part.ids(first, min(first + _BLOCK, part.facts.n_documents))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self.parts:
            part.close()


@dataclass(frozen=True)
class Verdict:
    """What becomes of one document.

    `kept_id` is the smallest id of its cluster, `cluster_size` the number of documents in it (1:
    it has no duplicate). Ids are unique; of two documents with one id and the same words, one stays.
    """

    id: str
    kept: bool
    kept_id: str
    cluster_size: int


#: Joins the records of one hash partition; gets them in pieces.
Joiner = Callable[[Iterable[Records], Forest], None]


def join_equal(pieces: Iterable[Records], forest: Forest) -> None:
    """Join all documents that share a hash.

    Of each hash one record is carried on, so memory depends on how many distinct hashes a
    partition has, not on how often the commonest occurs.

    Args:
        pieces: Records of one hash partition, in any order.
        forest: Changed in place.
    """
    gathered: list[Records] = []
    size, limit = 0, _GATHERED
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= limit:
            gathered = [_joined(np.concatenate(gathered), forest)]
            size = len(gathered[0])
            limit = max(_GATHERED, 2 * size)
    if gathered:
        _joined(np.concatenate(gathered), forest)


def _joined(records: Records, forest: Forest) -> Records:
    """Join equal hashes, and return one record of each."""
    records = records[np.argsort(records["hash"])]
    hashes, rows = records["hash"], records["row"]
    same = hashes[1:] == hashes[:-1]
    forest.join(rows[:-1][same], rows[1:][same])
    return records[np.concatenate(([True], ~same))] if len(records) else records


def buckets(pieces: Iterable[Records]) -> Iterator[Rows]:
    """Yield the distinct rows of every hash that several documents share, in order of the hash."""
    gathered = list(pieces)
    if not gathered:
        return
    records = np.concatenate(gathered)
    records = records[np.argsort(records["hash"])]
    hashes = records["hash"]
    edges = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1], [True])))
    for first, last in pairwise(edges.tolist()):
        if last - first > 1:
            yield np.unique(records["row"][first:last])


class Clusters:
    """The clusters of a set of parts.

    Args:
        parts: The parts; they stay open.
        join: What makes two documents with a common hash duplicates; `join_equal` asks no more.

    Memory: 12 bytes a document (three 32-bit numbers), and one partition's records.
    """

    def __init__(self, parts: Parts, join: Joiner = join_equal) -> None:
        self._parts = parts
        forest = Forest(parts.n_documents)
        for partition in range(PARTITIONS):
            join(parts.records(partition), forest)
        forest.flatten()
        self._roots = forest.parent
        self._sizes = np.zeros(len(self._roots), dtype=np.uint32)
        for start in range(0, len(self._roots), _BLOCK):
            np.add.at(self._sizes, self._roots[start : start + _BLOCK], 1)
        self._kept = self._smallest()

    def _smallest(self) -> Rows:
        """Return, at every root, the row of its cluster's smallest id."""
        kept: Rows = np.arange(len(self._roots), dtype=np.uint32)
        for start in range(0, len(kept), _BLOCK):
            roots = self._roots[start : start + _BLOCK]
            others = np.flatnonzero(roots != np.arange(start, start + len(roots)))
            for row, root in zip((start + others).tolist(), roots[others].tolist(), strict=True):
                if self._parts.id_bytes(row) < self._parts.id_bytes(int(kept[root])):
                    kept[root] = row
        return kept

    @property
    def n_documents(self) -> int:
        """Documents read."""
        return len(self._roots)

    @property
    def n_kept(self) -> int:
        """Documents that stay, one a cluster."""
        return int(np.count_nonzero(self._sizes))

    def sizes(self) -> dict[int, int]:
        """Return how many clusters there are of each size."""
        counts = np.unique(self._sizes[self._sizes > 0], return_counts=True)
        return dict(zip(counts[0].tolist(), counts[1].tolist(), strict=True))

    def verdicts(self) -> Iterator[Verdict]:
        """Yield what becomes of each document, in the order of the parts and in them of the rows."""
        ids = self._parts.ids()
        for start in range(0, self.n_documents, _BLOCK):
            roots = self._roots[start : start + _BLOCK]
            kept, sizes = self._kept[roots].tolist(), self._sizes[roots].tolist()
            for row, (kept_row, size) in enumerate(zip(kept, sizes, strict=True), start):
                text = next(ids)
                other = kept_row != row
                yield Verdict(text, not other, self._id(kept_row) if other else text, size)

    def _id(self, row: int) -> str:
        return self._parts.id_bytes(row).decode("utf-8", "surrogatepass")
