"""The probability of a synthetic document, exactly: mirrors the choices of `story.Story`.

Sums over all choices that lead to a document, those that leave no trace in it too. A test enumerates
every run of `Story` over a small vocabulary and finds the same numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as changed

from skald_specs.corpus import Split

from skald_corpus import story as told
from skald_corpus.combinations import agents_of, patients_of, split_of, verbs_of
from skald_corpus.grammar.concepts import ATTITUDES, KINDS, NOUNS, QUANTITIES, TENSES, fits
from skald_corpus.grammar.scene import Clause, Event, Form, NounPhrase, Number, Sentence
from skald_corpus.scoring_clause import ClauseScorer
from skald_corpus.scoring_state import (
    State,
    Step,
    Thing,
    Told,
    as_somebody,
    drawn,
    open_qualities,
    open_verbs,
    pair,
)
from skald_corpus.story import PronounOf

#: Silent detours lighter than this share of their document are left out.
NEGLIGIBLE = 1e-15


class Scorer(ClauseScorer):
    """The probability of documents of one split, for a language's pronouns."""

    def __init__(self, split: Split, pronoun_of: PronounOf) -> None:
        super().__init__(pronoun_of)
        self._split = split

    def information_bits(self, sentences: Sequence[Sentence]) -> float:
        """Return -log2 p of a document.

        Args:
            sentences: All of it, in order, as `Story.sentences` holds it.

        Returns:
            Bits; infinite for what `Story` cannot tell.
        """
        n = len(sentences)
        if not told.MIN_SENTENCES <= n <= told.MAX_SENTENCES:
            return math.inf
        lengths = told.MAX_SENTENCES - told.MIN_SENTENCES + 1
        total = sum(self.states(sentences, n).values()) / lengths
        return -math.log2(total) if total > 0.0 else math.inf

    def states(self, sentences: Sequence[Sentence], length: int) -> Mapping[State, float]:
        """Return what a document of `length` sentences can be at after these, with probabilities.

        Args:
            sentences: The first ones of the document, one at least.
            length: Sentences in all, at least as many.

        Returns:
            Joint probabilities: their sum is that of the sentences, given the length.
        """
        reached: dict[int, dict[State, float]] = defaultdict(lambda: defaultdict(float))
        for probability, state, taken in self._begin(sentences):
            reached[taken][state] += probability
        for at in range(1, len(sentences)):
            room = length - at
            waiting, least = dict(reached[at]), NEGLIGIBLE * sum(reached[at].values())
            while waiting:
                state, weight = waiting.popitem()
                stays, moves = self._silent(state, room)
                weight /= 1.0 - stays
                for probability, after, taken in self._emit(state, sentences[at:], room):
                    reached[at + taken][after] += weight * probability
                for probability, after in moves:
                    if weight * probability > least:
                        waiting[after] = waiting.get(after, 0.0) + weight * probability
        return reached[len(sentences)]

    # Kinds of sentences; each mirrors a method of Story.

    def _begin(self, sentences: Sequence[Sentence]) -> Iterator[tuple[float, State, int]]:
        exists = sentences[0].clause.verb == "exist"
        taken = 2 if exists else 1
        if len(sentences) < taken:
            return
        clause = sentences[taken - 1].clause
        if clause.object is None or clause.tense not in TENSES:
            return
        shown = sentences[0].clause.subject if exists else clause.object
        agent, patient, verb = clause.subject.concept, clause.object.concept, clause.verb
        probability = (
            drawn(agents_of(self._split), agent)
            * drawn(patients_of(agent, self._split), patient)
            * drawn(verbs_of(agent, patient), verb)
            / len(TENSES)
            * as_somebody(clause.subject.number, clause.subject.quantity)
            * as_somebody(shown.number, shown.quantity)
        )
        state = State(
            Thing(0, agent, clause.subject.number, clause.subject.quantity),
            Thing(1, patient, shown.number, shown.quantity),
        )
        if probability == 0.0:
            return
        if exists:
            first = sentences[0].clause
            p, thing = self._introduced(state.patient, first.subject)
            placed, state = self._placed(state.having(thing), first, patient)
            probability *= 0.35 * p * placed * (0.6 if first.front == "place" else 0.4)
            state = changed(state, last=(thing,))
            if first.tense != clause.tense or first.front == "time" or first.time:
                return
        else:
            probability *= 0.65
        for p, after in self._event(state, sentences[taken - 1]):
            yield probability * p, after, taken

    def _emit(
        self, state: State, rest: Sequence[Sentence], room: int
    ) -> Iterator[tuple[float, State, int]]:
        sentence = rest[0]
        if sentence.kind == "question":
            if room >= 2 and len(rest) >= 2:
                for p, after in self._asked(state, sentence, rest[1]):
                    yield 0.12 * p, after, 2
            return
        steps: Iterable[Step]
        if sentence.kind == "report":
            share, steps = 0.16, self._reported(state, sentence)
        elif sentence.kind == "reason":
            share, steps = 0.10, self._reasoned(state, sentence)
        elif sentence.clause.object is None:
            share, steps = 0.26, self._described(state, sentence)
        else:
            share, steps = 0.36, self._happened(state, sentence)
        for p, after in steps:
            yield share * p, after, 1

    def _happened(self, state: State, sentence: Sentence) -> Iterator[Step]:
        target = sentence.clause.object
        assert target is not None
        for p, cast in self._casts(state, target):
            verb = self._new_verb(cast, sentence.clause.verb)
            if p * verb:
                for q, after in self._event(cast, sentence):
                    yield p * verb * q, after

    def _casts(self, state: State, target: NounPhrase) -> Iterator[Step]:
        """Yield who may do something to whom: the same, the other way round, somebody new."""
        agent, patient = state.agent, state.patient
        options, swap = patients_of(agent.concept, self._split), self._swaps(state)
        yield 0.35 * drawn(options, patient.concept) + 0.65 * (1.0 - swap), state
        if swap:
            yield 0.65 * swap, changed(state, agent=patient, patient=agent)
        if target.concept != patient.concept and target.concept in options:
            p = 0.35 * drawn(options, target.concept)
            p *= as_somebody(target.number, target.quantity)
            yield p, self._with_new(state, target.concept, target.number, target.quantity)

    @staticmethod
    def _with_new(state: State, concept: str, number: Number, quantity: str) -> State:
        used = max(thing.id for thing in (state.agent, state.patient, *state.last))
        return changed(state, patient=Thing(used + 1, concept, number, quantity))

    def _swaps(self, state: State) -> float:
        agent, patient = state.agent.concept, state.patient.concept
        animate = fits(NOUNS[patient], "ha")
        return 0.6 if animate and split_of(patient, agent) == self._split else 0.0

    def _described(self, state: State, sentence: Sentence) -> Iterator[Step]:
        clause = sentence.clause
        for thing in (state.agent, state.patient):
            if thing.concept != clause.subject.concept or not thing.mentioned:
                continue
            p = 0.5 * self._short(state, thing, clause.subject, state.last)
            options = open_qualities(thing)
            if clause.quality:
                q, after = self._qualified(thing, clause)
                p *= 0.8 * q
                state = state.having(after)
            else:
                after, unplaced = thing, 1.0 if options else 0.0
                placed, state = self._placed(state, clause, thing.concept)
                p *= (1.0 - 0.8 * unplaced) * placed
            if p:
                yield p, changed(state, last=(after,))
            return

    def _qualified(self, thing: Thing, clause: Clause) -> Told:
        p = drawn(open_qualities(thing), clause.quality)
        settled = thing.settled | {KINDS.get(clause.quality, clause.quality)}
        if clause.adverb == "not":
            return 0.2 * p, changed(thing, settled=settled)
        qualities = (*thing.qualities, clause.quality)
        return 0.8 * p, changed(thing, settled=settled, qualities=qualities)

    def _reported(self, state: State, sentence: Sentence) -> Iterator[Step]:
        who = sentence.speaker
        assert who is not None
        taken = (state.agent.concept, state.patient.concept)
        if who.concept in taken or not state.patient.mentioned:
            return
        p = drawn(told.HUMANS, who.concept) * as_somebody(who.number, None)
        p *= self._new_verb(state, sentence.clause.verb) / len(ATTITUDES)
        for q, after in self._event(state, sentence, Thing(-1, who.concept, who.number, "")):
            yield p * q, after

    def _reasoned(self, state: State, sentence: Sentence) -> Iterator[Step]:
        reason = sentence.reason
        assert reason is not None
        p = self._new_verb(state, sentence.clause.verb) * state.patient.mentioned
        if not p:
            return
        for q, after in self._event(state, sentence):
            for thing, other in ((after.agent, after.patient), (after.patient, after.agent)):
                if thing.concept == reason.subject.concept:
                    form: Form = "pronoun" if self._clear(thing, (other,)) else "definite"
                    if NounPhrase(thing.concept, thing.number, form) != reason.subject:
                        continue
                    r, newer = self._qualified(thing, reason)
                    final = after.having(newer)
                    last = (final.agent, final.patient)
                    yield 0.5 * p * q * r, changed(final, last=last)

    def _asked(self, state: State, question: Sentence, answer: Sentence) -> Iterator[Step]:
        agent, patient, clause = state.agent, state.patient, question.clause
        if not (agent.mentioned and patient.mentioned) or clause.object is None:
            return
        event = Event(agent.concept, clause.verb, patient.concept)
        true = answer.reply == "yes"
        known = [
            verb
            for verb in verbs_of(*pair(state))
            if Event(agent.concept, verb, patient.concept) in state.facts
        ]
        if true:
            p = 0.6 / len(known) if clause.verb in known else 0.0
        else:
            p = (0.4 if known else 1.0) * self._new_verb(state, clause.verb)
        p *= self._known(agent, clause.subject) * self._known(patient, clause.object)
        state = changed(state, last=(agent, patient))
        p *= self._short(state, agent, answer.clause.subject, state.last)
        told_so = clause._replace(subject=answer.clause.subject, adverb="" if true else "not")
        if p and answer.clause == told_so:
            said, facts = state.said | {event}, state.facts - {event}
            yield p, changed(state, said=said, facts=facts)

    def _silent(self, state: State, room: int) -> tuple[float, list[Step]]:
        """Return how likely nothing is said and nothing changes, and silent changes."""
        agent, patient = state.agent, state.patient
        stays, moves = 0.0, list[Step]()
        no_verb = not open_verbs(state)
        swap = self._swaps(state)
        options = patients_of(agent.concept, self._split)
        if no_verb:
            stays += 0.36 * (0.35 * drawn(options, patient.concept) + 0.65 * (1.0 - swap))
        exchanged = changed(state, agent=patient, patient=agent)
        if swap and not open_verbs(exchanged):
            moves.append((0.36 * 0.65 * swap, exchanged))
        for concept in {event.patient for event in state.said if event.agent == agent.concept}:
            if concept == patient.concept or concept not in options:
                continue
            for number, quantity in (("sg", ""), *(("pl", quantity) for quantity in QUANTITIES)):
                new = self._with_new(state, concept, "sg" if number == "sg" else "pl", quantity)
                if not open_verbs(new):
                    p = 0.36 * 0.35 * drawn(options, concept)
                    moves.append((p * as_somebody(new.patient.number, quantity), new))
        stays += 0.26 * 0.5 * ((not agent.mentioned) + (not patient.mentioned))
        taken = sum(drawn(told.HUMANS, noun) for noun in pair(state))
        stays += 0.16 * (1.0 if no_verb or not patient.mentioned else taken)
        stays_reason, moves_reason = self._silent_reason(state, no_verb)
        unasked = no_verb and not self._known_facts(state)
        if no_verb and not unasked:
            stays += 0.12 * 0.4 * (room >= 2 and agent.mentioned and patient.mentioned)
        never = room < 2 or unasked or not (agent.mentioned and patient.mentioned)
        return stays + stays_reason + 0.12 * never, moves + moves_reason

    def _silent_reason(self, state: State, no_verb: bool) -> tuple[float, list[Step]]:
        if no_verb or not state.patient.mentioned:
            return 0.10, []
        closed = 0.5 * (not open_qualities(state.patient))
        if state.agent.mentioned:
            return 0.10 * (closed + 0.5 * (not open_qualities(state.agent))), []
        # The agent was introduced, in silence: nothing is left to say of the patient.
        moves = [(0.10 * closed * 0.55, state.having(changed(state.agent, mentioned=True)))]
        for quality in open_qualities(state.agent):
            phrase = NounPhrase(state.agent.concept, state.agent.number, "indefinite", quality)
            p, thing = self._introduced(state.agent, phrase)
            moves.append((0.10 * closed * p, state.having(thing)))
        return 0.0, [move for move in moves if move[0]]

    def _known_facts(self, state: State) -> bool:
        agent, patient = pair(state)
        return any(Event(agent, verb, patient) in state.facts for verb in verbs_of(agent, patient))
