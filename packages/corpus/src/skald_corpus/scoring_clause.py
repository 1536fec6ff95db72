"""The probability of a clause's words, given who does what: mirrors the lower half of `story`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as changed

from skald_corpus import story as told
from skald_corpus.grammar.concepts import ADVERBS, KINDS, NOUNS
from skald_corpus.grammar.scene import Clause, Event, NounPhrase, Sentence
from skald_corpus.scoring_state import (
    State,
    Step,
    Thing,
    Told,
    drawn,
    open_qualities,
    open_verbs,
    pair,
)
from skald_corpus.story import PronounOf, times_for


class ClauseScorer:
    """Probabilities of clauses and noun phrases for a language's pronouns."""

    def __init__(self, pronoun_of: PronounOf) -> None:
        self._pronoun_of = pronoun_of

    def _event(
        self, state: State, sentence: Sentence, speaker: Thing | None = None
    ) -> Iterator[Step]:
        """Yield the probability of an event's words given its cast and verb, with the state after."""
        clause, agent, target = sentence.clause, state.agent, state.patient
        said = clause.object
        if said is None or (clause.subject.concept, said.concept) != pair(state):
            return
        known = target.mentioned and agent.mentioned
        p = 0.18 if clause.modal else 0.82
        if speaker is not None:
            p *= self._known(agent, clause.subject)
        elif agent.mentioned:
            p *= self._short(state, agent, clause.subject, state.last)
        else:
            q, agent = self._introduced(agent, clause.subject)
            p *= q
        if known:
            rivals = (agent,) if speaker is None else (agent, speaker)
            p *= self._short(state, target, said, (*state.last, *rivals))
        elif target.mentioned:
            p *= self._known(target, said)
        else:
            q, target = self._introduced(target, said)
            p *= q
        state = changed(state, agent=agent, patient=target)
        if sentence.kind in ("report", "reason"):
            p *= self._adverb(known, clause.adverb)
        else:
            q, state = self._tail(state, clause, known)
            p *= q
        event = Event(agent.concept, clause.verb, target.concept)
        asserted = sentence.kind in ("statement", "reason") and not clause.modal
        facts = state.facts
        if asserted and clause.adverb not in ("not", "never"):
            facts |= {event}
        last = (agent, target) if speaker is None else (agent, target, speaker)
        if p:
            yield p, changed(state, said=state.said | {event}, facts=facts, last=last)

    @staticmethod
    def _adverb(known: bool, adverb: str) -> float:
        if not adverb:
            return 0.65 if known else 1.0
        return 0.35 / len(ADVERBS) if known else 0.0

    def _tail(self, state: State, clause: Clause, known: bool) -> Step:
        """Adverb, time, place and what stands in front, for a statement."""
        p = self._adverb(known, clause.adverb)
        shape = (bool(clause.time), bool(clause.place), clause.front)
        if clause.adverb:
            shares = {(False, True, "place"): 0.4, (False, False, "subject"): 0.6}
        else:
            shares = {
                (True, False, "time"): 0.3,
                (False, True, "place"): 0.2,
                (True, True, "time"): 0.1,
                (True, False, "subject"): 0.1,
                (False, True, "subject"): 0.1,
                (False, False, "subject"): 0.2,
            }
        p *= shares.get(shape, 0.0)
        if clause.time and p:
            all_times = times_for(clause.tense)
            shown = clause.time in state.times
            left = len(all_times) - len(state.times)
            p *= 0.5 if shown else 0.5 * (2 - len(state.times)) / left
            state = changed(state, times=state.times | {clause.time})
        if clause.place and p:
            q, state = self._placed(state, clause, *pair(state))
            p *= q
        return p, state

    @staticmethod
    def _placed(state: State, clause: Clause, *nouns: str) -> Step:
        """A scene has two places outdoors and one indoors, where big things do not fit."""
        slots = 2 if any("b" in NOUNS[noun] for noun in nouns) else 3
        if clause.place in told.INDOORS:
            if slots == 2 or state.indoors not in ("", clause.place):
                return 0.0, state
            p = 1.0 if state.indoors else 1.0 / len(told.INDOORS)
            return p / slots, changed(state, indoors=clause.place)
        if clause.place in state.outdoors:
            return 1.0 / slots, state
        left = len(told.OUTDOORS) - len(state.outdoors)
        p = (2 - len(state.outdoors)) / slots / left
        return p, changed(state, outdoors=state.outdoors | {clause.place})

    @staticmethod
    def _introduced(thing: Thing, phrase: NounPhrase) -> Told:
        if (phrase.form, phrase.number) != ("indefinite", thing.number):
            return 0.0, thing
        thing = changed(thing, mentioned=True)
        quality, options = phrase.adjective, open_qualities(thing)
        if not quality:
            return 0.55 if options else 1.0, thing
        settled = thing.settled | {KINDS.get(quality, quality)}
        qualities = (*thing.qualities, quality)
        p = 0.45 * drawn(options, quality)
        return p, changed(thing, settled=settled, qualities=qualities)

    @staticmethod
    def _known(thing: Thing, phrase: NounPhrase) -> float:
        if (phrase.form, phrase.concept) != ("definite", thing.concept):
            return 0.0
        if phrase.number != thing.number:
            return 0.0
        if not phrase.adjective:
            return 0.65 if thing.qualities else 1.0
        return 0.35 * thing.qualities.count(phrase.adjective) / max(len(thing.qualities), 1)

    def _short(
        self, state: State, thing: Thing, phrase: NounPhrase, others: tuple[Thing, ...]
    ) -> float:
        spoken_of = any(thing.id == other.id for other in state.last)
        rivals = tuple(other for other in others if other.id != thing.id)
        clear = spoken_of and self._clear(thing, rivals, strict=True)
        if phrase.form == "pronoun":
            right = (phrase.concept, phrase.number) == (thing.concept, thing.number)
            return 0.5 if clear and right else 0.0
        return (0.5 if clear else 1.0) * self._known(thing, phrase)

    def _clear(self, thing: Thing, rivals: tuple[Thing, ...], strict: bool = False) -> bool:
        key = self._pronoun_of(thing.concept, thing.number)
        keys = {self._pronoun_of(rival.concept, rival.number) for rival in rivals}
        return bool(key) and key not in keys and not (strict and "" in keys)

    @staticmethod
    def _new_verb(state: State, verb: str) -> float:
        return drawn(open_verbs(state), verb)
