"""The shape of a language's words, and the reader of the tables they are written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """Forms of a noun; a language leaves empty what it does not have.

    `pronoun` is the pronoun that a singular takes, empty where usage wavers (German "Mädchen"): the
    noun is repeated then.
    """

    gender: str
    pronoun: str
    singular: str
    plural: str
    definite: str = ""
    definite_plural: str = ""
    accusative: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """Third-person forms and the infinitive."""

    present: str
    present_plural: str
    past: str
    past_plural: str
    infinitive: str


@dataclass(frozen=True)
class Lexicon:
    """All words of one language.

    `adjectives` hold the forms in the order their rules module names. `pronouns` are subject and
    object form by key. `links` are the subordinators by attitude, and `because`. `words` are the
    adverbs, quantities, articles and answers. `homographs` are the nouns whose form is another word
    in another gender (German "das Bauer" is a cage): their gender cannot be got wrong.
    """

    tag: str
    nouns: Mapping[str, Noun]
    adjectives: Mapping[str, tuple[str, ...]]
    verbs: Mapping[str, Verb]
    auxiliaries: Mapping[str, Verb]
    attitudes: Mapping[str, Verb]
    links: Mapping[str, str]
    places: Mapping[str, str]
    times: Mapping[str, str]
    pronouns: Mapping[str, tuple[str, str]]
    words: Mapping[str, str]
    homographs: frozenset[str] = frozenset()


def rows(table: str) -> dict[str, tuple[str, ...]]:
    """Read a table: one row a line, the concept first, its forms after it."""
    lines = [line.split() for line in table.strip().splitlines()]
    read = {line[0]: tuple(line[1:]) for line in lines}
    assert len(read) == len(lines), "a concept stands twice in a table"
    assert len({len(row) for row in read.values()}) == 1, "rows of a table differ in length"
    return read


def phrases(table: str) -> dict[str, str]:
    """Read a table of phrases: the concept, then everything after it."""
    read: dict[str, str] = {}
    for line in table.strip().splitlines():
        concept, phrase = line.strip().split(None, 1)
        read[concept] = phrase
    return read
