"""English: subject before verb everywhere, `do` for negation and questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skald_corpus.grammar.lexicon import Case
from skald_corpus.grammar.rules.base import Fault, Linearizer, Order, Piece, Role, piece_of
from skald_corpus.grammar.scene import Clause, NounPhrase, Number


class English(Linearizer):
    """English linearisation. Adjectives have one form."""

    comma: ClassVar[bool] = False
    subordinate_fault: ClassVar[tuple[Role, Role]] = ("verb", "object")
    agrees: ClassVar[bool] = True

    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """See `Linearizer.noun_phrase`."""
        if phrase.form == "pronoun":
            return self.pronoun(phrase, case)
        return self._said(phrase, phrase.number)

    def _said(self, phrase: NounPhrase, number: Number) -> str:
        words = self.lexicon.words
        noun = self.lexicon.nouns[phrase.concept]
        rest = noun.singular if number == "sg" else noun.plural
        if phrase.adjective:
            rest = f"{self.lexicon.adjectives[phrase.adjective][0]} {rest}"
        if phrase.form == "definite":
            return f"{words['the']} {rest}"
        if phrase.quantity:
            return f"{words[phrase.quantity]} {rest}"
        # The spelling decides: no word of the lexicon begins with a silent or a consonantal vowel.
        return f"{words['an' if rest[0] in 'aeiou' else 'a']} {rest}"

    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """Wrong number after an article or numeral; an adjective after its noun.

        See `Linearizer.faults`.
        """
        made: dict[Fault, tuple[str, ...]] = {}
        if phrase.form == "indefinite":
            other: Number = "sg" if phrase.number == "pl" else "pl"
            made["determiner"] = (self._said(phrase, other),)
        # Not in objects: "found the book heavy", "painted the door red" are right.
        if phrase.form == "definite" and phrase.adjective and case == "subject":
            article, adjective, noun = self.noun_phrase(phrase, case).split()
            made["adjective"] = (f"{article} {noun} {adjective}",)
        return made

    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Front, subject, adverb, verb, object, place, time; the first auxiliary moves to ask.

        See `Linearizer.clause`.
        """
        lexicon, tense = self.lexicon, clause.tense
        agreed = number or clause.subject.number
        main = order == "main"
        front, time, place = self.front(clause) if main else ([], clause.time, clause.place)
        subject = piece_of("subject", self.phrase(clause.subject, "subject"))
        adverb = self.optional("adverb", lexicon.words, clause.adverb)
        tail = self.optional("place", lexicon.places, place)
        tail += self.optional("time", lexicon.times, time)
        if clause.verb == "exist":
            verb = piece_of("verb", self.finite(lexicon.auxiliaries["exist"], tense, agreed))
            return [*front, piece_of("there", lexicon.words["there"]), verb, subject, *tail]
        if clause.verb == "be":
            verb = piece_of("verb", self.finite(lexicon.auxiliaries["be"], tense, agreed))
            quality = self.predicate(clause, 0)
            rest = [*adverb, *quality, *tail]
            return [verb, subject, *rest] if order == "question" else [*front, subject, verb, *rest]
        assert clause.object is not None
        full = lexicon.verbs[clause.verb]
        tail = [piece_of("object", self.phrase(clause.object, "object")), *tail]
        helped = clause.modal or clause.adverb == "not" or order == "question"
        if not helped:
            verb = piece_of("verb", self.finite(full, tense, agreed))
            return [*front, subject, *adverb, verb, *tail]
        helper = lexicon.auxiliaries["can" if clause.modal else "do"]
        verb = piece_of("verb", self.finite(helper, tense, agreed))
        infinitive = piece_of("infinitive", full.infinitive)
        if order == "question":
            return [verb, subject, *adverb, infinitive, *tail]
        if clause.modal and clause.adverb == "not" and tense == "present":
            verb, adverb = piece_of("verb", verb.text + lexicon.words["not"]), []
        return [*front, subject, verb, *adverb, infinitive, *tail]
