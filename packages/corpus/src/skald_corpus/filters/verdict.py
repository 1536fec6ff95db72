"""What a filter says about one document, and the two shapes a filter has.

Knows nothing of any filter, of documents' metadata or of where removed text goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a document stays, and why not.

    Args:
        kept: Whether it stays.
        reason: Empty when kept, else a short fixed word such as `wrong-language`, by which a funnel
            counts.
        score: The figure that decided, in the unit that the filter names; None where there is none.
        detail: The figure in words, for a person; it never quotes the text.
    """

    kept: bool
    reason: str = ""
    score: float | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        assert self.kept == (not self.reason), "a removal has a reason, and nothing else has"


KEPT = Verdict(True)

#: `(text, language) -> Verdict`; the language is a BCP-47 tag of the register.
Filter = Callable[[str, str], Verdict]
#: `(text, language) -> (text, findings)`: changes the text and says what it changed.
Transform = Callable[[str, str], tuple[str, Sequence[Any]]]


def removed(reason: str, score: float | None = None, detail: str = "") -> Verdict:
    """Return the verdict of a removal.

    Args:
        reason: A short fixed word, see `Verdict`; not empty.
        score: The figure that decided, None where there is none.
        detail: It in words, without the text.
    """
    return Verdict(False, reason, score, detail)
