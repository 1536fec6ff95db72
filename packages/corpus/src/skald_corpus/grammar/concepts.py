"""What scenes are made of, before any language: ids, and what goes with what.

Order is frequency rank: the first of a table is the most frequent.
Classes: h human, a animal, o object one can carry, b big object, c can be opened, m can be built.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

NOUNS: dict[str, str] = {
    "man": "h", "woman": "h", "dog": "a", "child": "h", "house": "bm", "boy": "h", "girl": "h",
    "cat": "a", "book": "oc", "mother": "h", "father": "h", "horse": "a", "ball": "o",
    "bird": "a", "king": "h", "letter": "oc", "table": "bm", "queen": "h", "boat": "bm",
    "car": "b", "cow": "a", "sister": "h", "brother": "h", "apple": "o", "lamp": "o",
    "flower": "o", "farmer": "h", "stone": "o", "wolf": "a", "key": "o", "cup": "o",
    "door": "bc", "prince": "h", "window": "bc", "ring": "o", "pig": "a", "ship": "bm",
    "princess": "h", "bed": "bm", "bear": "a", "hat": "o", "mouse": "a", "knife": "o",
    "goat": "a", "glass": "o", "bag": "oc", "lamb": "a", "egg": "o", "jacket": "o",
    "bicycle": "b", "tree": "b", "box": "ocm", "clock": "o", "chair": "om",
}  # fmt: skip

ADJECTIVES: dict[str, str] = {
    "small": "haob", "big": "haob", "old": "haob", "young": "ha", "beautiful": "haob",
    "white": "aob", "black": "aob", "brown": "aob", "new": "ob", "red": "ob", "happy": "ha",
    "tired": "ha", "hungry": "ha", "strong": "ha", "heavy": "ob", "green": "ob",
}  # fmt: skip

#: Adjectives that say the same kind of thing; of each kind a thing gets one.
KINDS: dict[str, str] = {
    "small": "size", "big": "size", "old": "age", "young": "age", "new": "age", "white": "colour",
    "black": "colour", "brown": "colour", "red": "colour", "green": "colour",
}  # fmt: skip


class Valency(NamedTuple):
    """Which classes can do it, and to which it can be done."""

    agents: str
    patients: str


VERBS: dict[str, Valency] = {
    "see": Valency("ha", "haob"), "find": Valency("ha", "hao"), "carry": Valency("h", "o"),
    "meet": Valency("ha", "ha"), "buy": Valency("h", "aob"), "hear": Valency("ha", "ha"),
    "fetch": Valency("h", "hao"), "wash": Valency("h", "ao"), "watch": Valency("ha", "haob"),
    "forget": Valency("h", "hao"), "visit": Valency("h", "h"), "paint": Valency("h", "haob"),
    "hide": Valency("ha", "o"), "open": Valency("h", "c"), "chase": Valency("ha", "ha"),
    "lose": Valency("h", "o"), "steal": Valency("ha", "o"), "sell": Valency("h", "aob"),
    "pull": Valency("ha", "ab"), "kiss": Valency("h", "ha"), "protect": Valency("ha", "ha"),
    "lift": Valency("h", "o"), "bite": Valency("a", "hao"), "build": Valency("h", "m"),
}  # fmt: skip

#: Where; False where big things do not fit.
PLACES: dict[str, bool] = {
    "garden": True, "house": False, "street": True, "forest": True, "market": True,
    "kitchen": False, "beach": True, "city": True, "river": True, "village": True,
    "church": True, "castle": True,
}  # fmt: skip

Tense = Literal["present", "past"]
TENSES: tuple[Tense, ...] = ("present", "past")

#: When, with the tenses it goes with.
TIMES: dict[str, tuple[Tense, ...]] = {
    "today": ("present",), "yesterday": ("past",), "now": ("present",),
    "morning": ("present", "past"), "evening": ("present", "past"), "every_day": ("present",),
    "last_week": ("past",), "night": ("present", "past"), "summer": ("present", "past"),
}  # fmt: skip

QUANTITIES: tuple[str, ...] = ("two", "three", "many")
ADVERBS: tuple[str, ...] = ("not", "often", "never")
ATTITUDES: tuple[str, ...] = ("say", "think", "ask")
AUXILIARIES: tuple[str, ...] = ("be", "can", "exist")


def fits(classes: str, allowed: str) -> bool:
    """Return whether a thing of these classes is among the allowed ones.

    Args:
        classes: Letters of a noun, see the module.
        allowed: Letters that a place in a clause takes; one in common is enough.
    """
    return any(letter in allowed for letter in classes)


def verbs_for(agent: str, patient: str) -> tuple[str, ...]:
    """Return the verbs that can relate two nouns, most frequent first.

    Args:
        agent: Concept of whoever acts, a key of `NOUNS`.
        patient: Concept of what it is done to.
    """
    return tuple(
        verb
        for verb, valency in VERBS.items()
        if fits(NOUNS[agent], valency.agents) and fits(NOUNS[patient], valency.patients)
    )
