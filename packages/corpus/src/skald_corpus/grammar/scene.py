"""The abstract syntax: what is said, without a word or an order of any language.

Named tuples, which are made and hashed several times as fast as frozen dataclasses.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from skald_corpus.grammar.concepts import Tense

Number = Literal["sg", "pl"]
Form = Literal["definite", "indefinite", "pronoun"]
Front = Literal["subject", "time", "place"]
Kind = Literal["statement", "question", "report", "reason"]


class NounPhrase(NamedTuple):
    """Somebody or something. An indefinite plural has a `quantity`; a pronoun no adjective."""

    concept: str
    number: Number = "sg"
    form: Form = "definite"
    adjective: str = ""
    quantity: str = ""


class Clause(NamedTuple):
    """One predication.

    `verb` is a concept of VERBS (then there is an `object`), `be` (with a `quality`, an adjective,
    or a `place`) or `exist` (indefinite subject at a `place`). `adverb` is `not`, `often`, `never`
    or empty; with one, no time or place stands after the verb. `not` needs an object that is
    definite (so no language has to choose between its words for "no"). `front` names what a main
    clause begins with.
    """

    subject: NounPhrase
    verb: str
    tense: Tense
    object: NounPhrase | None = None
    quality: str = ""
    adverb: str = ""
    modal: bool = False
    time: str = ""
    place: str = ""
    front: Front = "subject"


class Sentence(NamedTuple):
    """A clause, asked, answered (`reply`: yes or no), reported or given a reason."""

    kind: Kind
    clause: Clause
    reply: str = ""
    speaker: NounPhrase | None = None
    attitude: str = ""
    reason: Clause | None = None


class Event(NamedTuple):
    """Who does what to whom: the lexical combination that splits keep apart."""

    agent: str
    verb: str
    patient: str
