"""The floor of the synthetic text: the information in its documents, in bits.

A model's cross-entropy on a text cannot stay below the text's information, in the mean: -log2 p under
the source itself. `scoring` computes that p exactly for a document's abstract sentences; its mean over
fresh documents estimates the source's entropy, with the standard error given.

Assumptions. What is scored are abstract sentences. Two of them with one wording (a pronoun for one or
the other, a plural like its singular) are counted apart, so that the true floor of the strings is
lower by what a reader cannot tell: rare, as the document decides nearly all of them. That a split has
no document twice is left out. The probabilities are those of a source that knows which combinations
belong to the split: a model that saw only the training split cannot know those of another one, and
needs more bits there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from skald_specs.corpus import Document, Split

from skald_corpus.grammar.rules.base import Linearizer
from skald_corpus.scoring import Scorer
from skald_corpus.story import Story


class Floor(NamedTuple):
    """Information of documents.

    `bits` is the sum over them: exact for this text. `se_bits_per_document` is the standard error of
    the mean as an estimate of the source's entropy.
    """

    documents: int
    sentences: int
    bytes: int
    bits: float
    bits_per_document: float
    bits_per_sentence: float
    bits_per_byte: float
    se_bits_per_document: float


def floor_of(
    language: Linearizer, split: Split, documents: Iterable[tuple[Document, Story]]
) -> Floor:
    """Return the information of documents of one split, at least two, as `generate` yields them.

    Args:
        language: That of the documents: which pronoun a noun takes bears on the choices.
        split: The one that the documents were told from.
        documents: Two at least, drawn independently; consumed once.
    """
    scorer = Scorer(split, language.pronoun_key)
    each, n_sentences, n_bytes = list[float](), 0, 0
    for document, story in documents:
        each.append(scorer.information_bits(story.sentences))
        n_sentences += len(story.sentences)
        n_bytes += len(document.text.encode())
    total, n = math.fsum(each), len(each)
    mean = total / n
    variance = math.fsum((bits - mean) ** 2 for bits in each) / (n - 1)
    return Floor(
        documents=n,
        sentences=n_sentences,
        bytes=n_bytes,
        bits=total,
        bits_per_document=mean,
        bits_per_sentence=total / n_sentences,
        bits_per_byte=total / n_bytes,
        se_bits_per_document=math.sqrt(variance / n),
    )
