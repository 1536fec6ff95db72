"""Icelandic and Faroese: verb second, case, a suffixed article, three genders, strong and weak."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from skald_corpus.grammar.concepts import NOUNS, QUANTITIES
from skald_corpus.grammar.lexicon import CASES, GENDERS, Case, Verb, strong
from skald_corpus.grammar.rules.base import Fault, Linearizer, Order, Piece, Role, piece_of
from skald_corpus.grammar.scene import Clause, NounPhrase, Number

#: Places of the weak endings -i -a -u, counted from the end of an adjective's forms.
_WEAK = {"i": -3, "a": -2, "u": -1}


class Insular(Linearizer):
    """What Icelandic and Faroese share.

    Adjective forms: strong by case, number, gender; then weak in -i, -a, -u (`strong_weak`).
    """

    comma: ClassVar[bool] = False
    # Not adverb and verb: in both languages speakers waver on their order in such clauses.
    # Source: Thráinsson, The Syntax of Icelandic, 2007; Heycock et al., 2012, on Faroese.
    subordinate_fault: ClassVar[tuple[Role, Role]] = ("verb", "object")
    agrees: ClassVar[bool] = True
    further_faults: ClassVar[tuple[Fault, ...]] = ("definiteness", "case")
    #: Whether the finite verb passes the adverb in subordinate clauses too.
    verb_raises: ClassVar[bool]
    #: The cases that phrases are produced in.
    cases: ClassVar[tuple[Case, ...]]

    # Noun phrases.

    def noun_phrase(self, phrase: NounPhrase, case: Case) -> str:
        """See `Linearizer.noun_phrase`."""
        if phrase.form == "pronoun":
            return self.pronoun(phrase, case)
        article = self._article(phrase)
        form = self._determined(article, phrase, case) if article else ""
        return self._said(phrase, case, form, self._ending(phrase, case), suffixed=None)

    def _article(self, phrase: NounPhrase) -> str:
        """Return the key of the determiner, empty for none."""
        if phrase.form == "indefinite":
            return phrase.quantity
        return ""

    def _gender(self, phrase: NounPhrase) -> str:
        return self.lexicon.nouns[phrase.concept].gender

    def _determined(self, key: str, phrase: NounPhrase, case: Case, gender: str = "") -> str:
        place = strong(case, phrase.number, gender or self._gender(phrase))
        return self.lexicon.determiners[key][place]

    def _ending(self, phrase: NounPhrase, case: Case) -> int:
        """Return the place of the adjective's form: weak when definite, else strong."""
        gender = self._gender(phrase)
        if phrase.form == "indefinite":
            return strong(case, phrase.number, gender)
        return self._weak(phrase, case)

    def _weak(self, phrase: NounPhrase, case: Case) -> int:
        if phrase.number == "pl":
            return _WEAK["u"]
        endings = {"m": "i", "f": "a", "n": "a"} if case == "subject" else {"m": "a", "f": "u"}
        return _WEAK[endings.get(self._gender(phrase), "a")]

    def _said(
        self, phrase: NounPhrase, case: Case, determiner: str, form: int, suffixed: bool | None
    ) -> str:
        definite = phrase.form == "definite" if suffixed is None else suffixed
        forms = self.lexicon.nouns[phrase.concept].declined[CASES.index(case)]
        noun = forms[(2 if phrase.number == "pl" else 0) + definite]
        adjective = self.lexicon.adjectives[phrase.adjective][form] if phrase.adjective else ""
        return " ".join(word for word in (determiner, adjective, noun) if word)

    # Faults.

    def faults(self, phrase: NounPhrase, case: Case) -> Mapping[Fault, tuple[str, ...]]:
        """Wrong gender of determiner or adjective, definiteness marked wrongly, wrong case.

        None that is the same noun phrase in another case, number or form.

        See `Linearizer.faults`.
        """
        if phrase.form == "pronoun":
            return {}
        right = set(self._readings(phrase, self.cases))
        here = set(self._readings(phrase, (case,)))
        made: dict[Fault, tuple[str, ...]] = {
            "determiner": tuple(self._wrong_determiners(phrase, case)),
            "adjective": tuple(self._wrong_adjectives(phrase, case)),
            "definiteness": tuple(self._wrong_definiteness(phrase, case)),
        }
        made = {
            kind: tuple(dict.fromkeys(text for text in wrong if text not in right))
            for kind, wrong in made.items()
        }
        other = self.noun_phrase(phrase, "object" if case != "object" else "subject")
        made["case"] = (other,) if other not in here else ()
        return made

    def _readings(self, phrase: NounPhrase, cases: tuple[Case, ...]) -> Iterator[str]:
        """Yield every right noun phrase of this noun and adjective, bare plurals too."""
        for case in cases:
            for adjective in (phrase.adjective, ""):
                one = phrase._replace(number="sg", quantity="", adjective=adjective)
                many = one._replace(number="pl")
                yield self.noun_phrase(one._replace(form="definite"), case)
                yield self.noun_phrase(one._replace(form="indefinite"), case)
                yield self.noun_phrase(many._replace(form="definite"), case)
                for quantity in ("", *QUANTITIES):
                    plural = many._replace(form="indefinite", quantity=quantity)
                    yield self.noun_phrase(plural, case)

    def _wrong_determiners(self, phrase: NounPhrase, case: Case) -> Iterator[str]:
        key, form = self._article(phrase), self._ending(phrase, case)
        # Faroese "nógv", the neuter, is an adverb too.
        genders = GENDERS if key != "many" else "mf"
        for gender in genders if key else "":
            wrong = self._determined(key, phrase, case, gender)
            yield self._said(phrase, case, wrong, form, None)

    def _wrong_adjectives(self, phrase: NounPhrase, case: Case) -> Iterator[str]:
        # "Painted beautifully a horse": some forms are adverbs too.
        if not phrase.adjective or (phrase.adjective == "beautiful" and case != "subject"):
            return
        key = self._article(phrase)
        determiner = self._determined(key, phrase, case) if key else ""
        if phrase.form == "definite":
            forms = list(_WEAK.values())
        else:
            forms = [strong(case, phrase.number, gender) for gender in GENDERS]
        for form in forms:
            yield self._said(phrase, case, determiner, form, None)

    @abstractmethod
    def _wrong_definiteness(self, phrase: NounPhrase, case: Case) -> Iterator[str]:
        """Yield phrases with a definite and an indefinite part."""

    # Clauses.

    def pronoun_key(self, concept: str, number: Number) -> str:
        """Return the key of the pronoun: the plural has one for each gender.

        See `Linearizer.pronoun_key`.
        """
        noun = self.lexicon.nouns[concept]
        return noun.pronoun if number == "sg" else f"they_{noun.gender}"

    def clause(self, clause: Clause, order: Order, number: Number | None = None) -> list[Piece]:
        """Order a clause: an adverb follows the finite verb, in Faroese not when subordinate.

        See `Linearizer.clause`.
        """
        return self._ordered(clause, order, number, reported=False)

    def _reported(self, clause: Clause) -> list[Piece]:
        return self._ordered(clause, "subordinate", None, reported=True)

    def _finite(self, verb: Verb, clause: Clause, number: Number, reported: bool) -> str:
        return self.finite(verb, clause.tense, number)

    def _infinitive(self, verb: Verb) -> str:
        return verb.infinitive

    def _ordered(
        self, clause: Clause, order: Order, number: Number | None, reported: bool
    ) -> list[Piece]:
        lexicon, agreed = self.lexicon, number or clause.subject.number
        main = order == "main"
        front, time, place = self.front(clause) if main else ([], clause.time, clause.place)
        subject = piece_of("subject", self.phrase(clause.subject, "subject"))
        adverb = self.optional("adverb", lexicon.words, clause.adverb)
        tail = self.optional("place", lexicon.places, place)
        tail += self.optional("time", lexicon.times, time)
        raised = order != "subordinate" or self.verb_raises
        infinitive: list[Piece] = []
        shifted: list[Piece] = []
        if clause.object is not None:
            said = self.phrase(clause.object, self.object_case(clause.verb))
            target = piece_of("object", said)
            full = lexicon.verbs[clause.verb]
            if clause.modal:
                infinitive = [piece_of("infinitive", self._infinitive(full))]
                full = lexicon.auxiliaries["can"]
            if clause.object.form == "pronoun" and not clause.modal and raised:
                # Object shift: a pronoun passes the adverb when the verb has left its place.
                shifted = [target]
            else:
                tail = [target, *tail]
        else:
            full = lexicon.auxiliaries[clause.verb]
            form = strong("subject", clause.subject.number, self._gender(clause.subject))
            tail = [*self.predicate(clause, form), *tail]
        verb = piece_of("verb", self._finite(full, clause, agreed, reported))
        if clause.verb == "exist":
            # The expletive stands only where nothing else begins the clause.
            opening = front or [piece_of("there", lexicon.words["there"])]
            return [*opening, verb, subject, *tail]
        if order == "question":
            return [verb, subject, *shifted, *adverb, *infinitive, *tail]
        if not raised:
            return [subject, *adverb, verb, *infinitive, *tail]
        first = [*front, verb, subject] if front else [subject, verb]
        return [*first, *shifted, *adverb, *infinitive, *tail]


class Icelandic(Insular):
    """Icelandic: no indefinite article, "stóri hundurinn", the subjunctive in reports.

    Source: rules after Thráinsson, The Syntax of Icelandic, 2007 (verb second, also in subordinate
    clauses; object shift; case; mood of reported clauses), and Einarsson, Icelandic: Grammar, Texts,
    Glossary, 1949. Forms: BÍN, the Database of Icelandic Morphology.
    """

    verb_raises: ClassVar[bool] = True
    cases: ClassVar[tuple[Case, ...]] = CASES

    def _subordinate(self, link: str, clause: Clause) -> list[Piece]:
        if link == "because":
            return super()._subordinate(link, clause)
        return [piece_of("link", self.lexicon.links[link]), *self._reported(clause)]

    def _finite(self, verb: Verb, clause: Clause, number: Number, reported: bool) -> str:
        if not reported:
            return self.finite(verb, clause.tense, number)
        return verb.subjunctive[2 * (clause.tense == "past") + (number == "pl")]

    def _infinitive(self, verb: Verb) -> str:
        # "Geta" takes the supine.
        return verb.supine

    def _wrong_definiteness(self, phrase: NounPhrase, case: Case) -> Iterator[str]:
        # The weak form before a bare noun; not of people, whom it may call by name ("litli bróðir").
        # A strong form before a definite noun is right in a loose sense ("fullur maðurinn").
        weak = phrase.form == "indefinite" and phrase.adjective and not phrase.quantity
        if weak and NOUNS[phrase.concept] != "h":
            yield self._said(phrase, case, "", self._weak(phrase, case), suffixed=False)


class Faroese(Insular):
    """Faroese: "ein hundur", double definiteness ("tann stóri hundurin").

    Source: rules after Thráinsson, Petersen, Jacobsen and Hansen, Faroese: An Overview and Reference
    Grammar, 2004. Forms: UniMorph and GiellaLT's lexicon of Faroese.
    """

    verb_raises: ClassVar[bool] = False
    cases: ClassVar[tuple[Case, ...]] = ("subject", "object")

    def _article(self, phrase: NounPhrase) -> str:
        if phrase.form == "definite":
            return "the" if phrase.adjective else ""
        return phrase.quantity or ("a" if phrase.number == "sg" else "")

    def _wrong_definiteness(self, phrase: NounPhrase, case: Case) -> Iterator[str]:
        # Without the suffix, "tann stóri hundur" has an old-fashioned ring but is heard.
        key = self._article(phrase)
        if phrase.number == "sg" and key:
            article = self._determined("a", phrase, case)
            yield self._said(phrase, case, article, self._ending(phrase, case), suffixed=True)
