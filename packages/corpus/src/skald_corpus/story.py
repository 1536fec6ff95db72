"""Documents as abstract sentences: four to eight about one scene, told in one language.

Knows what makes sentences hang together (what was mentioned, who is meant by a pronoun, what is
already true). Needs of the language only which pronoun a noun takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Literal

from skald_specs.corpus import Split

from skald_corpus.combinations import draw, draw_event, patients_of, split_of, verbs_of
from skald_corpus.grammar.concepts import (
    ADJECTIVES,
    ATTITUDES,
    NOUNS,
    PLACES,
    QUANTITIES,
    TENSES,
    TIMES,
    Tense,
    fits,
)
from skald_corpus.grammar.scene import Clause, Event, NounPhrase, Number, Sentence
from skald_corpus.keyed import Stream

#: Maps a noun and its number to its pronoun's key, empty for none.
PronounOf = Callable[[str, Number], str]

MIN_SENTENCES, MAX_SENTENCES = 4, 8
_HUMANS = tuple(noun for noun, classes in NOUNS.items() if "h" in classes)
_QUALITIES = {
    noun: tuple(a for a, allowed in ADJECTIVES.items() if fits(classes, allowed))
    for noun, classes in NOUNS.items()
}


@dataclass(eq=False)
class Referent:
    """Somebody or something in the scene, and what is known of it."""

    concept: str
    number: Number
    quantity: str
    mentioned: bool = False
    qualities: list[str] = field(default_factory=list)


def places_for(*concepts: str) -> tuple[str, ...]:
    """Return where these fit: big things stay outdoors."""
    big = any("b" in NOUNS[concept] for concept in concepts)
    return tuple(place for place, roomy in PLACES.items() if roomy or not big)


def times_for(tense: Tense) -> tuple[str, ...]:
    """Return the times that go with a tense."""
    return tuple(time for time, tenses in TIMES.items() if tense in tenses)


class Story:
    """One document in the making.

    Args:
        stream: All choices come from here.
        split: Whose lexical combinations may be used.
        pronoun_of: The language's pronouns.
    """

    def __init__(self, stream: Stream, split: Split, pronoun_of: PronounOf) -> None:
        self._stream, self._split, self._pronoun_of = stream, split, pronoun_of
        first = draw_event(stream, split)
        self.key = (first.agent, first.patient)
        self._tense: Tense = stream.pick(TENSES)
        self._agent, self._patient = self._somebody(first.agent), self._somebody(first.patient)
        self._facts: set[Event] = set()
        self._last: tuple[Referent, ...] = ()
        self.sentences: list[Sentence] = []
        self._open(first)
        wanted = MIN_SENTENCES + stream.below(MAX_SENTENCES - MIN_SENTENCES + 1)
        while len(self.sentences) < wanted:
            self._continue(wanted - len(self.sentences))

    def _somebody(self, concept: str) -> Referent:
        if self._stream.chance(0.75):
            return Referent(concept, "sg", "")
        return Referent(concept, "pl", draw(self._stream, QUANTITIES))

    def _open(self, event: Event) -> None:
        if self._stream.chance(0.35):
            self._exist(self._patient)
        self._add(Sentence("statement", self._event(event.verb, self._patient)))
        self._facts.add(event)

    def _continue(self, room: int) -> None:
        choice = self._stream.below(100)
        if choice < 34:
            self._happen()
        elif choice < 60:
            self._describe()
        elif choice < 76:
            self._report()
        elif choice < 86:
            self._give_reason()
        elif room >= 2:
            self._ask()

    # Each kind of sentence.

    def _exist(self, thing: Referent) -> None:
        place = self._stream.pick(places_for(thing.concept))
        front: Literal["place", "subject"] = "place" if self._stream.chance(0.6) else "subject"
        phrase = self._introduce(thing)
        self._add(
            Sentence("statement", Clause(phrase, "exist", self._tense, place=place, front=front)),
            thing,
        )

    def _happen(self) -> None:
        if self._stream.chance(0.35):
            options = patients_of(self._agent.concept, self._split)
            new = draw(self._stream, options)
            if new != self._patient.concept:
                self._patient = self._somebody(new)
        elif (
            "h" in NOUNS[self._patient.concept] or "a" in NOUNS[self._patient.concept]
        ) and split_of(self._patient.concept, self._agent.concept) == self._split:
            self._agent, self._patient = self._patient, self._agent
        verb = self._new_verb()
        if verb:
            fact = Event(self._agent.concept, verb, self._patient.concept)
            clause = self._event(verb, self._patient)
            if clause.adverb not in ("not", "never"):
                self._facts.add(fact)
            self._add(Sentence("statement", clause))

    def _new_verb(self) -> str:
        agent, patient = self._agent.concept, self._patient.concept
        options = tuple(
            verb for verb in verbs_of(agent, patient) if Event(agent, verb, patient) not in self._facts
        )
        return draw(self._stream, options) if options else ""

    def _describe(self) -> None:
        thing = self._agent if self._stream.chance(0.5) else self._patient
        if not thing.mentioned:
            return
        phrase = self._subject(thing)
        if self._stream.chance(0.25):
            place = self._stream.pick(places_for(thing.concept))
            clause = Clause(phrase, "be", self._tense, place=place)
        else:
            clause = self._quality(phrase, thing)
        self._add(Sentence("statement", clause), thing)

    def _quality(self, phrase: NounPhrase, thing: Referent) -> Clause:
        quality = draw(self._stream, _QUALITIES[thing.concept])
        if quality in thing.qualities:
            return Clause(phrase, "be", self._tense, quality=quality)
        clause = Clause(phrase, "be", self._tense, quality=quality)
        if self._stream.chance(0.2):
            return changed(clause, adverb="not")
        thing.qualities.append(quality)
        return clause

    def _report(self) -> None:
        speaker = NounPhrase(draw(self._stream, _HUMANS), self._somebody("man").number)
        if speaker.concept in (self._agent.concept, self._patient.concept):
            return
        attitude = self._stream.pick(ATTITUDES)
        verb = self._new_verb()
        if not verb or not self._patient.mentioned:
            return
        clause = changed(
            self._event(verb, self._patient, plain=True), front="subject", time="", place=""
        )
        self._add(Sentence("report", clause, speaker=speaker, attitude=attitude))

    def _give_reason(self) -> None:
        verb = self._new_verb()
        if not verb or not self._patient.mentioned:
            return
        clause = changed(self._event(verb, self._patient), time="", place="", front="subject")
        if clause.adverb in ("", "often"):
            self._facts.add(Event(self._agent.concept, verb, self._patient.concept))
        thing = self._patient if self._stream.chance(0.6) else self._agent
        # The noun is repeated: a pronoun would point at either of the two.
        quality = self._quality(NounPhrase(thing.concept, thing.number), thing)
        self._add(Sentence("reason", clause, reason=quality))

    def _ask(self) -> None:
        agent, patient = self._agent, self._patient
        if not (agent.mentioned and patient.mentioned):
            return
        known = [
            verb
            for verb in verbs_of(agent.concept, patient.concept)
            if Event(agent.concept, verb, patient.concept) in self._facts
        ]
        true = bool(known) and self._stream.chance(0.6)
        verb = self._stream.pick(known) if true else self._new_verb()
        if not verb:
            return
        subject, target = self._known(agent), self._known(patient)
        clause = Clause(subject, verb, self._tense, target)
        self._add(Sentence("question", clause), agent, patient)
        reply = clause if true else changed(clause, adverb="not")
        reply = changed(reply, subject=self._subject(agent))
        self._add(Sentence("statement", reply, reply="yes" if true else "no"), agent, patient)

    # Clauses and noun phrases.

    def _event(self, verb: str, target: Referent, plain: bool = False) -> Clause:
        stream, agent = self._stream, self._agent
        known = target.mentioned
        subject = (
            self._known(agent)
            if plain
            else (self._subject(agent) if agent.mentioned else self._introduce(agent))
        )
        phrase = self._object(target, agent) if known else self._introduce(target)
        clause = Clause(subject, verb, self._tense, phrase, modal=stream.chance(0.18))
        where = stream.pick(places_for(agent.concept, target.concept))
        when = stream.pick(times_for(self._tense))
        if known and stream.chance(0.35):
            adverb = stream.pick(("not", "often", "never"))
            clause = changed(clause, adverb=adverb)
            if stream.chance(0.4):
                return changed(clause, place=where, front="place")
            return clause
        choice = stream.below(10)
        if choice < 3:
            return changed(clause, time=when, front="time")
        if choice < 5:
            return changed(clause, place=where, front="place")
        if choice < 6:
            return changed(clause, time=when, place=where, front="time")
        if choice < 7:
            return changed(clause, time=when)
        if choice < 8:
            return changed(clause, place=where)
        return clause

    def _introduce(self, thing: Referent) -> NounPhrase:
        thing.mentioned = True
        adjective = ""
        if self._stream.chance(0.45):
            adjective = draw(self._stream, _QUALITIES[thing.concept])
            thing.qualities.append(adjective)
        return NounPhrase(thing.concept, thing.number, "indefinite", adjective, thing.quantity)

    def _known(self, thing: Referent) -> NounPhrase:
        adjective = ""
        if thing.qualities and self._stream.chance(0.4):
            adjective = self._stream.pick(thing.qualities)
        return NounPhrase(thing.concept, thing.number, "definite", adjective)

    def _subject(self, thing: Referent) -> NounPhrase:
        if self._clear(thing, self._last) and self._stream.chance(0.5):
            return NounPhrase(thing.concept, thing.number, "pronoun")
        return self._known(thing)

    def _object(self, thing: Referent, subject: Referent) -> NounPhrase:
        if self._clear(thing, (*self._last, subject)) and self._stream.chance(0.5):
            return NounPhrase(thing.concept, thing.number, "pronoun")
        return self._known(thing)

    def _clear(self, thing: Referent, others: tuple[Referent, ...]) -> bool:
        """Return whether a pronoun can only mean this: mentioned last, alone with its pronoun."""
        key = self._pronoun_of(thing.concept, thing.number)
        rivals = [self._pronoun_of(o.concept, o.number) for o in others if o is not thing]
        return bool(key) and thing in self._last and key not in rivals and "" not in rivals

    def _add(self, sentence: Sentence, *who: Referent) -> None:
        self.sentences.append(sentence)
        self._last = who or (self._agent, self._patient)
