"""German: verb second, verb last in subordinate clauses, three genders, case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skald_corpus.grammar.lexicon import Case
from skald_corpus.grammar.rules.base import Fault, Linearizer, Order, Piece, Role
from skald_corpus.grammar.rules.west import west_clause
from skald_corpus.grammar.scene import Clause, NounPhrase, Number

#: Articles by (gender, case); the plural has "die" throughout nominative and accusative.
_DEFINITE = {
    ("m", "subject"): "der", ("f", "subject"): "die", ("n", "subject"): "das",
    ("m", "object"): "den", ("f", "object"): "die", ("n", "object"): "das",
}  # fmt: skip
_INDEFINITE = {
    ("m", "subject"): "ein", ("f", "subject"): "eine", ("n", "subject"): "ein",
    ("m", "object"): "einen", ("f", "object"): "eine", ("n", "object"): "ein",
}  # fmt: skip
#: Endings of the adjective: after "der" (weak), after "ein" (mixed), without article (strong).
_WEAK = {
    ("m", "subject"): "e", ("f", "subject"): "e", ("n", "subject"): "e",
    ("m", "object"): "en", ("f", "object"): "e", ("n", "object"): "e",
}  # fmt: skip
_MIXED = {
    ("m", "subject"): "er", ("f", "subject"): "e", ("n", "subject"): "es",
    ("m", "object"): "en", ("f", "object"): "e", ("n", "object"): "es",
}  # fmt: skip
_WEAK_PLURAL, _STRONG_PLURAL = "en", "e"
_ENDINGS = ("e", "en", "er", "es")
#: Wrong articles that no other case or number of the same noun could make right.
_WRONG_DEFINITE = {
    ("m", "subject"): ("das", "die"), ("f", "subject"): ("das", "den"),
    ("n", "subject"): ("die", "den"), ("m", "object"): ("das", "die"),
    ("f", "object"): ("das", "den"), ("n", "object"): ("die", "den"),
}  # fmt: skip
_WRONG_INDEFINITE = {
    ("m", "subject"): ("eine",), ("f", "subject"): ("ein", "einen"), ("n", "subject"): ("eine",),
    ("m", "object"): ("eine",), ("f", "object"): ("ein", "einen"), ("n", "object"): ("eine",),
}  # fmt: skip


class German(Linearizer):
    """German linearisation. Adjective forms: predicative, -e, -en, -er, -es."""

    comma: ClassVar[bool] = True
    subordinate_fault: ClassVar[tuple[Role, Role]] = ("verb", "object")
    agrees: ClassVar[bool] = True

    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """See `Linearizer.noun_phrase`."""
        if phrase.form == "pronoun":
            return self.pronoun(phrase, case)
        article, ending = self._article_and_ending(phrase, case)
        return self._said(phrase, case, article, ending)

    def _article_and_ending(self, phrase: NounPhrase, case: Case) -> tuple[str, str]:
        key = (self.lexicon.nouns[phrase.concept].gender, case)
        if phrase.number == "pl":
            if phrase.form == "definite":
                return "die", _WEAK_PLURAL
            return self.lexicon.words[phrase.quantity], _STRONG_PLURAL
        if phrase.form == "definite":
            return _DEFINITE[key], _WEAK[key]
        return _INDEFINITE[key], _MIXED[key]

    def _said(self, phrase: NounPhrase, case: Case, article: str, ending: str) -> str:
        noun = self.lexicon.nouns[phrase.concept]
        singular = noun.singular if case == "subject" else noun.accusative
        form = singular if phrase.number == "sg" else noun.plural
        if not phrase.adjective:
            return f"{article} {form}"
        adjective = self.lexicon.adjectives[phrase.adjective][1 + _ENDINGS.index(ending)]
        return f"{article} {adjective} {form}"

    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """Wrong articles and endings; none where the singular could be read as a plural.

        See `Linearizer.faults`.
        """
        noun = self.lexicon.nouns[phrase.concept]
        form = noun.singular if case == "subject" else noun.accusative
        if phrase.form == "pronoun" or phrase.number == "pl" or form == noun.plural:
            return {}
        article, ending = self._article_and_ending(phrase, case)
        key = (noun.gender, case)
        if not phrase.adjective:
            wrong = _WRONG_DEFINITE if phrase.form == "definite" else _WRONG_INDEFINITE
            return {"determiner": tuple(self._said(phrase, case, w, ending) for w in wrong[key])}
        return {
            "adjective": tuple(
                self._said(phrase, case, article, other) for other in _ENDINGS if other != ending
            )
        }

    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Order a clause; the infinitive stands before the finite verb at the end.

        See `Linearizer.clause`.
        """
        return west_clause(self, clause, order, number, finite_last=True)
