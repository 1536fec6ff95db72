"""The shape of a language's words, and the reader of the tables they are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

#: Nominative, accusative ("object", the case of most objects), dative.
Case = Literal["subject", "object", "dative"]
CASES: tuple[Case, ...] = ("subject", "object", "dative")
GENDERS = "mfn"


@dataclass(frozen=True, slots=True)
class Noun:
    """Forms of a noun; a language leaves empty what it does not have.

    `pronoun` is the pronoun that a singular takes, empty where usage wavers (German "Mädchen"): the
    noun is repeated then. `declined` holds, where the noun itself has cases and a suffixed article,
    for each case: singular, definite singular, plural, definite plural.
    """

    gender: str
    pronoun: str
    singular: str
    plural: str
    definite: str = ""
    definite_plural: str = ""
    accusative: str = ""
    declined: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Verb:
    """Third-person forms and the infinitive.

    `supine` follows the auxiliary `can` where the infinitive does not (Icelandic); `subjunctive`
    holds present, present plural, past, past plural; `governs` is the case of the object.
    """

    present: str
    present_plural: str
    past: str
    past_plural: str
    infinitive: str
    _: KW_ONLY
    supine: str = ""
    subjunctive: tuple[str, ...] = ()
    governs: Case = "object"


@dataclass(frozen=True)
class Lexicon:
    """All words of one language.

    `adjectives` hold the forms in the order their rules module names. `pronouns` are subject,
    object and dative form by key (`they`, or by gender `they_m` and so on). `links` are the
    subordinators by attitude, and `because`. `words` are the adverbs, quantities, articles and
    answers; `determiners` are the quantities and articles that inflect like adjectives.
    `homographs` are the nouns whose form is another word in another gender (German "das Bauer" is a
    cage): their gender cannot be got wrong.
    """

    tag: str
    nouns: Mapping[str, Noun]
    adjectives: Mapping[str, tuple[str, ...]]
    verbs: Mapping[str, Verb]
    auxiliaries: Mapping[str, Verb]
    attitudes: Mapping[str, Verb]
    links: Mapping[str, str]
    places: Mapping[str, str]
    times: Mapping[str, str]
    pronouns: Mapping[str, tuple[str, ...]]
    words: Mapping[str, str]
    homographs: frozenset[str] = frozenset()
    determiners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def rows(table: str) -> dict[str, tuple[str, ...]]:
    """Read a table: one row a line, the concept first, its forms after it."""
    lines = [line.split() for line in table.strip().splitlines()]
    read = {line[0]: tuple(line[1:]) for line in lines}
    assert len(read) == len(lines), "a concept stands twice in a table"
    assert len({len(row) for row in read.values()}) == 1, "rows of a table differ in length"
    return read


def phrases(table: str) -> dict[str, str]:
    """Read a table of phrases: the concept, then everything after it."""
    read: dict[str, str] = {}
    for line in table.strip().splitlines():
        concept, phrase = line.strip().split(None, 1)
        read[concept] = phrase
    return read


def noun(gender: str, singular: Sequence[str], plural: Sequence[str]) -> Noun:
    """Return a noun with cases and a suffixed article; its gender decides the pronoun.

    Args:
        gender: m, f or n.
        singular: For each case the bare and the definite form.
        plural: The same in the plural.
    """
    forms = tuple((*singular[i : i + 2], *plural[i : i + 2]) for i in range(0, len(singular), 2))
    bare, definite, bare_plural, definite_plural = forms[0]
    pronoun = {"m": "he", "f": "she", "n": "it"}[gender]
    return Noun(
        gender, pronoun, bare, bare_plural, definite, definite_plural, forms[1][0], declined=forms
    )


def strong_weak(
    singular: Sequence[Sequence[str]],
    plural: Sequence[Sequence[str]],
    weak: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return strong forms by case, number and gender (m f n), then the weak forms in -i -a -u.

    Args:
        singular: For each of `CASES` the forms m, f, n.
        plural: The same in the plural.
        weak: The three weak forms; none for words that inflect strongly only.
    """
    strong = [form for one, many in zip(singular, plural, strict=True) for form in (*one, *many)]
    return (*strong, *weak)


def determiner(*cases: str, number: Literal["sg", "pl"] = "pl") -> tuple[str, ...]:
    """Return the forms of a word that has one number: for each case "m f n".

    Args:
        *cases: One text for each of `CASES`.
        number: The one that the word has; forms of the other are empty.
    """
    spoken, silent = [case.split() for case in cases], [("",) * 3 for _ in cases]
    return strong_weak(spoken, silent) if number == "sg" else strong_weak(silent, spoken)


def strong(case: Case, number: str, gender: str) -> int:
    """Return the place of a strong form among those that `strong_weak` orders.

    Args:
        case: Of the phrase.
        number: `sg` or `pl`.
        gender: m, f or n.
    """
    return CASES.index(case) * 6 + (3 if number == "pl" else 0) + GENDERS.index(gender)
