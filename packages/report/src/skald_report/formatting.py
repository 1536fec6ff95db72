"""How numbers and lists look on the page. Knows digits, refuses to know what they measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from skald_report.blocks import Cell
from skald_report.tables import MACRO


def join(words: Iterable[str], last: str = "and") -> str:
    """Join words as English does: a, b and c."""
    listed = list(words)
    return f" {last} ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def capital(text: str) -> str:
    """Return text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def number(value: float, digits: str) -> str:
    """Return a number with a true minus sign."""
    return f"{value:{digits}}".replace("-", "−")


def interval(low: float, high: float, digits: str = ".3f") -> str:
    """Return an interval in words."""
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    # A dash after a minus sign would be read as one more of them; tables of nine columns need the room.
    between = "–" if low >= 0 else " to "
    return f"{number(low, digits)}{between}{number(high, digits)}"


def span(counts: pd.Series[Any]) -> str:
    """Return the smallest and the largest of some counts."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def with_mean_last(tags: pd.Series[Any]) -> list[str]:
    """Return the distinct languages, their mean at the end."""
    return sorted(dict.fromkeys(tags), key=lambda tag: tag == MACRO)


def score_cells(own: pd.DataFrame, tags: Sequence[str]) -> list[Cell]:
    """Return one model's scores in a row of languages; wordings of a task as the range over them."""
    at = {str(row["language"]): row for row in own.to_dict("records")}
    return [
        Cell(
            f"{at[tag]['score']:.3f}",
            interval(at[tag]["low"], at[tag]["high"]),
            note=_wordings(at[tag]),
        )
        if tag in at
        else Cell("–", "no score")
        for tag in tags
    ]


def _wordings(row: Mapping[Any, Any]) -> str:
    if row["n_wordings"] < 2:
        return ""
    low, high = row["lowest_wording"], row["highest_wording"]
    return f"{row['n_wordings']} wordings: {low:.2f}–{high:.2f}"
