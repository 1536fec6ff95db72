"""Facts and skills: split by key over all languages; the canary is at chance, and a leak is not."""

import math
import re
from collections import Counter

import pytest
from skald_corpus.facts import (
    KINDS,
    REPEATS,
    code_of,
    fact_items,
    home_of,
    is_stated,
    statements,
    territories,
    training_facts,
    weekdays,
)
from skald_corpus.grammar.register import LANGUAGES

TAGS = sorted(LANGUAGES)


@pytest.fixture(scope="module")
def trained():
    return {tag: list(training_facts(tag)) for tag in TAGS}


@pytest.fixture(scope="module")
def items():
    return {(tag, kind): list(fact_items(tag, kind)) for tag in TAGS for kind in KINDS}


def at_chance(right, n):
    """Return the exact two-sided binomial p-value of a four-way choice."""
    p = [math.comb(n, k) * 0.25**k * 0.75 ** (n - k) for k in range(n + 1)]
    return sum(each for each in p if each <= p[right] * (1 + 1e-9))


def test_no_key_of_an_item_was_trained_where_it_must_not(trained, items):
    seen = {tag: {document.key for document in made} for tag, made in trained.items()}
    everywhere = set().union(*seen.values())
    for (tag, kind), made in items.items():
        keys = {item.key for item in made}
        assert len(keys) == len(made) > 10, (tag, kind)
        # Nor does a language state it that spells the name alike, nor another territory's name so.
        stated = {d.text.split(" = ")[0] for made_ in trained.values() for d in made_}
        assert not {item.context.removesuffix(" =") for item in made} & stated
        if kind == "transfer":
            assert not keys & seen[tag] and keys <= everywhere
        else:
            assert not keys & everywhere
    # The check can fail: what another language states is not unseen everywhere.
    assert {item.key for item in items["da", "transfer"]} & everywhere


def test_every_statement_is_repeated_as_said(trained):
    for tag, made in trained.items():
        counts = Counter((document.key, document.text) for document in made)
        assert set(counts) == set(statements(tag)) and len({d.id for d in made}) == len(made)
        assert all(n == REPEATS[key.split()[0]] for (key, _), n in counts.items())
        # No key is said in two ways: an answer learnt is the answer asked for.
        assert len({key for key, _ in counts}) == len(counts)


def test_sums_are_right_and_wrong_answers_are_near(trained, items):
    texts = [d.text for d in trained["fo"] if d.key.startswith("sum")]
    for text in texts:
        large, small, total = map(int, re.fullmatch(r"(\d+) \+ (\d) = (\d+)", text).groups())
        assert large + small == total
    for item in items["fo", "skill"]:
        if item.key.startswith("sum"):
            large, small = map(int, item.key.split()[1:])
            wanted, choices = large + small, [int(choice) for choice in item.choices]
            assert choices[item.answer] == wanted
            assert all(10 <= choice <= 99 and choice != wanted
                       for i, choice in enumerate(choices) if i != item.answer)  # fmt: skip
            # Neither the tens nor the units alone decide, nor do they stand out among the choices.
            assert sorted(Counter(c % 10 for c in choices).values()) == [2, 2]
            assert sorted(Counter(c // 10 for c in choices).values()) in ([2, 2], [1, 1, 2])


def test_items_have_four_different_choices_and_the_answer_goes_round(items):
    for made in items.values():
        places = [item.answer for item in made]
        assert max(map(places.count, range(4))) - min(map(places.count, range(4))) <= 1
        for item in made:
            assert len(set(item.choices)) == 4 and item.context.endswith("=")


def test_a_memory_of_the_training_text_answers_transfer_but_not_the_canary(trained, items):
    known = {
        document.key: document.text.split(" = ")[1]
        for made in trained.values()
        for document in made
    }

    def right(made, memory):
        return sum(
            memory.get(item.key, item.choices[0].strip()) == item.choices[item.answer].strip()
            for item in made
        )

    transfer = [item for tag in TAGS for item in items[tag, "transfer"]]
    canary = [item for tag in TAGS for item in items[tag, "canary"]]
    assert right(transfer, known) == len(transfer)
    assert at_chance(right(canary, known), len(canary)) > 0.05
    leaked = {**known, **{item.key: str(code_of(item.key.split()[1])) for item in canary}}
    assert at_chance(right(canary, leaked), len(canary)) < 1e-9


def test_names_are_words_and_the_calendar_is_right(trained):
    for tag in TAGS:
        assert len(territories(tag)) > 100
        assert all(name.isalpha() for name in territories(tag).values())
        assert len(set(weekdays(tag))) == 7
        texts = {document.text for document in trained[tag]}
        assert len(texts) > 1400
        assert not any("\u00a0" in text or "(" in text for text in texts)
    assert weekdays("fo")[0] == "mánadagur" and weekdays("is")[6] == "sunnudagur"
    assert any(document.text.startswith("mandag + ") for document in trained["da"])


def test_every_transfer_fact_is_stated_somewhere_and_withheld_somewhere():
    codes = [code for code in territories("en") if home_of(code) == "transfer"]
    stated = {code: [tag for tag in TAGS if is_stated(code, tag)] for code in codes}
    assert all(stated.values())
    withheld = [code for code in codes if len(stated[code]) < len(TAGS)]
    assert len(withheld) > len(codes) / 3
