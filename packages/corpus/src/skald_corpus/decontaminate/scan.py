"""Two passes over documents: count how many have each n-gram, then drop or cut.

What is common can only be told at the end of the first pass; so neither pass depends on order, and
counts and tallies of parts that were done apart add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from skald_specs.corpus import Document
from skald_specs.decontamination import (
    CorpusHits,
    Decontamination,
    DecontaminationReport,
    FoundItem,
    Standing,
    TaskHits,
    items_sha256,
)

from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.spans import Span, without, word_spans
from skald_corpus.dedup.minhash import batches
from skald_corpus.words import hash_texts, words

#: Documents named with a contaminated item.
_EXAMPLES = 5


@dataclass
class Counts:
    """The first pass over some documents.

    Shapes: `documents` (n-grams of the index,), how many documents have each; `flags` one byte a
    document, 1 where the second pass must look, in the order read.
    """

    documents: NDArray[np.int64]
    flags: bytearray = field(default_factory=bytearray)


def count(documents: Iterable[Document], index: ItemIndex) -> Counts:
    """Count the documents that have each n-gram.

    Args:
        documents: The documents, read once.
        index: What to look for.
    """
    counts = Counts(np.zeros(len(index.lengths), dtype=np.int64))
    for batch in batches(documents):
        hashed = hash_texts([document.text for document in batch])
        match = index.match(hashed)
        which = np.searchsorted(hashed.starts, match.words, side="right") - 1
        pairs = np.unique(np.stack([which, match.grams]), axis=1)
        np.add.at(counts.documents, pairs[1], 1)
        flags = np.zeros(len(batch), dtype=np.uint8)
        flags[pairs[0][index.lengths[pairs[1]] >= index.rule.min_words]] = 1
        counts.flags += flags.tobytes()
    return counts


@dataclass(frozen=True)
class Outcome:
    """What became of one document; `document` is None when it was dropped.

    `items` are the (task, item id) that it had, `n_bytes_removed` the UTF-8 bytes that are gone.
    """

    id: str
    document: Document | None
    cut: bool
    items: tuple[tuple[str, str], ...]
    n_bytes_removed: int


@dataclass
class Tally:
    """What the second pass over some documents of one language did."""

    language: str
    read: int = 0
    dropped: int = 0
    cut: int = 0
    bytes_read: int = 0
    bytes_removed: int = 0
    task_documents: dict[str, int] = field(default_factory=dict)
    examples: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add the tally of another part of the same language."""
        for name in ("read", "dropped", "cut", "bytes_read", "bytes_removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for task, n in other.task_documents.items():
            self.task_documents[task] = self.task_documents.get(task, 0) + n
        for item, ids in other.examples.items():
            self.examples[item] = sorted({*self.examples.get(item, []), *ids})[:_EXAMPLES]

    def hits(self) -> CorpusHits:
        """Return the language's row of the report."""
        return CorpusHits(
            language=self.language,
            n_documents_read=self.read,
            n_documents_kept=self.read - self.dropped,
            n_documents_cut=self.cut,
            n_documents_dropped=self.dropped,
            n_bytes_read=self.bytes_read,
            n_bytes_kept=self.bytes_read - self.bytes_removed,
            n_bytes_removed=self.bytes_removed,
        )


class Decontaminator:
    """Drops, cuts or only reports what the counts of the whole corpus call contaminated.

    Args:
        index: What was looked for.
        documents: How many documents have each n-gram, over all parts and languages:
            the sum of `Counts.documents`.
    """

    def __init__(self, index: ItemIndex, documents: NDArray[np.int64]) -> None:
        self._index, self._documents = index, documents
        rule: Decontamination = index.rule
        long = index.lengths >= rule.ngram_words
        rare = documents <= rule.common_documents
        self._acting = (index.lengths >= rule.min_words) & (long | rare)

    def apply(
        self, documents: Iterable[Document], tally: Tally, flags: bytearray | None = None
    ) -> Iterator[Outcome]:
        """Yield what becomes of each document, in order.

        Args:
            documents: The documents of the first pass, in the same order.
            tally: Counted up in place.
            flags: `Counts.flags` of these documents; without them every document is searched.
        """
        for at, document in enumerate(documents):
            outcome = Outcome(document.id, document, False, (), 0)
            if flags is None or flags[at]:
                outcome = self._outcome(document, tally)
            tally.read += 1
            tally.bytes_read += len(document.text.encode("utf-8", "surrogatepass"))
            tally.bytes_removed += outcome.n_bytes_removed
            tally.cut += outcome.cut
            tally.dropped += outcome.document is None
            yield outcome

    def _outcome(self, document: Document, tally: Tally) -> Outcome:
        match = self._index.match(hash_texts([document.text]))
        acting = self._acting[match.grams]
        grams, first = match.grams[acting], match.words[acting]
        numbers = sorted({i for gram in grams.tolist() for i in self._index.owners(gram)})
        if not numbers:
            return Outcome(document.id, document, False, (), 0)
        items = [self._index.items[number] for number in numbers]
        for task in {item.task for item in items}:
            tally.task_documents[task] = tally.task_documents.get(task, 0) + 1
        for number in numbers:
            tally.examples[number] = sorted({*tally.examples.get(number, []), document.id})[
                :_EXAMPLES
            ]
        names = tuple((item.task, item.item_id) for item in items)
        if self._index.rule.policy == "report":
            return Outcome(document.id, document, False, names, 0)
        size = len(document.text.encode("utf-8", "surrogatepass"))
        lengths = self._index.lengths[grams]
        text = self._cut(document.text, list(zip(first.tolist(), lengths.tolist(), strict=True)))
        if not text:
            return Outcome(document.id, None, False, names, size)
        removed = size - len(text.encode("utf-8", "surrogatepass"))
        return Outcome(
            document.id, document.model_copy(update={"text": text}), True, names, removed
        )

    def _cut(self, text: str, found: Sequence[tuple[int, int]]) -> str:
        """Return what is left of a text; nothing where the policy or the text leaves nothing."""
        spans = word_spans(text) if self._index.rule.policy == "cut" else None
        if spans is None:
            return ""
        gone: list[Span] = [(spans[at][0], spans[at + n - 1][1]) for at, n in found]
        left = without(text, gone)
        return left if words(left) else ""

    def report(self, tallies: Sequence[Tally]) -> DecontaminationReport:
        """Return the report over all languages.

        Args:
            tallies: One a language of the corpus, each complete.
        """
        whole = Tally("")
        for tally in tallies:
            whole.add(tally)
        found = [
            item
            for number in range(len(self._index.items))
            if (item := self._found(number, whole.examples.get(number, ()))) is not None
        ]
        return DecontaminationReport(
            schema_version=1,
            rule=self._index.rule,
            corpus=tuple(t.hits() for t in sorted(tallies, key=lambda t: t.language)),
            tasks=tuple(self._tasks(found, whole)),
            items=tuple(found),
        )

    def _found(self, number: int, examples: Sequence[str]) -> FoundItem | None:
        grams = np.array(self._index.grams(number), dtype=np.int64)
        hit = grams[self._documents[grams] > 0]
        if not len(hit):
            return None
        long_enough = self._index.lengths[hit] >= self._index.rule.min_words
        standing: Standing = "common" if long_enough.any() else "short"
        if self._acting[hit].any():
            standing, hit = "contaminated", hit[self._acting[hit]]
        item = self._index.items[number]
        return FoundItem(
            task=item.task,
            item_id=item.item_id,
            language=item.language,
            standing=standing,
            n_documents=int(self._documents[hit].max()),
            coverage=len(hit) / len(grams),
            documents=tuple(examples),
        )

    def _tasks(self, found: Sequence[FoundItem], whole: Tally) -> Iterator[TaskHits]:
        tasks: dict[tuple[str, str], list[int]] = {}
        for number, item in enumerate(self._index.items):
            tasks.setdefault((item.task, item.language), []).append(number)
        standings: dict[tuple[str, str], list[Standing]] = {}
        for row in found:
            standings.setdefault((row.task, row.language), []).append(row.standing)
        for (task, tag), numbers in sorted(tasks.items()):
            here = standings.get((task, tag), [])
            yield TaskHits(
                task=task,
                language=tag,
                n_items=len(numbers),
                items_sha256=items_sha256(
                    {self._index.items[n].item_id: self._index.hashes[n] for n in numbers}
                ),
                n_contaminated=here.count("contaminated"),
                n_common=here.count("common"),
                n_short=here.count("short"),
                n_undecidable=sum(self._undecidable(number) for number in numbers),
                n_documents=whole.task_documents.get(task, 0),
            )

    def _undecidable(self, number: int) -> bool:
        lengths = self._index.lengths[self._index.grams(number)]
        return bool((lengths < self._index.rule.min_words).all())
