"""The information of a document: the same numbers as every run of the generator, one by one."""

import copy
import math
from collections import Counter, defaultdict
from itertools import islice

import pytest
from skald_corpus import combinations, scoring, scoring_state, story
from skald_corpus.entropy import floor_of
from skald_corpus.generate import documents
from skald_corpus.grammar.concepts import ADJECTIVES, NOUNS, TIMES, VERBS
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream
from skald_corpus.scoring import Scorer
from skald_corpus.story import Story

#: The share of `below(100)` that Story gives to each kind of sentence, by its first number.
KINDS = {0: 0.36, 36: 0.26, 62: 0.16, 78: 0.10, 88: 0.12}
#: That of `below(10)` to each place of time and place.
TAILS = {0: 0.3, 3: 0.2, 5: 0.1, 6: 0.1, 7: 0.1, 8: 0.2}
CUT = 1e-7


class Scripted:
    """A stream that takes given choices, then always the first, and knows the alternatives."""

    def __init__(self, script):
        self.script, self.taken, self.probability, self.other = script, [], 1.0, []

    def _choose(self, options):
        at = len(self.taken)
        options = [(value, share) for value, share in options if share]
        index = self.script[at] if at < len(self.script) else 0
        if at >= len(self.script):
            self.other += [[*self.taken, i] for i in range(1, len(options))]
        self.taken.append(index)
        value, share = options[index]
        self.probability *= share
        return value

    def chance(self, probability):
        return self._choose([(True, probability), (False, 1 - probability)])

    def below(self, n):
        grouped = {100: KINDS, 10: TAILS}.get(n) or dict.fromkeys(range(n), 1 / n)
        return self._choose(grouped.items())

    def pick(self, options):
        return self._choose([(option, 1 / len(options)) for option in options])

    def draw(self, options, cumulated):
        steps = zip(options, (0.0, *cumulated), cumulated, strict=False)
        return self._choose([(o, (b - a) / cumulated[len(options) - 1]) for o, a, b in steps])


def snapshot(told):
    return repr((told._agent, told._patient, sorted(told._said), sorted(told._facts), told._last))


def copied(told):
    """Return a Story that may go on without the first one noticing."""
    after = Story.__new__(Story)
    after.__dict__.update(told.__dict__)
    memo = {}
    after._agent, after._patient = (copy.deepcopy(r, memo) for r in (told._agent, told._patient))
    after._last = tuple(copy.deepcopy(r, memo) for r in told._last)
    after._said, after._facts = set(told._said), set(told._facts)
    after.sentences = list(told.sentences)
    return after


def runs(told, room):
    """Yield probability and Story after one more step, for every run of it."""
    stack = [[]]
    while stack:
        stream, after = Scripted(stack.pop()), copied(told)
        after._stream = stream
        after._continue(room)
        stack += stream.other
        yield stream.probability, after


def continuations(told, room):
    """Return the probability of each next sentence, or question with its answer."""
    found, waiting, before = defaultdict(float), [(1.0, told)], len(told.sentences)
    while waiting:
        weight, at = waiting.pop()
        same, moved, said = 0.0, [], []
        for probability, after in runs(at, room):
            if len(after.sentences) > before:
                said.append((probability, tuple(after.sentences[before:])))
            elif snapshot(after) == snapshot(at):
                same += probability
            else:
                moved.append((probability, after))
        for probability, sentences in said:
            found[sentences] += weight * probability / (1 - same)
        for probability, after in moved:
            if weight * probability > CUT:
                waiting.append((weight * probability / (1 - same), after))
    return found


@pytest.fixture
def small(monkeypatch):
    """A vocabulary so small that every run can be followed."""
    keep = (
        (NOUNS, ("man", "dog", "king")),
        (VERBS, ("see", "chase")),
        (ADJECTIVES, ("big", "old")),
        (TIMES, ("morning", "evening")),
    )
    whole = [dict(table) for table, _ in keep]
    monkeypatch.setattr(story, "HUMANS", ("man", "king"))
    monkeypatch.setattr(story, "QUANTITIES", ("two",))
    monkeypatch.setattr(scoring_state, "QUANTITIES", ("two",))
    monkeypatch.setattr(scoring, "QUANTITIES", ("two",))
    monkeypatch.setattr(story, "OUTDOORS", ("garden", "street"))
    monkeypatch.setattr(story, "INDOORS", ("kitchen",))
    monkeypatch.setattr(combinations, "TEST_SHARE", 0.0)
    monkeypatch.setattr(combinations, "VALIDATION_SHARE", 0.0)
    for table, concepts in keep:
        for concept in [c for c in table if c not in concepts]:
            del table[concept]
    clear_caches()
    yield
    # The order of a table is the rank of its words: items put back one by one would stand last.
    for (table, _), before in zip(keep, whole, strict=True):
        table.clear()
        table.update(before)
    clear_caches()


def clear_caches():
    """Forget what was computed from the tables of concepts."""
    for module in (combinations, scoring_state, story):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def test_the_small_vocabulary_leaves_nothing_behind(monkeypatch):
    before = [list(table) for table in (NOUNS, VERBS, ADJECTIVES, TIMES)]
    agents = combinations.agents_of("train")
    with monkeypatch.context() as inner:
        run = small.__wrapped__(inner)
        next(run)
        assert combinations.agents_of("train") != agents and len(NOUNS) == 3
        assert next(run, None) is None
    assert [list(table) for table in (NOUNS, VERBS, ADJECTIVES, TIMES)] == before
    assert combinations.agents_of("train") == agents


def prefix(seed, sentences, length, pronoun_of):
    """Return a Story that stopped after some sentences."""
    told = Story.__new__(Story)
    original = Story._continue

    def until(self, room):
        if len(self.sentences) >= sentences:
            raise StopIteration
        original(self, length - len(self.sentences))

    Story._continue = until
    try:
        told.__init__(Stream(f"prefix {seed}"), "train", pronoun_of)
    except StopIteration:
        pass
    finally:
        Story._continue = original
    return told


def conditional(scorer, told, length, continuations):
    """Return the probability that each continuation gets, given what was told."""
    before = sum(scorer.states(told.sentences, length).values())
    assert before > 0
    return {
        more: sum(scorer.states([*told.sentences, *more], length).values()) / before
        for more in continuations
    }


def test_every_run_of_the_generator_has_the_probability_it_is_given(small):
    pronoun_of, length = LANGUAGES["en"].pronoun_key, 3
    told = prefix(0, 1, length, pronoun_of)
    expected = continuations(told, length - len(told.sentences))
    got = conditional(Scorer("train", pronoun_of), told, length, expected)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-6)
    assert sum(got.values()) == pytest.approx(1, abs=1e-6)
    worst = max(expected, key=lambda s: abs(got[s] - expected[s]))
    assert got[worst] == pytest.approx(expected[worst], rel=1e-6, abs=1e-9), worst


N = 6_000


@pytest.mark.parametrize(("tag", "seed", "said"), [
    ("de", 1, 2), ("en", 2, 3), ("fo", 3, 2), ("is", 4, 3), ("nl", 5, 4), ("sv", 6, 5),
])  # fmt: skip
def test_sentences_come_as_often_as_they_should(small, tag, seed, said):
    pronoun_of, length = LANGUAGES[tag].pronoun_key, said + 2
    told = prefix(seed, said, length, pronoun_of)
    room, counts = length - len(told.sentences), Counter()
    for i in range(N):
        after = copied(told)
        after._stream = Stream(f"sample {seed} {i}")
        while len(after.sentences) == len(told.sentences):
            after._continue(room)
        counts[tuple(after.sentences[len(told.sentences) :])] += 1
    got = conditional(Scorer("train", pronoun_of), told, length, counts)
    assert min(got.values()) > 0 and sum(got.values()) < 1 + 1e-9
    # What was drawn often, one by one; then kinds of sentences, which sum over the rare ones.
    for more, count in counts.items():
        if N * got[more] > 30:
            assert abs(count - N * got[more]) < 5 * math.sqrt(N * got[more]), more
    # The unseen rest is small: no sentence gets much more than its share.
    assert sum(got.values()) > 0.9


def test_the_floor_of_a_text_is_its_information():
    english = LANGUAGES["en"]
    made = list(islice(documents(english, "validation"), 60))
    floor = floor_of(english, "validation", made)
    assert floor.documents == 60 and math.isfinite(floor.bits)
    assert floor.bits_per_byte == pytest.approx(floor.bits / floor.bytes)
    # About as much as other documents of the source hold: the mean estimates the entropy.
    other = floor_of(english, "validation", islice(documents(english, "validation"), 60, 120))
    spread = math.hypot(floor.se_bits_per_document, other.se_bits_per_document)
    assert abs(floor.bits_per_document - other.bits_per_document) < 4 * spread
    # Far below what the letters would need one by one, and above zero.
    assert 0.2 < floor.bits_per_byte < 0.6


def test_what_the_generator_cannot_tell_has_no_probability():
    english = LANGUAGES["en"]
    scorer = Scorer("train", english.pronoun_key)
    told = Story(Stream("told"), "train", english.pronoun_key).sentences
    assert math.isfinite(scorer.information_bits(told))
    # The combination belongs to another split; the first sentence twice; too short.
    assert math.isinf(Scorer("test", english.pronoun_key).information_bits(told))
    assert math.isinf(scorer.information_bits([told[0], *told[:-1]]))
    assert math.isinf(scorer.information_bits(told[:2]))
