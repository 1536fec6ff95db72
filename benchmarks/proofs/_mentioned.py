"""What sentences of the generator mention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skald_corpus.grammar.scene import Event, Sentence


def events(sentences: Iterable[Sentence]) -> Iterator[Event]:
    """Yield every lexical combination that sentences mention, asserted or not."""
    for sentence in sentences:
        for clause in (sentence.clause, sentence.reason):
            if clause is not None and clause.object is not None:
                yield Event(clause.subject.concept, clause.verb, clause.object.concept)
