"""Candidates checked by the true Jaccard similarity of their n-gram sets.

Two documents of a bucket (equal band hash) are joined when their similarity is the threshold or
more. In buckets of up to `EXACT_BUCKET` documents every pair is decided. In larger ones a document
is compared, in order of the ids, with the leaders before it: those that resembled no leader when
their turn came. Both depend on the set of documents alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skald_corpus.dedup.clusters import Forest, Parts, buckets
from skald_corpus.dedup.store import Records, Rows
from skald_corpus.words import Hashes

#: Documents of one bucket whose pairs are all compared: at most 2,016 comparisons.
EXACT_BUCKET = 64
#: Leaders of one large bucket; what resembles none of so many stays apart.
MAX_LEADERS = 64


def jaccard(one: Hashes, other: Hashes) -> float:
    """Return the Jaccard similarity of two sets, given sorted and without repeats.

    Args:
        one: Hashes of n-grams, ascending, none twice.
        other: The same; with an empty set the similarity is 0.
    """
    if not len(one) or not len(other):
        return 0.0
    common = len(one) + len(other) - len(np.union1d(one, other))
    return common / (len(one) + len(other) - common)


class Verifier:
    """Joins candidates that are similar enough.

    Args:
        parts: Parts that kept their shingles.
        threshold: Least Jaccard similarity of duplicates.
    """

    def __init__(self, parts: Parts, threshold: float) -> None:
        self._parts, self._threshold = parts, threshold

    def join(self, pieces: Iterable[Records], forest: Forest) -> None:
        """Join the documents of one partition's buckets, see `Clusters`.

        Args:
            pieces: Records of one hash partition, by band hash.
            forest: Changed in place; documents that it has in one cluster already are not compared.
        """
        for rows in buckets(pieces):
            roots = forest.roots(rows)
            if (roots == roots[0]).all():
                continue
            if len(rows) <= EXACT_BUCKET:
                self._all_pairs(rows, forest)
            else:
                self._leaders(rows, forest)

    def _all_pairs(self, rows: Rows, forest: Forest) -> None:
        sets = [self._parts.shingles(row) for row in rows.tolist()]
        roots = forest.roots(rows)
        for i in range(len(rows)):
            for j in range(i + 1, len(rows)):
                # Documents that are in one cluster already need no comparison.
                if roots[i] != roots[j] and jaccard(sets[i], sets[j]) >= self._threshold:
                    forest.join(rows[i : i + 1], rows[j : j + 1])
                    roots = forest.roots(rows)

    def _leaders(self, rows: Rows, forest: Forest) -> None:
        leaders: list[tuple[int, Hashes]] = []
        for row in sorted(rows.tolist(), key=self._parts.id_bytes):
            mine = self._parts.shingles(row)
            for leader, theirs in leaders:
                if jaccard(mine, theirs) >= self._threshold:
                    pair = np.array([leader, row], dtype=np.uint32)
                    forest.join(pair[:1], pair[1:])
                    break
            else:
                if len(leaders) < MAX_LEADERS:
                    leaders.append((row, mine))
