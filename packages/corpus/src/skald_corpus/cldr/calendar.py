"""Cloze items of the calendar: what follows in a list, and how this language spells it.

`next`: three months or weekdays, of four names the one that follows ("oktober, november, december,").
`before`: the same backwards ("marts, februar, januar,").
`spelling`: two, and the following one in the spelling of four languages, written with this language's
capitals, so that only the letters tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from skald_specs.items import ClozeItem

from skald_corpus.cldr.own import months, weekdays
from skald_corpus.grammar.register import LANGUAGES
from skald_corpus.keyed import Stream

#: Items of each kind that a language gives, where strings of other languages leave as many.
ITEMS = {"next": 16, "before": 12, "spelling": 12}
_CHOICES = 4
_NAMES = {"month": months, "weekday": weekdays}


def calendar_items(tag: str) -> Iterator[tuple[str, ClozeItem]]:
    """Yield a language's items, each with its kind; the place of the right answer goes round."""
    made = [*_listed(tag, "next", -1), *_listed(tag, "before", 1), *_spelling(tag)]
    for index, (kind, key, context, right, wrong) in enumerate(made):
        choices = [f" {name}" for name in wrong]
        choices.insert(index % _CHOICES, f" {right}")
        yield (
            kind,
            ClozeItem(
                id=f"{tag}-calendar-{kind}-{key.replace(' ', '-')}",
                key=key,
                context=context,
                choices=tuple(choices),
                answer=index % _CHOICES,
            ),
        )


#: Kind, key, context, right name, wrong names.
_Made = tuple[str, str, str, str, list[str]]


def _listed(tag: str, kind: str, step: int) -> Iterator[_Made]:
    for field, names_of in _NAMES.items():
        names = names_of(tag)
        for at, right in enumerate(names):
            said = [names[(at + away * step) % len(names)] for away in (3, 2, 1)]
            # The last name of the list is always among the wrong ones: repeating it is no rule.
            others = [name for name in names if name not in (right, said[-1])]
            drawn = Stream(f"calendar {kind} {tag} {field} {at}").shuffled(others)
            wrong = [said[-1], *drawn[: _CHOICES - 2]]
            yield kind, f"{field} {at + 1}", f"{', '.join(said)},", right, wrong


def _spelling(tag: str) -> Iterator[_Made]:
    for field, names_of in _NAMES.items():
        names = names_of(tag)
        known = {name.casefold() for name in names}
        for at, right in enumerate(names):
            before = [names[at - back] for back in (2, 1)]
            # Where another language would write the same context, its name would be right too.
            foreign = dict.fromkeys(
                names_of(other)[at].casefold()
                for other in LANGUAGES
                if [names_of(other)[at - back] for back in (2, 1)] != before
            )
            others = [name for name in foreign if name not in known]
            if len(others) < _CHOICES - 1:
                continue
            drawn = Stream(f"calendar spelling {tag} {field} {at}").shuffled(others)
            cased = str.capitalize if right[0].isupper() else str
            wrong = [cased(name) for name in drawn[: _CHOICES - 1]]
            yield "spelling", f"{field} {at + 1}", f"{', '.join(before)},", right, wrong
