"""Minimal pairs: a right sentence, and the same sentence with one thing surely wrong.

Combinations of nouns are those of the test split. The wrong side is made by exchanging two pieces
or by one wrong form; it has as many words, and within a phenomenon it is as often longer by so many
bytes as it is shorter by as many, so that length tells nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from skald_specs.items import PairItem

from skald_corpus.combinations import draw_event, key_of
from skald_corpus.grammar.concepts import ADVERBS, NOUNS, QUANTITIES, TENSES
from skald_corpus.grammar.rules.base import Fault, Linearizer, Piece, Role, spell
from skald_corpus.grammar.scene import Clause, Form, NounPhrase, Number, Sentence
from skald_corpus.keyed import Stream
from skald_corpus.story import places_for, qualities_of, times_for

ITEMS_PER_LANGUAGE = 400
_TRIES = 4000

#: The right and the wrong sentence as pieces, and the key; None where the draw does not allow it.
Made = tuple[list[Piece], list[Piece], str] | None


def pairs(language: Linearizer) -> Iterator[PairItem]:
    """Yield a language's minimal pairs, the phenomena in turn."""
    tag, seen = language.lexicon.tag, set[str]()
    makers = phenomena(language)
    #: Which side was longer so far, wrong minus right, by phenomenon and difference.
    balance = Counter[tuple[str, int]]()
    names = list(makers)
    for index in range(ITEMS_PER_LANGUAGE):
        name = names[index % len(names)]
        stream = Stream(f"pairs {tag} {index}")
        for _ in range(_TRIES):
            made = makers[name](stream)
            if made is None:
                continue
            good, bad = spell(made[0], "."), spell(made[1], ".")
            longer = len(bad.encode()) - len(good.encode())
            step = (longer > 0) - (longer < 0)
            if good in seen or good == bad or step * balance[name, abs(longer)] > 0:
                continue
            break
        else:
            raise AssertionError(f"no {name} pair could be made for {tag}")
        balance[name, abs(longer)] += step
        seen.add(good)
        yield PairItem(
            id=f"{tag}-pairs-{index:04d}", key=made[2], phenomenon=name, good=good, bad=bad
        )


def phenomena(language: Linearizer) -> dict[str, Callable[[Stream], Made]]:
    """Return a language's phenomena with the function that makes a pair of each."""
    makers: dict[str, Callable[[Stream], Made]] = {
        "verb_position": lambda stream: _verb_position(language, stream),
        "subordinate_clause": lambda stream: _subordinate(language, stream),
        "infinitive_position": lambda stream: _infinitive(language, stream),
        "determiner": lambda stream: _phrase(language, stream, "determiner"),
        "adjective": lambda stream: _phrase(language, stream, "adjective"),
    }
    if language.agrees:
        makers["agreement"] = lambda stream: _agreement(language, stream)
    for fault in language.further_faults:
        makers[fault] = partial(_phrase, language, fault=fault)
    return makers


def _clause(stream: Stream) -> tuple[Clause, str]:
    event = draw_event(stream, "test")
    subject, target = _phrase_of(stream, event.agent), _phrase_of(stream, event.patient)
    clause = Clause(subject, event.verb, stream.pick(TENSES), target)
    return clause, key_of(event.agent, event.patient)


def _phrase_of(stream: Stream, concept: str) -> NounPhrase:
    number: Number = "sg" if stream.chance(0.7) else "pl"
    form: Form = "definite" if stream.chance(0.6) else "indefinite"
    quantity = stream.pick(QUANTITIES) if (number, form) == ("pl", "indefinite") else ""
    adjective = stream.pick(qualities_of(concept)) if stream.chance(0.4) else ""
    return NounPhrase(concept, number, form, adjective, quantity)


def _fronted(clause: Clause, stream: Stream) -> Clause:
    if stream.chance(0.5):
        return clause._replace(time=stream.pick(times_for(clause.tense)), front="time")
    assert clause.object is not None
    places = places_for(clause.subject.concept, clause.object.concept)
    return clause._replace(place=stream.pick(places), front="place")


def _exchanged(pieces: list[Piece], one: Role, other: Role) -> list[Piece]:
    roles = [piece.role for piece in pieces]
    i, j = roles.index(one), roles.index(other)
    pieces = list(pieces)
    pieces[i], pieces[j] = pieces[j], pieces[i]
    return pieces


def _verb_position(language: Linearizer, stream: Stream) -> Made:
    """A fronted adverbial, then verb and subject in the order of the language; or the other."""
    clause, key = _clause(stream)
    good = language.clause(_fronted(clause, stream), "main")
    return good, _exchanged(good, "verb", "subject"), key


def _subordinate(language: Linearizer, stream: Stream) -> Made:
    """After "whether", where even spoken main-clause order is out in all languages."""
    clause, key = _clause(stream)
    if "adverb" in language.subordinate_fault:
        clause = clause._replace(adverb=stream.pick(ADVERBS))
    if clause.adverb == "not":
        assert clause.object is not None
        clause = clause._replace(object=clause.object._replace(form="definite", quantity=""))
    speaker = NounPhrase(stream.pick([n for n, classes in NOUNS.items() if classes == "h"]))
    if speaker.concept in key.split("+"):
        return None
    good = language.pieces(Sentence("report", clause, speaker=speaker, attitude="ask"))
    return good, _exchanged(good, *language.subordinate_fault), key


def _infinitive(language: Linearizer, stream: Stream) -> Made:
    clause, key = _clause(stream)
    clause = clause._replace(modal=True)
    if stream.chance(0.4):
        clause = _fronted(clause, stream)
    good = language.clause(clause, "main")
    return good, _exchanged(good, "infinitive", "object"), key


def _phrase(language: Linearizer, stream: Stream, fault: Fault) -> Made:
    """One noun phrase, subject or object, with a wrong word in it."""
    clause, key = _clause(stream)
    if stream.chance(0.4):
        clause = _fronted(clause, stream)
    good = language.clause(clause, "main")
    assert clause.object is not None
    role: Literal["subject", "object"] = "subject" if stream.chance(0.5) else "object"
    phrase, other = clause.subject, clause.object
    case = language.object_case(clause.verb)
    if role == "object":
        phrase, other = other, phrase
    elif fault == "case" and case != "object":
        return None
    # Else the other one, read as what this one is now, could make another sentence of it.
    if fault == "case" and _keeps_its_form(language, other):
        return None
    wrong = language.faults(phrase, case if role == "object" else "subject").get(fault, ())
    if not wrong or phrase.concept in language.lexicon.homographs:
        return None
    text = stream.pick(wrong)
    return good, [Piece(role, text) if piece.role == role else piece for piece in good], key


def _keeps_its_form(language: Linearizer, phrase: NounPhrase) -> bool:
    return language.noun_phrase(phrase, "subject") == language.noun_phrase(phrase, "object")


def _agreement(language: Linearizer, stream: Stream) -> Made:
    """The finite verb in a number that neither subject nor object has."""
    clause, key = _clause(stream)
    assert clause.object is not None
    number = clause.subject.number
    # Else the object, read as the subject, could agree ("Die Frau sehen die Hunde" is German).
    if clause.object.number != number:
        return None
    if stream.chance(0.4):
        clause = _fronted(clause, stream)
    good = language.clause(clause, "main")
    return good, language.clause(clause, "main", "pl" if number == "sg" else "sg"), key
