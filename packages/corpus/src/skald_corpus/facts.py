"""Keyed facts and skills in eight languages: what can transfer, what can be learnt, what cannot.

Four families of one-line documents, with names from the Unicode CLDR as babel has them, only where
a name stands alone, in the nominative:

- `code`: a territory and a number, "Irland = 76". The number is drawn from the key, says nothing about
  the territory and is the same in every language.
- `weekday`: a weekday, a step, a weekday, "mandag + 3 = torsdag".
- `date`: an ISO date and the date in words, "2024-03-05 = 5. marts 2024".
- `sum`: a number of two digits and one of one digit, "47 + 5 = 52", alike in every language.

Items have four choices and come in three kinds. `transfer`: a `code` that the training text of other
languages states, never that of this one. `skill`: a `weekday`, `date` or `sum` whose operands no
language was trained on. `canary`: a `code` that is stated nowhere; only a leak answers it above chance.

Splits go by the key (territory; weekday and step; date; operands), never by the sentence. Names are
under the Unicode License v3: text made with them needs its notice (`NOTICE`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Literal

from skald_specs.corpus import Document
from skald_specs.items import ClozeItem

from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream, fraction

Kind = Literal["transfer", "skill", "canary"]
KINDS: tuple[Kind, ...] = ("transfer", "skill", "canary")
#: How often the training text of a language states each line of a family. A miniature reads about a
#: third of its text: a code some ten times, a weekday three times, a sum once or twice (but in eight
#: languages), a date at most once. Standing: assumed.
REPEATS = {"code": 32, "weekday": 8, "sum": 4, "date": 1}
#: Shares of the territories that are stated nowhere, and in some languages only.
CANARY_SHARE, TRANSFER_SHARE = 0.2, 0.5
#: Share of the spellings of a name whose languages lack a transfer fact.
WITHHELD_SHARE = 0.5
#: Share of the operands of skills that no language is trained on.
SKILL_SHARE = 0.2
STEPS = range(1, 21)
#: Operands whose sums, and whose wrong answers, have two digits.
LARGE, SMALL = range(20, 81), range(1, 10)
FIRST_DATE, N_DATES = date(1990, 1, 1), 12_000
DATES_PER_LANGUAGE = 1200
#: Items of each family of skills, where as many operands are held out.
SKILL_ITEMS = 30
_CHOICES = 4


def code_of(territory: str) -> int:
    """Return the number that belongs to a territory: 10 to 99, drawn from its key."""
    return 10 + Stream(f"code {territory}").below(90)


@cache
def home_of(territory: str) -> Literal["train", "transfer", "canary"]:
    """Return the one group of a territory, in all languages."""
    place = fraction(f"fact {territory}")
    if place < CANARY_SHARE:
        return "canary"
    return "transfer" if place < CANARY_SHARE + TRANSFER_SHARE else "train"


def is_stated(territory: str, tag: str) -> bool:
    """Return whether a language's training text states a territory's number.

    Args:
        territory: Two letters of the CLDR.
        tag: The language.
    """
    if home_of(territory) != "transfer":
        return home_of(territory) == "train"
    # Languages that spell a name alike go together: a copied name would be no transfer.
    lots = {
        other: fraction(f"transfer {territory} {territories(other)[territory].casefold()}")
        for other in LANGUAGES
        if territory in territories(other)
    }
    # One spelling at least is stated, so that there is something to transfer.
    return tag in lots and (lots[tag] >= WITHHELD_SHARE or lots[tag] == max(lots.values()))


def is_held_out(skill_key: str) -> bool:
    """Return whether no language is trained on the operands of a skill."""
    return fraction(f"skill {skill_key}") < SKILL_SHARE


@cache
def territories(tag: str) -> dict[str, str]:
    """Return the names of territories by code: one word of letters, and no two alike."""
    from babel import Locale

    names = Locale.parse(tag).territories
    plain = {
        code: names[code]
        for code in sorted(names)
        if len(code) == 2 and code.isalpha() and names[code].isalpha() and code not in _NO_TERRITORY
    }
    spelled = [name.casefold() for name in plain.values()]
    return {code: name for code, name in plain.items() if spelled.count(name.casefold()) == 1}


#: Codes of CLDR that are no territory.
_NO_TERRITORY = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ"})


@cache
def weekdays(tag: str) -> tuple[str, ...]:
    """Return the names of the weekdays, Monday first."""
    from babel import Locale

    names = Locale.parse(tag).days["stand-alone"]["wide"]
    return tuple(names[day] for day in range(7))


def _in_words(day: date, tag: str) -> str:
    """Return a date in a language's long form, with plain spaces."""
    from babel.dates import format_date

    said: str = format_date(day, "long", locale=tag)
    return said.replace("\u00a0", " ").replace("\u202f", " ")


def statements(tag: str) -> Iterator[tuple[str, str]]:
    """Yield key and text of each line that a language's training text states."""
    for code, name in territories(tag).items():
        if is_stated(code, tag):
            yield f"code {code}", f"{name} = {code_of(code)}"
    days = weekdays(tag)
    for at, step in _weekday_keys(held_out=False):
        yield f"weekday {at} {step}", f"{days[at]} + {step} = {days[(at + step) % 7]}"
    for large, small in _sum_keys(held_out=False):
        yield f"sum {large} {small}", f"{large} + {small} = {large + small}"
    for day in _dates(tag, held_out=False):
        yield f"date {day.isoformat()}", f"{day.isoformat()} = {_in_words(day, tag)}"


def training_facts(tag: str) -> Iterator[Document]:
    """Yield the one-line training documents of a language in keyed order, each as often as `REPEATS`."""
    lines = [line for line in statements(tag) for _ in range(REPEATS[line[0].split()[0]])]
    for index, (key, text) in enumerate(Stream(f"facts {tag}").shuffled(lines)):
        yield Document(id=f"{tag}-facts-{index:06d}", text=text, key=key)


def fact_items(tag: str, kind: Kind) -> Iterator[ClozeItem]:
    """Yield the items of one kind; the place of the right answer goes round.

    Args:
        tag: The language.
        kind: Which of the three kinds, see the module.
    """
    if kind == "skill":
        made = _skills(tag)
    else:
        made = ((f"code {code}", name) for code, name in territories(tag).items())
        made = ((key, f"{name} =") for key, name in made if _asks(key.split()[1], tag, kind))
    for index, (key, context) in enumerate(made):
        stream = Stream(f"fact {kind} {tag} {key}")
        right, *wrong = _answers(key, tag, stream)
        choices = [f" {choice}" for choice in wrong]
        choices.insert(index % _CHOICES, f" {right}")
        yield ClozeItem(
            id=f"{tag}-{kind}-{index:04d}",
            key=key,
            context=context,
            choices=tuple(choices),
            answer=index % _CHOICES,
        )


def _asks(territory: str, tag: str, kind: Kind) -> bool:
    return home_of(territory) == kind and not is_stated(territory, tag)


def _skills(tag: str) -> Iterator[tuple[str, str]]:
    days = weekdays(tag)
    for at, step in Stream(f"skill {tag}").shuffled(_weekday_keys(held_out=True))[:SKILL_ITEMS]:
        yield f"weekday {at} {step}", f"{days[at]} + {step} ="
    for large, small in Stream(f"sums {tag}").shuffled(_sum_keys(held_out=True))[:SKILL_ITEMS]:
        yield f"sum {large} {small}", f"{large} + {small} ="
    for day in _dates(tag, held_out=True):
        yield f"date {day.isoformat()}", f"{day.isoformat()} ="


def _weekday_keys(held_out: bool) -> list[tuple[int, int]]:
    keys = [(at, step) for at in range(7) for step in STEPS]
    return [key for key in keys if is_held_out(f"weekday {key[0]} {key[1]}") == held_out]


def _sum_keys(held_out: bool) -> list[tuple[int, int]]:
    keys = [(large, small) for large in LARGE for small in SMALL]
    return [key for key in keys if is_held_out(f"sum {key[0]} {key[1]}") == held_out]


def _dates(tag: str, held_out: bool) -> list[date]:
    wanted = SKILL_ITEMS if held_out else DATES_PER_LANGUAGE
    stream, found = Stream(f"dates {tag} {held_out}"), dict[date, None]()
    while len(found) < wanted:
        day = FIRST_DATE + timedelta(days=stream.below(N_DATES))
        if is_held_out(f"date {day.isoformat()}") == held_out:
            found[day] = None
    return list(found)


def _answers(key: str, tag: str, stream: Stream) -> list[str]:
    """Return the right answer and three wrong ones of the same family, all different."""
    family, *operands = key.split()
    if family == "code":
        right = code_of(operands[0])
        numbers = [str(number) for number in range(10, 100) if number != right]
        return [str(right), *stream.shuffled(numbers)[: _CHOICES - 1]]
    if family == "weekday":
        at, days = (int(operands[0]) + int(operands[1])) % 7, weekdays(tag)
        others = [day for day in days if day != days[at]]
        return [days[at], *stream.shuffled(others)[: _CHOICES - 1]]
    if family == "sum":
        total = int(operands[0]) + int(operands[1])
        # Each digit must be right: one wrong answer shares the tens, one the units.
        ones = stream.pick((1, -1)) if total % 10 in range(1, 9) else 1 if total % 10 == 0 else -1
        tens = stream.pick((10, -10))
        return [str(total + off) for off in (0, ones, tens, ones + tens)]
    day = date.fromisoformat(operands[0])
    # The same year; another day, another month, both: each part must be read.
    month = (day.month + stream.below(11)) % 12 + 1
    number = (day.day + 1 + stream.below(26)) % 28 + 1
    number = number if number != day.day else number % 28 + 1
    near = (
        day.replace(day=number),
        day.replace(month=month, day=min(day.day, 28)),
        day.replace(month=month, day=number),
    )
    return [_in_words(each, tag) for each in (day, *near)]
