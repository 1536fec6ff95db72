"""Items of the CLDR and copy controls: sound forms, strings nobody else has, the same bytes anywhere."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from skald_corpus.apart import Candidate, TrainingText, hold_apart, strings_of
from skald_corpus.cldr.calendar import ITEMS, calendar_items
from skald_corpus.cldr.number import KEYS, Forms, number_pairs, usable_forms
from skald_corpus.cldr.own import months, own_data, weekdays
from skald_corpus.copying import ALPHABETS, copy_items
from skald_corpus.facts import statements
from skald_corpus.generate import controlled_items
from skald_corpus.grammar.register import LANGUAGES
from skald_specs.items import PairItem

TAGS = sorted(LANGUAGES)


@pytest.fixture(scope="module")
def chosen():
    """What `data/items` gets; of the training text, the facts, which alone have figures and months."""
    facts = [text for tag in TAGS for _, text in statements(tag)]
    return controlled_items(TrainingText(facts))


def both(tag, field):
    """Return good and bad of a field's two pairs, without the number."""
    (forms,) = [forms for forms in usable_forms(tag) if forms.key == field]
    return [
        tuple(re.sub(r"\d", "#", side) for side in (item.good, item.bad))
        for item in number_pairs(tag, forms)
    ]


@pytest.mark.parametrize(
    ("tag", "field", "one", "other"),
    [
        ("is", "relative_time week past", "fyrir # viku", "fyrir # vikum"),
        ("is", "unit duration-minute", "# mínúta", "# mínútur"),
        ("de", "unit duration-night", "# Übernachtung", "# Übernachtungen"),
        ("de", "relative_time year future", "in # Jahr", "in # Jahren"),
        ("sv", "currency GBP", "# brittiskt pund", "# brittiska pund"),
        ("nb", "currency NOK", "# norsk krone", "# norske kroner"),
        ("fo", "unit concentr-permille", "# promilla", "# promillur"),
        ("nl", "unit duration-month", "# maand", "# maanden"),
        ("en", "unit area-square-foot", "# square foot", "# square feet"),
        ("da", "relative_time day past", "for # dag siden", "for # dage siden"),
    ],
)
def test_a_field_gives_two_pairs_one_of_each_number(tag, field, one, other):
    assert both(tag, field) == [(one, other), (other, one)]


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        ("nb", "unit duration-minute"),  # "fem minutt" is right
        ("da", "unit mass-tonne"),  # "7 ton" is right
        ("da", "unit volume-gallon"),  # "gallon, gallons" is English
        ("de", "currency BIF"),  # "7 Burundi-Franc" is right
        ("de", "currency CNY"),  # two names, not two forms of one
        ("sv", "relative_time fri past"),  # the CLDR forgot the preposition in one of them
        ("is", "relative_time year future"),  # "eftir 7 ár", "eftir 1 ár": one form
        ("fo", "unit acceleration-meter-per-square-second"),  # "sekundi²"
        ("en", "unit digital-byte"),
        ("nl", "relative_time day-short past"),  # "dgn"
    ],
)
def test_what_is_right_in_both_forms_or_no_word_is_left_out(tag, field):
    family, name = field.split(" ", 1)
    assert (family, name) not in {(forms.family, forms.field) for forms in usable_forms(tag)}


def test_data_are_the_locales_own_whatever_was_read_before_or_after():
    from babel import Locale, localedata

    for tag in ("fo", "lb"):
        merged = localedata.load(tag)
        own_data.cache_clear()
        own = own_data(tag)
        # Faroese inherits the root's symbols of currencies; its own are fewer.
        assert len(own["currency_symbols"]) < len(merged["currency_symbols"])
        assert localedata.load(tag) is merged
    localedata._cache.pop("sv", None)
    own_data("sv")
    assert Locale.parse("sv").currency_symbols["ILS"] == "₪"
    assert months("nb")[0] == "januar" and own_data("nb")["unit_patterns"]
    assert all(len(months(tag)) == 12 and len(weekdays(tag)) == 7 for tag in TAGS)


@pytest.mark.parametrize("tag", TAGS)
def test_as_many_items_as_the_language_has(tag, chosen):
    number, calendar, copy = (chosen[kind].items[tag] for kind in ("number", "calendar", "copy"))
    assert len(number) == 2 * sum(KEYS.values()) or (tag, len(number)) == ("nl", 118)
    assert 20 <= len(calendar) <= sum(ITEMS.values()) and len(copy) == 48
    for items in (number, calendar, copy):
        assert len({item.id for item in items}) == len(items)
        assert all(item.id.startswith(f"{tag}-") for item in items)
    keys = Counter(item.key for item in number)
    assert set(keys.values()) == {2}
    assert {item.phenomenon for item in number} == set(KEYS)


@pytest.mark.parametrize("tag", TAGS)
def test_neither_a_form_nor_the_shorter_side_gives_a_pair_away(tag, chosen):
    shorter = [
        (len(i.good.encode()) < len(i.bad.encode())) + (len(i.good.encode()) == len(i.bad.encode())) / 2
        for i in chosen["number"].items[tag]
    ]  # fmt: skip
    assert sum(shorter) / len(shorter) == 0.5
    for kind in ("calendar", "copy"):
        places = Counter(item.answer for item in chosen[kind].items[tag])
        assert max(places.values()) - min(places.values()) <= (0 if kind == "copy" else 9)


def test_no_string_stands_in_two_items_and_none_is_right_in_one_and_wrong_in_another(chosen):
    for kind in ("number", "calendar", "copy"):
        seen = Counter()
        for items in chosen[kind].items.values():
            by_key = {}
            for item in items:
                by_key.setdefault((item.key, item.id), set()).update(strings_of(item))
            seen.update(string for strings in by_key.values() for string in strings)
        assert max(seen.values()) == 1, kind
    good = {item.good for items in chosen["number"].items.values() for item in items}
    bad = {item.bad for items in chosen["number"].items.values() for item in items}
    assert not good & bad


def test_a_string_of_training_text_or_of_another_item_is_no_item():
    def candidate(tag, key, one, other):
        return Candidate(tag, "unit", number_pairs(tag, Forms("unit", key, one, other)))

    week = candidate("da", "week", "{0} uge", "{0} uger")
    night = candidate("da", "night", "{0} nat", "{0} nætter")
    same = candidate("nb", "night", "{0} nat", "{0} nætter")
    nothing, text = TrainingText([]), TrainingText(["Om 1 UGE, sagde han.", "2 3 4 5 6 7 8 9"])
    assert len(hold_apart("n", [week, night], nothing).items["da"]) == 4
    kept = hold_apart("n", [week, night], text)
    assert {item.key for item in kept.items["da"]} == {"unit night"}
    assert kept.left_out["da"]["in_training_text"] == 1
    # Whole words: "17 uger" has no "7 uger", and no sentence runs on into the next document.
    assert not TrainingText(["17 uger", "1", "uge"]).has("7 uger")
    assert not TrainingText(["1", "uge"]).has("1 uge")
    twice = hold_apart("n", [night, same], nothing)
    assert sorted(map(len, twice.items.values())) == [0, 2]
    assert sum(counts["elsewhere"] for counts in twice.left_out.values()) == 1
    few = hold_apart("n", [week, night], nothing, {"unit": 1})
    assert len(few.items["da"]) == 2 and few.left_out["da"]["beyond_quota"] == 1


def test_the_real_facts_are_seen_where_they_are(chosen):
    fact = "47 + 5 = 52"
    assert TrainingText([fact]).has("47 5 52") and not TrainingText([fact]).has("47 52")
    assert all(
        counts["in_training_text"] == 0
        for kind in chosen
        for counts in chosen[kind].left_out.values()
    )


def test_the_calendar_goes_on_and_spells(chosen):
    for tag in TAGS:
        rows = {"month": months(tag), "weekday": weekdays(tag)}
        for kind, item in calendar_items(tag):
            names = rows[item.key.split()[0]]
            said = item.context.removesuffix(",").split(", ")
            right = item.choices[item.answer].strip()
            step = -1 if kind == "before" else 1
            assert names[(names.index(said[-1]) + step) % len(names)] == right
            assert len({choice.casefold() for choice in item.choices}) == 4
            if kind == "spelling":
                assert not {c.strip() for c in item.choices if c.strip() != right} & set(names)
                assert all(c.strip()[0].isupper() == right[0].isupper() for c in item.choices)
    # "januar, februar," is Danish and Norwegian: neither "marts" nor "mars" is wrong after it.
    spelled = {key: item for kind, item in calendar_items("nb") if kind == "spelling"
               for key in [item.key]}  # fmt: skip
    assert " mars" in spelled["month 3"].choices and " marts" not in spelled["month 3"].choices


def test_a_copy_is_decided_by_places_alone():
    for tag in TAGS:
        for item in copy_items(tag):
            right = item.choices[item.answer].strip()
            family = item.key.split("_")[0]
            if family == "recall":
                *listed, asked = item.context.removesuffix(" =").split(", ")
                known = dict(entry.split(" = ") for entry in listed)
                assert known[asked] == right
                assert {c.strip() for c in item.choices} <= set(known.values())
                assert len(set(known.values())) == len(known) == 8
                letters = "".join(known)
            else:
                parts, size = item.context.split(" "), int(item.key.split("_")[1].split()[0])
                span, cue = parts[:size], parts[size:]
                assert span[: len(cue)] == cue and span[len(cue)] == right and len(cue) >= 2
                assert {c.strip() for c in item.choices} <= set(span) and len(set(span)) == size
                letters = "".join(span)
            assert set(letters) <= set(ALPHABETS[tag])


SCRIPT = """
import hashlib, json
from skald_corpus.apart import TrainingText
from skald_corpus.facts import territories
from skald_corpus.generate import controlled_items
{before}
made = controlled_items(TrainingText(["47 + 5 = 52"]))
rows = [i.model_dump_json() for c in made.values() for items in c.items.values() for i in items]
print(hashlib.sha256("\\n".join(rows).encode()).hexdigest())
"""


def test_another_process_and_a_read_before_change_no_byte():
    def digest(hash_seed, before=""):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "LC_ALL": "C"}
        run = [sys.executable, "-c", SCRIPT.replace("{before}", before)]
        return subprocess.run(run, env=environment, check=True, capture_output=True).stdout

    # babel keeps merged and unmerged data under one name: what was read before must not matter.
    merged = "territories('fo'); territories('nb')"
    assert digest("1") == digest("2718", merged) != b""


def test_items_are_rows_that_the_station_of_evaluation_reads(chosen):
    row = json.loads(chosen["number"].items["is"][0].model_dump_json())
    assert PairItem.model_validate(row) == chosen["number"].items["is"][0]
