"""Cloze items: a short context and four continuations, of which one goes with it.

`reference`: of four things that could fill the place, only one was mentioned. `pronoun`: of four
pronouns, only one can stand for what was mentioned. `order`: after a fronted adverbial, four orders
of the same verb, subject and object, of which the language allows one. The right answer's place goes
round.
"""

from __future__ import annotations

from collections.abc import Iterator

from skald_specs.items import ClozeItem

from skald_corpus.combinations import agents_of, draw, draw_event, key_of, patients_of, verbs_of
from skald_corpus.grammar.concepts import NOUNS, QUANTITIES, TENSES, fits
from skald_corpus.grammar.rules.base import Linearizer, Piece, Role, spell
from skald_corpus.grammar.scene import Clause, NounPhrase, Number, Sentence
from skald_corpus.keyed import Stream
from skald_corpus.story import places_for, qualities_of, times_for

ITEMS_PER_LANGUAGE = 150
_KINDS = ("reference", "pronoun", "order")
_CHOICES = 4
_TRIES = 4000
#: Said of living things these cannot be about a situation ("it was beautiful" can).
_ABOUT_LIVING = ("tired", "hungry", "strong", "young")
_ABOUT_THINGS = ("old", "small")

#: Context, right continuation, wrong continuations, key.
Made = tuple[str, str, list[str], str] | None


def cloze(language: Linearizer) -> Iterator[ClozeItem]:
    """Yield a language's cloze items, the three kinds in turn."""
    tag, seen = language.lexicon.tag, set[str]()
    pronouns = list(language.lexicon.pronouns)
    for index in range(ITEMS_PER_LANGUAGE):
        kind = _KINDS[index % len(_KINDS)]
        stream = Stream(f"cloze {tag} {index}")
        # Each pronoun is right equally often, at each place.
        pronoun = pronouns[index // (len(_KINDS) * _CHOICES) % len(pronouns)]
        for _ in range(_TRIES):
            if kind == "reference":
                made = _reference(language, stream)
            elif kind == "pronoun":
                made = _pronoun(language, stream, pronoun)
            else:
                made = _order(language, stream)
            if made is not None and made[0] + made[1] not in seen:
                break
        else:
            raise AssertionError(f"no {kind} item could be made for {tag}")
        assert made is not None
        context, right, wrong, key = made
        seen.add(context + right)
        answer = index // len(_KINDS) % _CHOICES
        choices = stream.shuffled(wrong)
        choices.insert(answer, right)
        yield ClozeItem(
            id=f"{tag}-cloze-{kind}-{index:04d}",
            key=key,
            context=context,
            choices=tuple(choices),
            answer=answer,
        )


def _reference(language: Linearizer, stream: Stream) -> Made:
    """A thing is there; somebody is described; somebody does something to the thing."""
    agent = draw(stream, agents_of("test"))
    verb = draw(stream, tuple(dict.fromkeys(v for p in NOUNS for v in verbs_of(agent, p))))
    # All four are combinations of the test split: none is more familiar with this agent.
    options = tuple(p for p in patients_of(agent, "test") if verb in verbs_of(agent, p))
    if len(options) < _CHOICES:
        return None
    patients = stream.shuffled(options)[:_CHOICES]
    tense, place = stream.pick(TENSES), stream.pick(places_for(*patients))
    number: Number = "sg" if stream.chance(0.7) else "pl"
    quantity = stream.pick(QUANTITIES) if number == "pl" else ""
    shown = NounPhrase(patients[0], number, "indefinite", quantity=quantity)
    known = NounPhrase(agent)
    quality = stream.pick(qualities_of(agent))
    context = [
        Clause(shown, "exist", tense, place=place, front="place"),
        Clause(known, "be", tense, quality=quality),
    ]
    said = " ".join(language.sentence(Sentence("statement", clause)) for clause in context)
    endings = []
    for patient in patients:
        clause = Clause(known, verb, tense, NounPhrase(patient, number))
        whole, last = language.sentence(Sentence("statement", clause)), clause.object
        assert last is not None
        ending = f" {language.noun_phrase(last, language.object_case(verb))}."
        assert whole.endswith(ending)
        beginning = whole.removesuffix(ending)
        endings.append(ending)
    if len(set(endings)) < _CHOICES:
        return None
    return f"{said} {beginning}", endings[0], endings[1:], key_of(agent, patients[0])


def _pronoun(language: Linearizer, stream: Stream, right: str) -> Made:
    """One thing is there, or two of one kind meet; the next sentence is about one of them."""
    event = draw_event(stream, "test")
    number: Number = "pl" if right.startswith("they") else "sg"
    quantity = stream.pick(QUANTITIES) if number == "pl" else ""
    target = NounPhrase(event.patient, number, "indefinite", quantity=quantity)
    tense = stream.pick(TENSES)
    living = fits(NOUNS[event.patient], "ha")
    nouns: tuple[str, ...] = (event.patient,)
    if living:
        nouns = (event.agent, event.patient)
        context = Clause(NounPhrase(event.agent, number), event.verb, tense, target)
    else:
        place = stream.pick(places_for(event.patient))
        context = Clause(target, "exist", tense, place=place, front="place")
    if any(
        language.pronoun_key(noun, number) != right or not language.settles_pronoun(noun, number)
        for noun in nouns
    ):
        return None
    quality = stream.pick(_ABOUT_LIVING if living else _ABOUT_THINGS)
    said = {
        key: " "
        + language.sentence(Sentence("statement", Clause(who, "be", tense, quality=quality)))
        for key, who in _representatives(language).items()
    }
    wrong = stream.shuffled([key for key in said if key != right])[: _CHOICES - 1]
    return (
        language.sentence(Sentence("statement", context)),
        said[right],
        [said[key] for key in wrong],
        key_of(event.agent, event.patient),
    )


def _order(language: Linearizer, stream: Stream) -> Made:
    """A fronted adverbial, then the one order of verb, subject and object that follows it."""
    event = draw_event(stream, "test")
    tense = stream.pick(TENSES)
    numbers: tuple[Number, ...] = ("sg", "sg", "pl")
    subject = NounPhrase(event.agent, stream.pick(numbers))
    target = NounPhrase(event.patient, stream.pick(numbers))
    clause = Clause(
        subject, event.verb, tense, target, time=stream.pick(times_for(tense)), front="time"
    )
    front, *rest = language.clause(clause, "main")
    by_role: dict[Role, Piece] = {piece.role: piece for piece in rest}
    right = tuple(by_role)
    orders: tuple[tuple[Role, ...], ...] = (("subject", "object", "verb"),)
    if right[0] == "verb":
        orders += (("subject", "verb", "object"), ("object", "subject", "verb"))
    else:
        orders += (("verb", "subject", "object"), ("verb", "object", "subject"))
    # The context stands before the continuation, so that it keeps the capital.
    context = spell([front], "")
    said = [
        " " + " ".join(by_role[role].text for role in order) + "." for order in (right, *orders)
    ]
    return context, said[0], said[1:], key_of(event.agent, event.patient)


def _representatives(language: Linearizer) -> dict[str, NounPhrase]:
    """Return a pronoun of each kind: that of the first noun that takes it."""
    found: dict[str, NounPhrase] = {}
    numbers: tuple[Number, ...] = ("pl", "sg")
    for number in numbers:
        for noun in NOUNS:
            if key := language.pronoun_key(noun, number):
                found.setdefault(key, NounPhrase(noun, number, "pronoun"))
    return found
