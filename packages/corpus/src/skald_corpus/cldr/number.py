"""Minimal pairs of number: a form that goes with one thing, and the form that goes with several.

"7 Übernachtungen | 7 Übernachtung", "1 norsk krone | 1 norske kroner", "fyrir 6 vikum | fyrir 6 viku":
units, currencies and relative times, where the last also show the case that a preposition governs. A
key is a field of the CLDR; it gives two pairs, one with 1 and one with a number from 2 to 9, so that
neither a preference for a form nor one for the shorter side scores above one half.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from skald_specs.items import PairItem

from skald_corpus.cldr.own import own_data, own_strings
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream

#: Keys of each family that a language gives, where it has as many; each key is two pairs.
KEYS = {"unit": 24, "currency": 20, "relative_time": 16}
#: Letters that two forms of one word may end in differently. Beyond that they are two words, or the
#: CLDR spells one word in two ways. Standing: assumed (read off all forms of the eight languages).
_MOST_ENDING = 6
#: Names that people say as they are after any number ("7 byte", "7 pixel"), and short forms of others.
_UNITS_LEFT_OUT = re.compile(r"digital-|graphics-")
_FIELDS_LEFT_OUT = re.compile(r"-(short|narrow)$")
#: Languages whose own words take -s; elsewhere it is a loan's plural, and its singular serves too.
_NATIVE_S = ("en", "nl")
#: Fields of which a language allows the singular after any number ("fem minutt", "7 ton", "12 Punkt",
#: "100 paardenkracht"), or whose forms do not fit each other. Standing: assumed; no native speaker of each
#: has read the list.
_EITHER_FORM = {
    "da": r"mass-tonne",
    "de": r"length-point|.*-yard",
    "fo": r".*second|second|minute|power-horsepower|.*-yard|concentr-portion-.*|CZK",
    "nb": r"duration-century|duration-quarter|quarter|.*second|second|.*minute|minute|length-point",
    "nl": r"length-fathom|power-horsepower",
}


class Forms(NamedTuple):
    """A field with its two forms; `{0}` stands for the number."""

    family: str
    field: str
    one: str
    other: str

    @property
    def key(self) -> str:
        """The field as a cluster of items."""
        return f"{self.family} {self.field}"


def number_pairs(tag: str, forms: Forms) -> tuple[PairItem, PairItem]:
    """Return the two pairs of a field: with 1, and with a number from 2 to 9.

    Args:
        tag: The language; with the field it decides the number.
        forms: One of `usable_forms(tag)`: two alike would make no pair.
    """
    many = 2 + Stream(f"number {tag} {forms.key}").below(8)
    name = f"{tag}-number-{forms.key.replace(' ', '-')}"
    said = {n: (forms.one.format(n), forms.other.format(n)) for n in (1, many)}
    return (
        PairItem(
            id=f"{name}-one", key=forms.key, phenomenon=forms.family,
            good=said[1][0], bad=said[1][1],
        ),
        PairItem(
            id=f"{name}-other", key=forms.key, phenomenon=forms.family,
            good=said[many][1], bad=said[many][0],
        ),
    )  # fmt: skip


@cache
def usable_forms(tag: str) -> tuple[Forms, ...]:
    """Return the fields of a language whose two forms make sound pairs, in the order of their keys."""
    others = [forms for other in LANGUAGES if other != tag for forms in _own_forms(other)]
    one_elsewhere, other_elsewhere = {f.one for f in others}, {f.other for f in others}
    english = {form.casefold() for f in _own_forms("en") for form in (f.one, f.other)}
    either = re.compile(_EITHER_FORM.get(tag, "(?!)"))
    return tuple(
        forms
        for forms in sorted(_own_forms(tag))
        if _is_sound(forms.one, forms.other, tag in _NATIVE_S)
        and not either.fullmatch(forms.field.split()[0])
        # Nothing says which language is meant: what is wrong here must not be right elsewhere.
        and forms.other not in one_elsewhere
        and forms.one not in other_elsewhere
        and (tag == "en" or english.isdisjoint((forms.one.casefold(), forms.other.casefold())))
    )


@cache
def _own_forms(tag: str) -> tuple[Forms, ...]:
    """Return every field that has a form for one and a form for more."""
    rows = (
        Forms(family, field, strings["one"], strings["other"])
        for family, field, strings in _fields(tag)
        if {"one", "other"} <= strings.keys()
    )
    return tuple(rows)


def _fields(tag: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    data, current = own_data(tag), _current_currencies()
    for unit, lengths in data["unit_patterns"].items():
        if not _UNITS_LEFT_OUT.match(unit):
            yield "unit", unit, own_strings(lengths.get("long"))
    for code, names in data["currency_names_plural"].items():
        if code in current:
            counted = {form: f"{{0}} {name}" for form, name in own_strings(names).items()}
            yield "currency", code, counted
    for field, directions in data["date_fields"].items():
        if not _FIELDS_LEFT_OUT.search(field):
            for direction in ("past", "future"):
                yield (
                    "relative_time",
                    f"{field} {direction}",
                    own_strings(directions.get(direction)),
                )


@cache
def _current_currencies() -> frozenset[str]:
    """Return the currencies that some territory uses with no end in sight."""
    from babel.core import get_global

    used = get_global("territory_currencies").values()
    return frozenset(
        code for rows in used for code, _, end, is_tender in rows if is_tender and end is None
    )


def _is_sound(one: str, other: str, native_s: bool) -> bool:
    """Return whether two forms are inflections of the same plain words."""
    words = [(a, b) for a, b in zip(one.split(), other.split(), strict=False) if a != b]
    return (
        len(one.split()) == len(other.split())
        and bool(words)
        and _is_plain(one)
        and _is_plain(other)
        and all(_are_forms_of_one_word(a, b) for a, b in words)
        and (native_s or len(words) > 1 or words[0][1] != f"{words[0][0]}s")
    )


def _is_plain(form: str) -> bool:
    """Return whether a form is words of letters about one number: no brackets, dots or figures."""
    rest = form.split()
    return rest.count("{0}") == 1 and all(
        all(part.isalpha() for part in re.split("[-'’]", word)) for word in rest if word != "{0}"
    )


def _are_forms_of_one_word(one: str, other: str) -> bool:
    a, b = (
        "".join(c for c in unicodedata.normalize("NFD", word.casefold()) if c.isalpha())
        for word in (one, other)
    )
    common = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    return common > 0 and max(len(a), len(b)) - common <= _MOST_ENDING
