"""Where in a text its normalised words stand, and the text without some of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from skald_corpus.words import words

Span = tuple[int, int]
_TOKEN = re.compile(r"\S+")


def word_spans(text: str) -> list[Span] | None:
    """Return the characters that each normalised word came from, up to white space on both sides.

    Args:
        text: Any text.

    Returns:
        One span a word, or None for a text whose words cannot be told apart by white space (a
        compatibility character that normalises to a space).
    """
    spans: list[Span] = []
    found: list[str] = []
    for token in _TOKEN.finditer(text):
        here = words(token.group())
        found += here
        spans += [token.span()] * len(here)
    return spans if found == words(text) else None


def without(text: str, spans: Iterable[Span]) -> str:
    """Return a text without some spans; what was apart stays apart, by a line end.

    Args:
        text: Any text.
        spans: Character ranges, in any order; they may overlap.
    """
    pieces, at = [], 0
    for first, last in joined(spans):
        pieces.append(text[at:first])
        at = last
    pieces.append(text[at:])
    return "\n".join(piece.strip() for piece in pieces if piece.strip())


def joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap, in order."""
    out: list[Span] = []
    for first, last in sorted(spans):
        if out and first <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return out
