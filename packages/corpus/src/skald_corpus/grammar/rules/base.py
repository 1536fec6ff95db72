"""What all linearisations share: pieces, sentences, spelling. Knows no word order inside a clause."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import ClassVar, Literal, NamedTuple

from skald_corpus.grammar.concepts import NOUNS, Tense
from skald_corpus.grammar.lexicon import CASES, Case, Lexicon, Verb
from skald_corpus.grammar.scene import Clause, NounPhrase, Number, Sentence

#: What a piece of a sentence does in it; faults are made by naming roles.
Role = Literal[
    "reply", "speaker", "attitude", "comma", "link", "front", "there", "subject", "verb", "adverb",
    "infinitive", "object", "predicate", "time", "place",
]  # fmt: skip
Order = Literal["main", "question", "subordinate"]

#: Kinds of wrong noun phrase: article or numeral, adjective, marking of definiteness, case.
Fault = Literal["determiner", "adjective", "definiteness", "case"]


class Piece(NamedTuple):
    """Some words and what they do in their clause."""

    role: Role
    text: str


#: Makes a piece, each once: a language has few, and texts repeat them.
piece_of: Callable[[Role, str], Piece] = cache(Piece)


class Linearizer(ABC):
    """One language's way to say a scene."""

    lexicon: Lexicon
    #: Whether a comma stands before a subordinate clause.
    comma: ClassVar[bool]
    #: The two pieces whose exchange makes a subordinate clause ungrammatical.
    subordinate_fault: ClassVar[tuple[Role, Role]]
    #: Whether the verb agrees with its subject.
    agrees: ClassVar[bool]
    #: Faults of noun phrases that the language has beside those of determiners and adjectives.
    further_faults: ClassVar[tuple[Fault, ...]] = ()

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        #: `noun_phrase`, each phrase inflected once: texts repeat few phrases often.
        self.phrase: Callable[[NounPhrase, Case], str] = cache(self.noun_phrase)

    @abstractmethod
    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """Say a noun phrase.

        Args:
            phrase: What is said.
            case: The one it stands in; languages without cases tell subject from object in pronouns
                alone.
        """

    @abstractmethod
    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """Return ungrammatical variants of a noun phrase by kind; none where one might be right.

        Args:
            phrase: The right one.
            case: The one it stands in.

        Returns:
            Whole phrases; a kind that the language lacks is missing or empty.
        """

    @abstractmethod
    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Put a clause in order.

        Args:
            clause: What is said.
            order: Main clause, yes/no question or subordinate clause.
            number: The number of the finite verb, instead of the subject's (to make a fault).
        """

    def sentence(self, sentence: Sentence) -> str:
        """Say a whole sentence, with capital and full stop."""
        return spell(self.pieces(sentence), "?" if sentence.kind == "question" else ".")

    def pieces(self, sentence: Sentence) -> list[Piece]:
        """Return the pieces of a sentence in order."""
        said: list[Piece] = []
        if sentence.reply:
            said += [piece_of("reply", self.lexicon.words[sentence.reply]), piece_of("comma", ",")]
        if sentence.speaker is not None:
            verb = self.lexicon.attitudes[sentence.attitude]
            said.append(piece_of("speaker", self.phrase(sentence.speaker, "subject")))
            finite = self.finite(verb, sentence.clause.tense, sentence.speaker.number)
            said.append(piece_of("attitude", finite))
            return said + self._subordinate(sentence.attitude, sentence.clause)
        order: Order = "question" if sentence.kind == "question" else "main"
        said += self.clause(sentence.clause, order)
        if sentence.reason is not None:
            said += self._subordinate("because", sentence.reason)
        return said

    def _subordinate(self, link: str, clause: Clause) -> list[Piece]:
        comma = [piece_of("comma", ",")] if self.comma else []
        return [
            *comma,
            piece_of("link", self.lexicon.links[link]),
            *self.clause(clause, "subordinate"),
        ]

    def finite(self, verb: Verb, tense: Tense, number: Number) -> str:
        """Return the finite form for a third person.

        Args:
            verb: A verb or an auxiliary of the lexicon.
            tense: Of the clause.
            number: The subject's; in a language whose verb does not agree, both forms are the same.
        """
        if tense == "present":
            return verb.present if number == "sg" else verb.present_plural
        return verb.past if number == "sg" else verb.past_plural

    def pronoun_key(self, concept: str, number: Number) -> str:
        """Return the key of the pronoun for a noun; empty where usage wavers.

        Args:
            concept: The noun's, a key of `NOUNS`.
            number: In which it is said.

        Returns:
            A key of `Lexicon.pronouns`, or an empty text.
        """
        return "they" if number == "pl" else self.lexicon.nouns[concept].pronoun

    def settles_pronoun(self, concept: str, number: Number) -> bool:
        """Return whether usage agrees on the one pronoun.

        A child may be "it" and "she", a dog "it" and "he": both stay out in the singular.

        Args:
            concept: The noun's, a key of `NOUNS`.
            number: In which it is said.
        """
        wavering = concept == "child" or "a" in NOUNS[concept]
        return number == "pl" or not (wavering or self.pronoun_key(concept, number) == "")

    def pronoun(self, phrase: NounPhrase, case: Case) -> str:
        """Return the pronoun for a noun phrase.

        Args:
            phrase: One whose noun has a pronoun: `pronoun_key` is not empty.
            case: The one it stands in.
        """
        forms = self.lexicon.pronouns[self.pronoun_key(phrase.concept, phrase.number)]
        return forms[CASES.index(case)]

    def object_case(self, verb: str) -> Case:
        """Return the case that a verb wants its object in."""
        return self.lexicon.verbs[verb].governs

    def optional(self, role: Role, table: Mapping[str, str], concept: str) -> list[Piece]:
        """Return the piece for a concept, or none for an empty one.

        Args:
            role: Of the piece.
            table: Phrases of the lexicon by concept.
            concept: A key of it, or an empty text.
        """
        return [piece_of(role, table[concept])] if concept else []

    def predicate(self, clause: Clause, form: int) -> list[Piece]:
        """Return the predicative adjective in one of its forms, or none.

        Args:
            clause: One with a `quality` says it.
            form: Place among the adjective's forms, whose order the language's module names.
        """
        if not clause.quality:
            return []
        return [piece_of("predicate", self.lexicon.adjectives[clause.quality][form])]

    def front(self, clause: Clause) -> tuple[list[Piece], str, str]:
        """Split off what a main clause begins with; return it with the time and place left."""
        if clause.front == "time":
            return [piece_of("front", self.lexicon.times[clause.time])], "", clause.place
        if clause.front == "place":
            return [piece_of("front", self.lexicon.places[clause.place])], clause.time, ""
        return [], clause.time, clause.place


def spell(pieces: Iterable[Piece], mark: str) -> str:
    """Join pieces into a sentence: capital, commas, closing mark.

    Args:
        pieces: Of one sentence, in order; one at least.
        mark: What closes it: a full stop or a question mark.
    """
    text = " ".join([piece.text for piece in pieces]).replace(" ,", ",")
    return text[0].upper() + text[1:] + mark
