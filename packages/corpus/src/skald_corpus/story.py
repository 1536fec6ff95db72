"""Documents as abstract sentences: four to eight about one scene, told in one language.

Knows what makes sentences hang together: what was mentioned, who a pronoun can mean, what was
already said. Needs of the language only which pronoun a noun takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from skald_specs.corpus import Split

from skald_corpus.combinations import draw, draw_event, patients_of, split_of, verbs_of
from skald_corpus.grammar.concepts import (
    ADJECTIVES,
    ADVERBS,
    ATTITUDES,
    KINDS,
    NOUNS,
    PLACES,
    QUANTITIES,
    TENSES,
    TIMES,
    Tense,
    fits,
)
from skald_corpus.grammar.scene import Clause, Front, NounPhrase, Number, Sentence
from skald_corpus.keyed import Stream

#: Maps a noun and its number to its pronoun's key, empty for none.
PronounOf = Callable[[str, Number], str]

MIN_SENTENCES, MAX_SENTENCES = 4, 8
HUMANS = tuple(noun for noun, classes in NOUNS.items() if "h" in classes)
OUTDOORS = tuple(place for place, roomy in PLACES.items() if roomy)
INDOORS = tuple(place for place, roomy in PLACES.items() if not roomy)
Setting = tuple[bool, bool, Front]
_WHEN_FIRST: Setting = (True, False, "time")
_WHERE_FIRST: Setting = (False, True, "place")
_NOWHERE: Setting = (False, False, "subject")
#: Whether a clause says when, and where, and what it begins with; all equally likely.
_SETTINGS: tuple[Setting, ...] = (
    *(_WHEN_FIRST,) * 3, *(_WHERE_FIRST,) * 2, (True, True, "time"),
    (True, False, "subject"), (False, True, "subject"), *(_NOWHERE,) * 2,
)  # fmt: skip
#: The same beside an adverb.
_SETTINGS_BESIDE_ADVERB: tuple[Setting, ...] = (*(_WHERE_FIRST,) * 2, *(_NOWHERE,) * 3)
_ANIMATE = {noun for noun, classes in NOUNS.items() if fits(classes, "ha")}


@dataclass(eq=False, slots=True)
class Referent:
    """Somebody or something in the scene, and what was said of it."""

    concept: str
    number: Number
    #: Key of its pronoun, empty for none.
    pronoun: str
    quantity: str = ""
    mentioned: bool = False
    qualities: list[str] = field(default_factory=list)
    #: Kinds of quality that were asserted or denied.
    settled: frozenset[str] = frozenset()


def _is_clear(thing: Referent, others: Iterable[Referent]) -> bool:
    """Return whether a thing's pronoun can mean none of the others."""
    if not thing.pronoun:
        return False
    for other in others:
        if other is not thing and other.pronoun in ("", thing.pronoun):
            return False
    return True


@cache
def qualities_of(concept: str) -> tuple[str, ...]:
    """Return the adjectives that go with a noun, most frequent first."""
    return tuple(a for a, allowed in ADJECTIVES.items() if fits(NOUNS[concept], allowed))


@cache
def _unsettled(concept: str, settled: frozenset[str]) -> tuple[str, ...]:
    """Return the qualities of which nothing is said yet, most frequent first."""
    return tuple(q for q in qualities_of(concept) if KINDS.get(q, q) not in settled)


@cache
def fit_indoors(*concepts: str) -> bool:
    """Return whether none of these is big."""
    return not any("b" in NOUNS[concept] for concept in concepts)


@cache
def places_for(*concepts: str) -> tuple[str, ...]:
    """Return where these fit: big things stay outdoors."""
    indoors = fit_indoors(*concepts)
    return tuple(place for place, roomy in PLACES.items() if roomy or indoors)


@cache
def times_for(tense: Tense) -> tuple[str, ...]:
    """Return the times that go with a tense."""
    return tuple(time for time, tenses in TIMES.items() if tense in tenses)


class Story:
    """One document; `sentences` holds it when the constructor is done.

    Args:
        stream: All choices come from here.
        split: Whose lexical combinations may be used.
        pronoun_of: The language's pronouns.
    """

    def __init__(self, stream: Stream, split: Split, pronoun_of: PronounOf) -> None:
        self._stream, self._split, self._pronoun_of = stream, split, pronoun_of
        first = draw_event(stream, split)
        self.agent, self.patient = first.agent, first.patient
        self._tense: Tense = stream.pick(TENSES)
        self._agent, self._patient = self._somebody(first.agent), self._somebody(first.patient)
        # One scene has few places and times.
        self._outdoors = stream.shuffled(OUTDOORS)[:2]
        self._places = [*self._outdoors, stream.pick(INDOORS)]
        self._times = stream.shuffled(times_for(self._tense))[:2]
        self._said: set[tuple[str, str, str]] = set()
        self._facts: set[tuple[str, str, str]] = set()
        self._last: tuple[Referent, ...] = ()
        self.sentences: list[Sentence] = []
        if stream.chance(0.35):
            self._exist(self._patient)
        self._add(Sentence("statement", self._event(first.verb)))
        wanted = MIN_SENTENCES + stream.below(MAX_SENTENCES - MIN_SENTENCES + 1)
        while len(self.sentences) < wanted:
            self._continue(wanted - len(self.sentences))

    def _somebody(self, concept: str) -> Referent:
        if self._stream.chance(0.75):
            return Referent(concept, "sg", self._pronoun_of(concept, "sg"))
        quantity = draw(self._stream, QUANTITIES)
        return Referent(concept, "pl", self._pronoun_of(concept, "pl"), quantity)

    def _continue(self, room: int) -> None:
        choice = self._stream.below(100)
        if choice < 36:
            self._happen()
        elif choice < 62:
            self._describe()
        elif choice < 78:
            self._report()
        elif choice < 88:
            self._give_reason()
        elif room >= 2:
            self._ask()

    # Kinds of sentences.

    def _exist(self, thing: Referent) -> None:
        place = self._place(thing.concept)
        front: Front = "place" if self._stream.chance(0.6) else "subject"
        clause = Clause(self._introduce(thing), "exist", self._tense, place=place, front=front)
        self._add(Sentence("statement", clause), thing)

    def _happen(self) -> None:
        """Something else happens: to somebody new, the other way round, or between the same."""
        if self._stream.chance(0.35):
            new = draw(self._stream, patients_of(self._agent.concept, self._split))
            if new != self._patient.concept:
                self._patient = self._somebody(new)
        elif self._may_swap() and self._stream.chance(0.6):
            self._agent, self._patient = self._patient, self._agent
        if verb := self._new_verb():
            self._add(Sentence("statement", self._event(verb)))

    def _may_swap(self) -> bool:
        agent, patient = self._agent.concept, self._patient.concept
        return patient in _ANIMATE and split_of(patient, agent) == self._split

    def _new_verb(self) -> str:
        agent, patient = self._agent.concept, self._patient.concept
        said = self._said
        options = tuple(
            [verb for verb in verbs_of(agent, patient) if (agent, verb, patient) not in said]
        )
        return draw(self._stream, options) if options else ""

    def _describe(self) -> None:
        thing = self._agent if self._stream.chance(0.5) else self._patient
        if not thing.mentioned:
            return
        phrase = self._subject(thing)
        clause = None if self._stream.chance(0.2) else self._quality(phrase, thing)
        if clause is None:
            clause = Clause(phrase, "be", self._tense, place=self._place(thing.concept))
        self._add(Sentence("statement", clause), thing)

    def _quality(self, phrase: NounPhrase, thing: Referent) -> Clause | None:
        quality = self._new_quality(thing)
        if not quality:
            return None
        clause = Clause(phrase, "be", self._tense, quality=quality)
        if self._stream.chance(0.2):
            return clause._replace(adverb="not")
        thing.qualities.append(quality)
        return clause

    def _new_quality(self, thing: Referent) -> str:
        options = _unsettled(thing.concept, thing.settled)
        quality = draw(self._stream, options) if options else ""
        thing.settled |= {KINDS.get(quality, quality)}
        return quality

    def _report(self) -> None:
        speaker = self._somebody(draw(self._stream, HUMANS))
        taken = (self._agent.concept, self._patient.concept)
        verb = self._new_verb()
        if speaker.concept in taken or not verb or not self._patient.mentioned:
            return
        attitude = self._stream.pick(ATTITUDES)
        event = self._event(verb, speaker)
        clause = event._replace(front="subject", time="", place="")
        phrase = NounPhrase(speaker.concept, speaker.number)
        sentence = Sentence("report", clause, speaker=phrase, attitude=attitude)
        self._add(sentence, self._agent, self._patient, speaker)

    def _give_reason(self) -> None:
        verb = self._new_verb()
        if not verb or not self._patient.mentioned:
            return
        clause = self._event(verb)._replace(time="", place="", front="subject")
        thing, other = self._agent, self._patient
        if self._stream.chance(0.5):
            thing, other = other, thing
        clear = thing.pronoun not in ("", other.pronoun)
        phrase = NounPhrase(thing.concept, thing.number, "pronoun" if clear else "definite")
        if quality := self._quality(phrase, thing):
            self._add(Sentence("reason", clause, reason=quality))

    def _ask(self) -> None:
        agent, patient = self._agent, self._patient
        known = [
            verb
            for verb in verbs_of(agent.concept, patient.concept)
            if (agent.concept, verb, patient.concept) in self._facts
        ]
        true = bool(known) and self._stream.chance(0.6)
        verb = self._stream.pick(known) if true else self._new_verb()
        if not (verb and agent.mentioned and patient.mentioned):
            return
        event = (agent.concept, verb, patient.concept)
        # A question that was answered is not asked again.
        self._facts.discard(event)
        self._said.add(event)
        clause = Clause(self._known(agent), verb, self._tense, self._known(patient))
        self._add(Sentence("question", clause))
        answer = clause._replace(subject=self._subject(agent), adverb="" if true else "not")
        self._add(Sentence("statement", answer, reply="yes" if true else "no"))
        self._facts.discard(event)

    # Clauses and noun phrases.

    def _event(self, verb: str, speaker: Referent | None = None) -> Clause:
        stream, agent, target = self._stream, self._agent, self._patient
        known = target.mentioned and agent.mentioned
        if speaker is not None:
            subject = self._known(agent)
        else:
            subject = self._subject(agent) if agent.mentioned else self._introduce(agent)
        if known:
            rivals = (agent,) if speaker is None else (agent, speaker)
            phrase = self._object(target, rivals)
        else:
            phrase = self._known(target) if target.mentioned else self._introduce(target)
        modal = stream.chance(0.18)
        where = self._place(agent.concept, target.concept)
        when = stream.pick(self._times)
        adverb, settings = "", _SETTINGS
        if known and stream.chance(0.35):
            adverb, settings = stream.pick(ADVERBS), _SETTINGS_BESIDE_ADVERB
        timed, placed, front = stream.pick(settings)
        time, place = when if timed else "", where if placed else ""
        return Clause(subject, verb, self._tense, phrase, "", adverb, modal, time, place, front)

    def _place(self, *concepts: str) -> str:
        outdoors, anywhere = self._outdoors, self._places
        return self._stream.pick(anywhere if fit_indoors(*concepts) else outdoors)

    def _introduce(self, thing: Referent) -> NounPhrase:
        thing.mentioned = True
        adjective = self._new_quality(thing) if self._stream.chance(0.45) else ""
        if adjective:
            thing.qualities.append(adjective)
        return NounPhrase(thing.concept, thing.number, "indefinite", adjective, thing.quantity)

    def _known(self, thing: Referent) -> NounPhrase:
        adjective = ""
        if thing.qualities and self._stream.chance(0.35):
            adjective = self._stream.pick(thing.qualities)
        return NounPhrase(thing.concept, thing.number, "definite", adjective)

    def _subject(self, thing: Referent) -> NounPhrase:
        return self._short(thing, self._last)

    def _object(self, thing: Referent, rivals: tuple[Referent, ...]) -> NounPhrase:
        return self._short(thing, (*self._last, *rivals))

    def _short(self, thing: Referent, others: tuple[Referent, ...]) -> NounPhrase:
        """Return a pronoun where it can mean nothing else, half of the time; else the noun."""
        if thing in self._last and _is_clear(thing, others) and self._stream.chance(0.5):
            return NounPhrase(thing.concept, thing.number, "pronoun")
        return self._known(thing)

    def _add(self, sentence: Sentence, *who: Referent) -> None:
        self.sentences.append(sentence)
        self._last = who or (self._agent, self._patient)
        clause = sentence.clause
        if clause.object is not None:
            event = (clause.subject.concept, clause.verb, clause.object.concept)
            self._said.add(event)
            asserted = sentence.kind in ("statement", "reason") and not clause.modal
            if asserted and clause.adverb not in ("not", "never"):
                self._facts.add(event)
