"""How numbers and lists look on the page. Knows digits, refuses to know what they measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from skald_specs.languages import BY_TAG

from skald_report.page.blocks import Cell
from skald_report.tables.table import MACRO

#: Rows of a table that is shown open; longer ones are folded.
MAX_OPEN = 12
#: Rows of a table that the page has at all; longer ones are in the explorer and the files.
MAX_ROWS = 200
#: Names in a sentence; of more it says the number.
_MOST_NAMED = 6
#: Smaller p values are not told apart: the tail of an estimated distribution is not known so far out.
_SMALLEST_P = 0.001
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def join(words: Iterable[str]) -> str:
    """Join words as English does: a, b and c."""
    listed = list(words)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


def capital(text: str) -> str:
    """Return text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def number(value: float, digits: str) -> str:
    """Return a number with a true minus sign; what rounds to nothing has none.

    Args:
        value: A finite number.
        digits: A format specification, as `+.3f`.
    """
    text = f"{value:{digits}}"
    return (
        text.replace("-", "−") if any(digit in text for digit in "123456789") else text.lstrip("+-")
    )


def p_value(p: float) -> str:
    """Return a p value as sentences have it, on one line: p = 0.012, or p < 0.001."""
    if math.isnan(p):
        return "no p value"
    return f"p\u00a0{bare_p(p)}" if p < _SMALLEST_P else f"p\u00a0=\u00a0{bare_p(p)}"


def bare_p(p: float) -> str:
    """Return a p value as columns of them have it: 0.012, or < 0.001; a dash where there is none."""
    if math.isnan(p):
        return "–"
    return f"<\u00a0{_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:#.2g}"


def power_of_ten(value: float) -> str:
    """Return a large number as a mantissa and a power: 1.5 × 10¹⁵."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def some(names: Sequence[str], noun: str) -> str:
    """Return names, or how many there are where they are more than a sentence holds.

    Args:
        names: In the order to say them.
        noun: What they are, in the plural, for the count: `of them`, `models`.
    """
    return join(names) if len(names) <= _MOST_NAMED else f"{len(names):,} {noun}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s for any other than one.

    Args:
        number: A count.
        noun: In the singular.
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def interval(low: float, high: float, digits: str = ".3f") -> str:
    """Return an interval in words.

    Args:
        low: Lower end; NaN where there is no interval.
        high: Upper end.
        digits: A format specification; with a `+` both ends show their sign.
    """
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    # A dash beside a sign would be read as one more of them; tables of nine columns need the room.
    between = "–" if low >= 0 and "+" not in digits else " to "
    return f"{number(low, digits)}{between}{number(high, digits)}"


def span(counts: pd.Series[Any]) -> str:
    """Return the smallest and the largest of some counts."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def with_mean_last(tags: pd.Series[Any]) -> list[str]:
    """Return the distinct languages, their mean at the end."""
    return sorted(dict.fromkeys(tags), key=lambda tag: tag == MACRO)


def score_cells(own: pd.DataFrame, tags: Sequence[str]) -> list[Cell]:
    """Return one model's scores in a row of languages; wordings of a task as the range over them.

    Args:
        own: Rows of `scores` of one model and task, at most one a language; the index is the row
            number in the table.
        tags: Languages, or `MACRO` for the mean over them, in the order of the columns; one without
            a row gets a dash.
    """
    at = {str(row["language"]): row for row in numbered(own)}
    return [
        Cell(
            f"{at[tag]['score']:.3f}",
            interval(at[tag]["low"], at[tag]["high"]),
            note=_wordings(at[tag]),
            of=of("scores", at[tag]["row"], *_shown(at[tag])),
        )
        if tag in at
        else Cell("–", "no score")
        for tag in tags
    ]


def numbered(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return rows with their number in their table as `row`, which is the frame's index."""
    return frame.rename_axis("row").reset_index().to_dict("records")


def _shown(row: Mapping[Any, Any]) -> list[str]:
    wordings = ["lowest_wording", "highest_wording"] if row["n_wordings"] > 1 else []
    return ["score", *([] if math.isnan(row["low"]) else ["low", "high"]), *wordings]


def _wordings(row: Mapping[Any, Any]) -> str:
    """Return the range over the wordings of a task; nothing for one."""
    if row["n_wordings"] < 2:
        return ""
    return f"[{row['lowest_wording']:.2f}–{row['highest_wording']:.2f}]"


def task_cell(model: str, rows: pd.DataFrame) -> Cell:
    """Return the head of a row: a model, the task without its suite, and how many wordings it had.

    Args:
        model: What the row is called by.
        rows: Rows of `scores` of that model and one task, one at least.
    """
    label = str(rows["label"].iloc[0]).removesuffix(f" of suite {rows['suite'].iloc[0]}")
    n_wordings = int(rows["n_wordings"].max())
    return Cell(model, label, note=f"{n_wordings} wordings" if n_wordings > 1 else "")


def language_name(tag: str) -> str:
    """Return a language's English name with its own name: Danish (dansk)."""
    known = BY_TAG.get(tag)
    if known is None:
        return tag
    own = f" ({known.endonym})" if known.endonym != known.english else ""
    return f"{known.english}{own}"


def language_cell(tag: str) -> Cell:
    """Return the head of a language's row: its English name, and its own where that is another."""
    known = BY_TAG.get(tag)
    if known is None:
        return Cell(tag)
    return Cell(known.english, known.endonym if known.endonym != known.english else "")


def of(table: str, row: int, *columns: str) -> str:
    """Return where a cell's numbers stand in `report.json`.

    Args:
        table: Name of the table.
        row: Number of its row, which is the frame's index.
        columns: Columns of the numbers shown, in their order.
    """
    return f"{table}:{row}:{','.join(columns)}"
