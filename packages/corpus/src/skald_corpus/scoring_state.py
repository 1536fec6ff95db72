"""What the rest of a synthetic document depends on, and the probabilities of single choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import cache

from skald_corpus.combinations import verbs_of
from skald_corpus.grammar.concepts import KINDS, QUANTITIES
from skald_corpus.grammar.scene import Event, Number
from skald_corpus.keyed import ZIPF_SHIFT
from skald_corpus.story import qualities_of


@dataclass(frozen=True, slots=True)
class Thing:
    """A referent as the sentences so far leave it; `id` is its identity."""

    id: int
    concept: str
    number: Number
    quantity: str
    mentioned: bool = False
    qualities: tuple[str, ...] = ()
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """What the rest of a document depends on; `outdoors`, `indoors`, `times` as far as shown."""

    agent: Thing
    patient: Thing
    last: tuple[Thing, ...] = ()
    said: frozenset[Event] = frozenset()
    facts: frozenset[Event] = frozenset()
    outdoors: frozenset[str] = frozenset()
    indoors: str = ""
    times: frozenset[str] = frozenset()

    def having(self, thing: Thing) -> State:
        """Return the state with a newer version of a referent."""
        if thing.id == self.agent.id:
            return changed(self, agent=thing)
        return changed(self, patient=thing) if thing.id == self.patient.id else self


#: A probability and the state, or the referent, that it leads to.
Step = tuple[float, State]
Told = tuple[float, Thing]


@cache
def rank_weights(n: int) -> tuple[float, ...]:
    """Return the probabilities of n ranks."""
    weights = [1.0 / (rank + ZIPF_SHIFT) for rank in range(n)]
    return tuple(weight / sum(weights) for weight in weights)


def drawn(options: Sequence[str], choice: str) -> float:
    """Return the probability that `draw` takes the choice; 0 where it is no option.

    Args:
        options: The most frequent first; there may be none.
        choice: What was taken.
    """
    if choice not in options:
        return 0.0
    return rank_weights(len(options))[options.index(choice)]


def as_somebody(number: Number, quantity: str | None) -> float:
    """Return the probability of a number and, where it shows, a quantity.

    Args:
        number: In which somebody was introduced.
        quantity: That of the plural; None where the text does not show it.
    """
    if number == "sg":
        return 0.75
    return 0.25 if quantity is None else 0.25 * drawn(QUANTITIES, quantity)


def pair(state: State) -> tuple[str, str]:
    """Return the nouns of agent and patient."""
    return state.agent.concept, state.patient.concept


def open_verbs(state: State) -> tuple[str, ...]:
    """Return what has not been said of agent and patient, most frequent first."""
    agent, patient = pair(state)
    return tuple(
        verb for verb in verbs_of(agent, patient) if Event(agent, verb, patient) not in state.said
    )


def open_qualities(thing: Thing) -> tuple[str, ...]:
    """Return what has neither been said nor denied of a thing, most frequent first."""
    return tuple(q for q in qualities_of(thing.concept) if KINDS.get(q, q) not in thing.settled)
