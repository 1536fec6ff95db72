"""Danish, Norwegian Bokmål and Swedish: verb second, object after the verb, suffixed article."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skald_corpus.grammar.lexicon import Case
from skald_corpus.grammar.rules.base import Fault, Linearizer, Order, Piece, Role, piece_of
from skald_corpus.grammar.scene import Clause, NounPhrase, Number

_COMMON, _NEUTER, _DEFINITE, _PLURAL, _FEMININE = range(5)


class Scandinavian(Linearizer):
    """Mainland Scandinavian linearisation.

    Adjective forms: common, neuter, definite singular, plural; Norwegian adds feminine.
    """

    subordinate_fault: ClassVar[tuple[Role, Role]] = ("adverb", "verb")
    agrees: ClassVar[bool] = False
    further_faults: ClassVar[tuple[Fault, ...]] = ("definiteness",)
    #: Whether the noun keeps its suffix after article and adjective ("den stora hunden").
    double_definiteness: ClassVar[bool]
    _FREE_ARTICLE: ClassVar[dict[str, str]] = {"en": "den", "ei": "den", "et": "det"}
    #: Genders whose articles are surely wrong with a noun of this one.
    _STRANGE: ClassVar[dict[str, tuple[str, ...]]] = {"en": ("et",), "et": ("en",)}

    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """See `Linearizer.noun_phrase`."""
        noun = self.lexicon.nouns[phrase.concept]
        if phrase.form == "pronoun":
            return self.pronoun(phrase, case)
        if phrase.form == "indefinite":
            article = self.lexicon.words[phrase.quantity or noun.gender]
            return self._said(phrase, article, self._agreeing(phrase), suffixed=False)
        if not phrase.adjective:
            return noun.definite if phrase.number == "sg" else noun.definite_plural
        plural = phrase.number == "pl"
        article = "de" if plural else self._FREE_ARTICLE[noun.gender]
        form = _PLURAL if plural else _DEFINITE
        return self._said(phrase, article, form, suffixed=self.double_definiteness)

    def _said(self, phrase: NounPhrase, article: str, form: int, suffixed: bool) -> str:
        noun = self.lexicon.nouns[phrase.concept]
        if phrase.number == "sg":
            word = noun.definite if suffixed else noun.singular
        else:
            word = noun.definite_plural if suffixed else noun.plural
        if not phrase.adjective:
            return f"{article} {word}"
        return f"{article} {self.lexicon.adjectives[phrase.adjective][form]} {word}"

    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """Wrong gender of article or adjective; definiteness marked in the wrong place.

        See `Linearizer.faults`.
        """
        if phrase.form == "pronoun" or phrase.number == "pl":
            return {}
        gender = self.lexicon.nouns[phrase.concept].gender
        others = self._STRANGE[gender]
        made: dict[Fault, list[str]] = {"determiner": [], "adjective": [], "definiteness": []}
        right = self.noun_phrase(phrase, case)
        if phrase.form == "indefinite":
            article, form = self.lexicon.words[gender], self._agreeing(phrase)
            if not phrase.adjective:
                made["determiner"] += [
                    self._said(phrase, self.lexicon.words[other], form, False) for other in others
                ]
            else:
                wrong = _COMMON if form == _NEUTER else _NEUTER
                made["adjective"].append(self._said(phrase, article, wrong, False))
            if self.double_definiteness:
                made["definiteness"].append(self._said(phrase, article, form, True))
        elif phrase.adjective:
            article, double = self._FREE_ARTICLE[gender], self.double_definiteness
            strange = self._FREE_ARTICLE[others[0]]
            made["determiner"].append(self._said(phrase, strange, _DEFINITE, double))
            made["definiteness"].append(self._misplaced(phrase, article, gender))
            if not double:
                made["definiteness"].append(
                    self._said(phrase, article, self._agreeing(phrase), False)
                )
        # An adjective with one form for both genders makes no fault.
        return {kind: tuple(w for w in words if w != right) for kind, words in made.items()}

    def _misplaced(self, phrase: NounPhrase, article: str, gender: str) -> str:
        """Say a definite phrase with the suffix where it must not be, or not where it must be."""
        return self._said(phrase, article, _DEFINITE, not self.double_definiteness)

    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Order a clause: an adverb follows the finite verb, but precedes it when subordinate.

        See `Linearizer.clause`.
        """
        lexicon, tense = self.lexicon, clause.tense
        main = order == "main"
        front, time, place = self.front(clause) if main else ([], clause.time, clause.place)
        subject = piece_of("subject", self.phrase(clause.subject, "subject"))
        adverb = self.optional("adverb", lexicon.words, clause.adverb)
        tail = self.optional("place", lexicon.places, place)
        tail += self.optional("time", lexicon.times, time)
        infinitive: list[Piece] = []
        shifted: list[Piece] = []
        if clause.object is not None:
            target = piece_of("object", self.phrase(clause.object, "object"))
            full = lexicon.verbs[clause.verb]
            if clause.modal:
                infinitive = [piece_of("infinitive", full.infinitive)]
                full = lexicon.auxiliaries["can"]
            if clause.object.form == "pronoun" and not clause.modal and order != "subordinate":
                # Object shift: a pronoun passes the adverb when the verb has left its place.
                shifted = [target]
            else:
                tail = [target, *tail]
        else:
            full = lexicon.auxiliaries[clause.verb]
            tail = [*self.predicate(clause, self._agreeing(clause.subject)), *tail]
        verb = piece_of("verb", self.finite(full, tense, "sg"))
        if clause.verb == "exist":
            there = piece_of("there", lexicon.words["there"])
            opening = [*front, verb, there] if front else [there, verb]
            return [*opening, subject, *tail]
        if order == "subordinate":
            return [subject, *adverb, verb, *infinitive, *tail]
        if order == "question":
            return [verb, subject, *shifted, *adverb, *infinitive, *tail]
        first = [*front, verb, subject] if front else [subject, verb]
        return [*first, *shifted, *adverb, *infinitive, *tail]

    def _agreeing(self, phrase: NounPhrase) -> int:
        if phrase.number == "pl":
            return _PLURAL
        return {"en": _COMMON, "ei": _FEMININE, "et": _NEUTER}[
            self.lexicon.nouns[phrase.concept].gender
        ]


class Danish(Scandinavian):
    """Danish: "den store hund"; a comma before subordinate clauses."""

    comma: ClassVar[bool] = True
    double_definiteness: ClassVar[bool] = False


class Bokmal(Scandinavian):
    """Norwegian Bokmål: "den store hunden", "ei lita bok"; no comma before subordinate clauses.

    Source: rules after Faarlund, Lie and Vannebo, Norsk referansegrammatikk, 1997. Forms: UniMorph,
    which has them from Norsk ordbank.
    """

    comma: ClassVar[bool] = False
    double_definiteness: ClassVar[bool] = True
    # Feminine nouns may take "en" too, and some that have it here may take "ei".
    _STRANGE: ClassVar[dict[str, tuple[str, ...]]] = {
        "en": ("et",),
        "ei": ("et",),
        "et": ("en", "ei"),
    }

    def _misplaced(self, phrase: NounPhrase, article: str, gender: str) -> str:
        # "Den store hund", without the suffix, is right in a formal style.
        return self._said(phrase, self.lexicon.words[gender], _DEFINITE, True)


class Swedish(Scandinavian):
    """Swedish: "den stora hunden"; no comma before subordinate clauses."""

    comma: ClassVar[bool] = False
    double_definiteness: ClassVar[bool] = True
