"""Which candidates become items: none whose strings training text has, and no string in two items.

Keys are not enough: "1 dollar" is a string of many keys and of several languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from skald_specs.items import ClozeItem, PairItem

from skald_corpus.keyed import fraction

Item = PairItem | ClozeItem
_WORD = re.compile(r"\w+")


class Candidate(NamedTuple):
    """Items that are taken or left together; `family` has a quota of its own."""

    tag: str
    family: str
    items: tuple[Item, ...]


class Chosen(NamedTuple):
    """Items by language, and how many candidates were left out for each reason."""

    items: dict[str, list[Item]]
    left_out: dict[str, dict[str, int]]


class TrainingText:
    """The training text of all languages as words: what it has, it has in whatever spelling of case."""

    def __init__(self, texts: Iterable[str]) -> None:
        lines = [_words(text) for text in dict.fromkeys(texts)]
        self._neighbours = {pair for words in lines for pair in pairwise(words)}
        self._text = "\n".join(f" {' '.join(words)} " for words in lines)

    def has(self, string: str) -> bool:
        """Return whether the words of a string stand one after the other somewhere."""
        words = _words(string)
        # Nearly every string has neighbours that no text has; only the others are looked for.
        return self._neighbours.issuperset(pairwise(words)) and f" {' '.join(words)} " in self._text


def strings_of(item: Item) -> tuple[str, ...]:
    """Return the texts that an item asks about: both sides, or the context with each choice."""
    if isinstance(item, PairItem):
        return item.good, item.bad
    return tuple(item.context + choice for choice in item.choices)


def hold_apart(
    kind: str,
    candidates: Sequence[Candidate],
    text: TrainingText,
    quotas: Mapping[str, int] | None = None,
) -> Chosen:
    """Choose candidates in an order drawn by their keys, so that no language comes first.

    Args:
        kind: The kind of items; enters the draw.
        candidates: What could be asked, of all languages.
        text: What the training text of all languages says.
        quotas: Candidates to take of each family in a language; families together may fill the sum
            of their quotas where one has too few. None takes all.

    Returns:
        The items of each language in the order of their ids, and the counts: `in_training_text`,
        `elsewhere` (a string of it stands in an item of another key or language), `beyond_quota`.
    """
    tags = list(dict.fromkeys(candidate.tag for candidate in candidates))
    reasons = ("in_training_text", "elsewhere", "beyond_quota")
    left_out = {tag: dict.fromkeys(reasons, 0) for tag in tags}
    taken: dict[str, list[Candidate]] = {tag: [] for tag in tags}
    used: set[str] = set()
    drawn = sorted(candidates, key=lambda c: fraction(f"{kind} {c.tag} {c.items[0].id}"))
    waiting: list[Candidate] = []
    # First every family up to its quota, then whatever there is up to the sum of all.
    for round_, queue in enumerate((drawn, waiting)):
        for candidate in list(queue):
            strings = {string for item in candidate.items for string in strings_of(item)}
            mine = taken[candidate.tag]
            if round_ == 0 and any(map(text.has, strings)):
                left_out[candidate.tag]["in_training_text"] += 1
            elif not used.isdisjoint(strings):
                left_out[candidate.tag]["elsewhere"] += 1
            elif quotas is None or (
                sum(other.family == candidate.family for other in mine) < quotas[candidate.family]
                if round_ == 0
                else len(mine) < sum(quotas.values())
            ):
                mine.append(candidate)
                used |= strings
            elif round_ == 0:
                waiting.append(candidate)
            else:
                left_out[candidate.tag]["beyond_quota"] += 1
    items = {
        tag: sorted((i for candidate in mine for i in candidate.items), key=lambda item: item.id)
        for tag, mine in taken.items()
    }
    return Chosen(items, left_out)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
