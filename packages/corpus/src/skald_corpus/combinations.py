"""Which lexical combinations belong to which split.

The key of a combination is its agent and its patient: everything said about one pair, with whatever
verb, in whatever language, stands in one split. So no (agent, verb, patient) occurs in two.
"""

from __future__ import annotations

from functools import cache

from skald_specs.corpus import Split

from skald_corpus.grammar.concepts import NOUNS, verbs_for
from skald_corpus.grammar.scene import Event
from skald_corpus.keyed import Stream, fraction, zipf

#: Shares of the keys, not of the text.
VALIDATION_SHARE = 0.10
TEST_SHARE = 0.18


def key_of(agent: str, patient: str) -> str:
    """Return the key that splits and statistics go by.

    Args:
        agent: Concept of whoever acts, a key of `NOUNS`.
        patient: Concept of what it is done to.
    """
    return f"{agent}+{patient}"


@cache
def split_of(agent: str, patient: str) -> Split:
    """Return the one split in which a pair may occur.

    Args:
        agent: Concept of whoever acts, a key of `NOUNS`.
        patient: Concept of what it is done to; the other way round is another pair.
    """
    place = fraction(f"split {key_of(agent, patient)}")
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


@cache
def patients_of(agent: str, split: Split) -> tuple[str, ...]:
    """Return what an agent may do something to in a split, most frequent first.

    Args:
        agent: Concept of whoever acts, a key of `NOUNS`.
        split: The one in which the pairs have to be.
    """
    return tuple(
        noun
        for noun in NOUNS
        if noun != agent and verbs_for(agent, noun) and split_of(agent, noun) == split
    )


@cache
def agents_of(split: Split) -> tuple[str, ...]:
    """Return who does something in a split, most frequent first."""
    return tuple(noun for noun in NOUNS if patients_of(noun, split))


@cache
def verbs_of(agent: str, patient: str) -> tuple[str, ...]:
    """Return the verbs between the two, most frequent first.

    Args:
        agent: Concept of whoever acts, a key of `NOUNS`.
        patient: Concept of what it is done to.
    """
    return verbs_for(agent, patient)


_WEIGHTS = [zipf(n) for n in range(len(NOUNS) + 1)]


def draw(stream: Stream, options: tuple[str, ...]) -> str:
    """Draw one of the options by rank.

    Args:
        stream: Gives one number.
        options: The most frequent first; one at least, and no more than there are nouns.
    """
    return stream.draw(options, _WEIGHTS[len(options)])


def draw_event(stream: Stream, split: Split) -> Event:
    """Draw a lexical combination of a split: agent, patient and verb, each by rank.

    Args:
        stream: Gives three numbers.
        split: The one that the pair belongs to.
    """
    agent = draw(stream, agents_of(split))
    patient = draw(stream, patients_of(agent, split))
    return Event(agent, draw(stream, verbs_of(agent, patient)), patient)
