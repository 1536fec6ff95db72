"""Controls that look at the answers alone: which answer wins under each metric, and who is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_harness.models.rules import rules
from skald_harness.scoring.questions import Question
from skald_harness.scoring.rules import RuleAnswerer
from skald_specs.controls import LONGEST, MAJORITY, ORACLE, SHORTEST
from skald_specs.errors import UserInputError

RULES = {subject.model.name: subject for subject in rules()}
#: lm-eval's three metrics of a choice: what a log-probability is divided by.
METRICS = {
    "acc": lambda text: 1,
    "acc_norm": len,
    "acc_bytes": lambda text: len(text.encode()),
}


def winner(name, choices, metric, right=0, context=""):
    """Return the index of the choice that lm-eval would call the model's."""
    questions = [
        Question("loglikelihood", context, choice, is_right=index == right)
        for index, choice in enumerate(choices)
    ]
    answerer = RULES[name].answerer("da")
    assert answerer.chunks(questions) == [list(range(len(choices)))]
    values = [a.logprob_nats for a in answerer.answer(questions)]
    return int(np.argmax([v / METRICS[metric](c) for v, c in zip(values, choices, strict=True)]))


# At most one letter in six takes two bytes, as in the language of which that is most true.
words = st.lists(st.sampled_from(["abcdeå", "stolen", "mit", "x"]), min_size=1, max_size=12)


@given(st.lists(words.map("".join), min_size=2, max_size=5), st.sampled_from(sorted(METRICS)))
def test_the_longest_and_the_shortest_win_under_every_metric(choices, metric):
    sizes = [len(choice.encode()) for choice in choices]
    assert sizes[winner(LONGEST, choices, metric)] == max(sizes)
    assert sizes[winner(SHORTEST, choices, metric)] == min(sizes)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True), st.data())
def test_the_oracle_is_right_under_every_metric(choices, data):
    right = data.draw(st.integers(0, len(choices) - 1))
    for metric in METRICS:
        assert winner(ORACLE, choices, metric, right) == right


def test_answers_of_one_length_are_drawn_by_lot_not_by_place():
    for name in (LONGEST, SHORTEST):
        first = [winner(name, [f"a{i:03}", f"b{i:03}"], "acc") for i in range(400)]
        assert 150 < sum(first) < 250
        # The same answers after other words are another draw.
        same = [winner(name, ["Monday", "Friday"], "acc", context=str(i)) for i in range(400)]
        assert 150 < sum(same) < 250


def test_very_long_answers_are_numbers_still():
    long = ["a" * 1_000_000, "b" * 999_000, "c"]
    assert winner(LONGEST, long, "acc") == 0
    assert winner(SHORTEST, long, "acc_bytes") == 2


def test_a_question_beside_the_choices_does_not_matter_to_the_oracle():
    answerer = RULES[ORACLE].answerer("da")
    (answer,) = answerer.answer([Question("loglikelihood", "", " yes", is_right=None)])
    assert answer.logprob_nats == 0


def labelled(golds, labels):
    """Return the questions of a task whose items offer the same labels; `golds` are their right ones."""
    return [
        Question("loglikelihood", f"item {i}", label, is_right=place == gold, place=place)
        for i, gold in enumerate(golds)
        for place, label in enumerate(labels)
    ]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_the_majority_says_one_label_and_is_right_as_often_as_that_is(golds):
    labels = ("nej", "måske ikke", "ja")
    values = [
        a.logprob_nats for a in RULES[MAJORITY].answerer("da").answer(labelled(golds, labels))
    ]
    for divide in METRICS.values():
        chosen = {
            int(np.argmax([v / divide(c) for v, c in zip(values[i : i + 3], labels, strict=True)]))
            for i in range(0, len(values), 3)
        }
        (label,) = chosen
        assert golds.count(label) == max(golds.count(place) for place in range(3))
        assert not any(golds.count(place) == golds.count(label) for place in range(label))


def test_the_majority_looks_at_places_not_at_texts():
    """Labels may be woven into each item's own sentence."""
    golds = [1, 1, 0, 1]
    questions = [
        Question("loglikelihood", "", f"{i}, {word} {i}", is_right=place == gold, place=place)
        for i, gold in enumerate(golds)
        for place, word in enumerate(("nej", "ja"))
    ]
    values = [a.logprob_nats for a in RULES[MAJORITY].answerer("da").answer(questions)]
    assert values[1::2] == [0.0] * 4 and max(values[::2]) < 0


def test_rules_take_choices_only():
    for subject in RULES.values():
        assert subject.takes("pairs", "xx") and subject.takes("choice", "da")
        assert not subject.takes("text", "da") and not subject.takes("generate", "da")
    for kind in ("rolling", "generate"):
        with pytest.raises(UserInputError, match=f"a rule cannot answer a {kind} question"):
            RULES[LONGEST].answerer("da").answer([Question(kind, "", "text")])
    assert RuleAnswerer(lambda _: len).chunks([]) == []
    assert len({str(subject.identity("da")) for subject in RULES.values()}) == 4
