"""The clause that German and Dutch share: verb second, a middle field, verbs at the end."""

from __future__ import annotations

from skald_corpus.grammar.rules.base import Linearizer, Order, Piece, piece_of
from skald_corpus.grammar.scene import Clause, Number


def west_clause(
    language: Linearizer, clause: Clause, order: Order, number: Number | None, finite_last: bool
) -> list[Piece]:
    """Order a clause of continental West Germanic.

    Args:
        language: Words and noun phrases.
        clause: What is said.
        order: Main clause, question, subordinate clause.
        number: The finite verb's number, if not the subject's.
        finite_last: Whether a subordinate clause ends infinitive, finite (German) or the other way
            round (Dutch).

    Returns:
        Pieces: definite objects and pronouns before time and adverb, indefinite ones after them,
        then place or predicate, then infinitive.
    """
    lexicon, tense = language.lexicon, clause.tense
    agreed = number or clause.subject.number
    main = order == "main"
    front, time, place = language.front(clause) if main else ([], clause.time, clause.place)
    subject = piece_of("subject", language.phrase(clause.subject, "subject"))
    when = language.optional("time", lexicon.times, time)
    where = language.optional("place", lexicon.places, place)
    adverb = language.optional("adverb", lexicon.words, clause.adverb)
    infinitive: list[Piece] = []
    if clause.object is not None:
        target = piece_of("object", language.phrase(clause.object, "object"))
        if clause.object.form == "indefinite":
            middle = [*when, *adverb, target, *where]
        else:
            middle = [target, *when, *adverb, *where]
        full = lexicon.verbs[clause.verb]
        if clause.modal:
            infinitive = [piece_of("infinitive", full.infinitive)]
            full = lexicon.auxiliaries["can"]
    else:
        full = lexicon.auxiliaries[clause.verb]
        middle = [*when, *adverb, *language.predicate(clause, 0), *where]
    verb = piece_of("verb", language.finite(full, tense, agreed))
    if clause.verb == "exist":
        # Dutch begins with "er" what German begins with the subject.
        there = [piece_of("there", lexicon.words["there"])] if "there" in lexicon.words else []
        opening = front or there
        return [*opening, verb, subject, *middle] if opening else [subject, verb, *middle]
    if order == "subordinate":
        end = [*infinitive, verb] if finite_last else [verb, *infinitive]
        return [subject, *middle, *end]
    if order == "question":
        return [verb, subject, *middle, *infinitive]
    first = [*front, verb, subject] if front else [subject, verb]
    return [*first, *middle, *infinitive]
