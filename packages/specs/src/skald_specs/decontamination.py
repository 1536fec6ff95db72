"""Decontamination: what is looked for, by which rule, and what was found.

An item's standing says what came of it. `contaminated`: training text had it, and was dropped or
cut unless the policy is to report only. `common`: what was found of it occurs in so many documents
that it is a phrase, not a leak. `short`: it has too few words to tell a leak from chance. Nothing is
ever removed for the last two.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec
from skald_specs.shape import Positive

Standing = Literal["contaminated", "common", "short"]
Count = Annotated[int, Field(ge=0)]
#: In the folder of a corpus that was searched: `DecontaminationReport` and `CleanSubset`.
REPORT_FILE = "decontamination.json"
CLEAN_FILE = "clean-subset.json"
#: Longest n-gram that a rule may ask for.
MAX_NGRAM_WORDS = 64


def item_sha256(strings: Iterable[str]) -> str:
    """Return a short hash (64 bits) of an item's strings, in whatever order and however often."""
    return hashlib.sha256(json.dumps(sorted(set(strings))).encode("ascii")).hexdigest()[:16]


def items_sha256(hashes: Mapping[str, str]) -> str:
    """Return the hash of a task's items, as the search and an evaluation both have it.

    Args:
        hashes: `item_sha256` by item id.
    """
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode("ascii")).hexdigest()


class ReferenceItem(Spec):
    """One evaluation item as plain strings, one JSON object a line; from any task of any harness.

    `strings` are all texts that a model must not have seen: both sides of a minimal pair, every
    choice with its context. `task` and `item_id` are the names that evaluation records use.
    """

    task: Annotated[str, Field(min_length=1)]
    item_id: Annotated[str, Field(min_length=1)]
    language: str
    strings: Annotated[tuple[str, ...], Field(min_length=1)]


class Decontamination(Spec):
    """The rule: a value that changes a corpus, unless `policy` is `report`, which removes nothing.

    A string of `ngram_words` or more matches where any of its n-grams of that length does, one of
    `short_ngram_words` or more by n-grams of that length, a shorter one as a whole. Below
    `min_words` it is reported only. An n-gram shorter than `ngram_words` that more than
    `common_documents` documents have is common.

    Source: GPT-3 (arXiv 2005.14165, appendix C) takes n-grams of 8 to 13 words and ignores those of
    more than 10 documents as common phrases; here only the shorter ones can be common, so that a
    leak is not excused by being copied often. Standing of `min_words`: assumed.
    """

    ngram_words: Annotated[int, Field(ge=2, le=MAX_NGRAM_WORDS)] = 13
    short_ngram_words: Annotated[int, Field(ge=2, le=MAX_NGRAM_WORDS)] = 8
    min_words: Positive = 4
    common_documents: Positive = 10
    policy: Literal["drop", "cut", "report"] = "drop"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_words <= self.short_ngram_words <= self.ngram_words:
            raise ValueError(
                f"min_words = {self.min_words}, short_ngram_words = {self.short_ngram_words} and "
                f"ngram_words = {self.ngram_words} must not fall; order them"
            )
        return self


class FoundItem(Spec):
    """An item of which training text had something.

    `n_documents` is the number of documents with the most frequent of its n-grams, `coverage` the
    share of its n-grams that were found at all, `documents` some of the documents (smallest ids).
    """

    task: str
    item_id: str
    language: str
    standing: Standing
    n_documents: Positive
    coverage: Annotated[float, Field(gt=0, le=1)]
    documents: tuple[str, ...]


class TaskHits(Spec):
    """One task's items by what came of them, and how many documents had (and lost) their text.

    `n_undecidable` items are too short to be acted on, found or not. `items_sha256` tells items from
    others of the same names: an evaluation of those was not searched for.
    """

    task: str
    language: str
    n_items: Positive
    items_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    n_contaminated: Count
    n_common: Count
    n_short: Count
    n_undecidable: Count
    n_documents: Count


class CorpusHits(Spec):
    """One corpus language: documents and UTF-8 bytes read, kept, cut and dropped.

    A cut document is kept; `n_bytes_removed` counts what was cut and what was dropped.
    """

    language: str
    n_documents_read: Count
    n_documents_kept: Count
    n_documents_cut: Count
    n_documents_dropped: Count
    n_bytes_read: Count
    n_bytes_kept: Count
    n_bytes_removed: Count

    @model_validator(mode="after")
    def _nothing_lost(self) -> Self:
        if self.n_documents_kept + self.n_documents_dropped != self.n_documents_read:
            raise ValueError("documents kept and dropped are not those read; rerun the stage")
        if self.n_bytes_kept + self.n_bytes_removed != self.n_bytes_read:
            raise ValueError("bytes kept and removed are not those read; rerun the stage")
        return self


class CleanSubset(Spec):
    """The items to leave out for a score on the clean subset: contaminated ids of each task."""

    schema_version: Literal[1]
    contaminated: dict[str, tuple[str, ...]]


class DecontaminationReport(Spec):
    """What decontamination found and did, by task and by language of the corpus."""

    schema_version: Literal[1]
    rule: Decontamination
    corpus: tuple[CorpusHits, ...]
    tasks: tuple[TaskHits, ...]
    items: tuple[FoundItem, ...]

    def clean_subset(self) -> CleanSubset:
        """Return the contaminated items; common and short ones are not among them."""
        found: dict[str, list[str]] = {task.task: [] for task in self.tasks}
        for item in self.items:
            if item.standing == "contaminated":
                found[item.task].append(item.item_id)
        return CleanSubset(
            schema_version=1,
            contaminated={task: tuple(sorted(ids)) for task, ids in sorted(found.items()) if ids},
        )
