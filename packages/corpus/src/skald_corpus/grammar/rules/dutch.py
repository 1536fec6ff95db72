"""Dutch: verb second, verb last in subordinate clauses, two genders, no case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from skald_corpus.grammar.concepts import NOUNS
from skald_corpus.grammar.lexicon import Case
from skald_corpus.grammar.rules.base import Fault, Linearizer, Order, Piece, Role
from skald_corpus.grammar.rules.west import west_clause
from skald_corpus.grammar.scene import Clause, NounPhrase, Number


class Dutch(Linearizer):
    """Dutch linearisation. Adjective forms: bare, with -e."""

    comma: ClassVar[bool] = False
    subordinate_fault: ClassVar[tuple[Role, Role]] = ("verb", "object")
    agrees: ClassVar[bool] = True

    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """See `Linearizer.noun_phrase`."""
        if phrase.form == "pronoun":
            return self.pronoun(phrase, case)
        return self._said(phrase, self._article(phrase), self._bare(phrase))

    def _article(self, phrase: NounPhrase) -> str:
        if phrase.form == "definite":
            return "de" if phrase.number == "pl" else self.lexicon.nouns[phrase.concept].gender
        return self.lexicon.words[phrase.quantity or "a"]

    def _bare(self, phrase: NounPhrase) -> bool:
        """Only an indefinite neuter singular has the bare adjective."""
        neuter = self.lexicon.nouns[phrase.concept].gender == "het"
        return neuter and phrase.form == "indefinite" and phrase.number == "sg"

    def _said(self, phrase: NounPhrase, article: str, bare: bool) -> str:
        noun = self.lexicon.nouns[phrase.concept]
        form = noun.singular if phrase.number == "sg" else noun.plural
        if not phrase.adjective:
            return f"{article} {form}"
        return f"{article} {self.lexicon.adjectives[phrase.adjective][0 if bare else 1]} {form}"

    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """The other article; the other form of the adjective. See `Linearizer.faults`."""
        if phrase.form == "pronoun" or phrase.number == "pl":
            return {}
        bare = self._bare(phrase)
        if phrase.form == "definite":
            other = "het" if self._article(phrase) == "de" else "de"
            return {"determiner": (self._said(phrase, other, bare),)}
        # "Een groot man" is right in another sense: people of common gender are left out.
        if phrase.adjective and (bare or NOUNS[phrase.concept] != "h"):
            return {"adjective": (self._said(phrase, self._article(phrase), not bare),)}
        return {}

    def settles_pronoun(self, concept: str, number: Number) -> bool:
        """Leave out things of common gender: for some of them the south says "zij".

        See `Linearizer.settles_pronoun`.
        """
        common = self.lexicon.nouns[concept].gender == "de"
        wavering = common and number == "sg" and NOUNS[concept] != "h"
        return not wavering and super().settles_pronoun(concept, number)

    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Order a clause; the finite modal stands before the infinitive at the end.

        See `Linearizer.clause`.
        """
        return west_clause(self, clause, order, number, finite_last=False)
