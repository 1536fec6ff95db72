"""Plain text as HTML: code, the own names of languages, and links to the glossary.

Texts may hold names that others chose. Markup in them is escaped, and characters that would turn the
text around them or cannot be written are shown as what they are: not readable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from markupsafe import Markup, escape
from skald_specs.languages import BY_TAG

from skald_report.page.blocks import Term

#: Control characters, marks that change the direction of what follows, and halves of a surrogate pair.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def readable(text: str) -> str:
    """Return text with a replacement character for each that must not reach a reader."""
    return _UNREADABLE.sub("\ufffd", text)


def anchor_of(term: Term) -> str:
    """Return where the glossary explains a term."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.name.lower()).strip("-")


def own_name(text: str) -> tuple[str, str, str]:
    """Split a language's name into the English one, its own and its tag: Danish (dansk), da.

    Returns:
        The text, and two empty ones where it is no such name.
    """
    english, _, rest = text.partition(" (")
    tag = _endonyms().get(text)
    return (english, rest.removesuffix(")"), tag) if tag else (text, "", "")


class Prose:
    """Turns the plain text of one page into HTML.

    Args:
        terms: What the page's glossary explains; empty where it has none.
    """

    def __init__(self, terms: tuple[Term, ...] = ()) -> None:
        self._anchors = [anchor_of(term) for term in terms]
        names = [term.said or re.escape(term.name) for term in terms]
        groups = [f"(?P<t{n}>{name})" for n, name in enumerate(names)]
        # Longer names first: "size class" before "class".
        groups.sort(key=len, reverse=True)
        self._terms = re.compile(rf"(?<![\w-])(?:{'|'.join(groups)})(?![\w-])") if groups else None

    def text(self, text: str) -> Markup:
        """Return text with words between backticks as code and own names in their language."""
        return _with_code(text, _named)

    def caption(self, text: str, linked: list[str]) -> Markup:
        """Return text that also links the terms not in `linked`, which gains them.

        Args:
            text: Plain text; markup in it is escaped.
            linked: Terms that the section links already; changed in place.
        """
        return _with_code(text, lambda part: self._link(part, linked))

    def _link(self, text: str, linked: list[str]) -> Markup:
        out, end = Markup(""), 0
        for match in self._terms.finditer(text) if self._terms else ():
            anchor = self._anchors[int((match.lastgroup or "t0")[1:])]
            if anchor in linked:
                continue
            linked.append(anchor)
            out += _named(text[end : match.start()])
            out += Markup('<a class="term" href="#{}">{}</a>').format(anchor, match[0])
            end = match.end()
        return out + _named(text[end:])


def _with_code(text: str, plain: Callable[[str], Markup]) -> Markup:
    parts = readable(text).split("`")
    if len(parts) % 2 == 0:
        return plain("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else plain(part)
        for number, part in enumerate(parts)
    )


def _named(text: str) -> Markup:
    """Escape text; a language's own name gets its language."""
    out, end = Markup(""), 0
    for match in _names().finditer(text):
        english, own, tag = own_name(match[0])
        out += escape(text[end : match.start()])
        out += Markup('{} (<span lang="{}">{}</span>)').format(english, tag, own)
        end = match.end()
    return out + escape(text[end:])


@cache
def _endonyms() -> Mapping[str, str]:
    return {
        f"{known.english} ({known.endonym})": tag
        for tag, known in BY_TAG.items()
        if known.endonym != known.english
    }


@cache
def _names() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(name) for name in _endonyms()))
