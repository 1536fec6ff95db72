"""A whole table as compact JSON for the page's script to sort, filter and draw.

Text is coded by a dictionary, numbers stand as whole numbers of their last shown digit, intervals as
distances from their number. Values that repeat stand as runs, others as one or two letters each: 52,000
rows of ten columns take half a megabyte.
"""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skald_report.page.blocks import Column, Explorer
from skald_report.page.prose import own_name, readable

#: What values are written in: no sign that JSON or markup would read as its own, none of an address.
LETTERS = string.ascii_letters + string.digits + "!#$%*+,-.;?@^_|~"


def as_script(explorer: Explorer) -> str:
    """Return the data of an explorer as JSON that no markup can end.

    Args:
        explorer: Its table's index is the row number in `report.json`.
    """
    frame = explorer.table.frame
    data = {
        "table": explorer.table.name,
        "n": len(frame),
        "letters": LETTERS,
        **_rows(frame),
        "columns": [
            _text(frame, column, column.name in explorer.filters)
            if column.digits is None
            else _numbers(frame, column, column.digits)
            for column in explorer.columns
        ],
    }
    return _dumped(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _dumped(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _rows(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the numbers of the rows as steps from one to the next, unless they are 0, 1, 2, ..."""
    numbers: list[int] = frame.index.to_numpy(dtype=np.int64).tolist()
    steps = [own - before for before, own in zip([-1, *numbers], numbers, strict=False)]
    return {"steps": _packed(steps)} if set(steps) - {1} else {}


def _text(frame: pd.DataFrame, column: Column, narrowed: bool) -> dict[str, Any]:
    codes, values = pd.factorize(frame[column.name].astype(str))
    shown = [own_name(readable(column.words.get(value, value))) for value in values]
    own = {str(n): [name, tag] for n, (_, name, tag) in enumerate(shown) if tag}
    return {
        "title": column.title,
        "filter": narrowed,
        "words": [english for english, _, _ in shown],
        **({"own": own} if own else {}),
        "codes": _packed(codes.tolist()),
    }


def _numbers(frame: pd.DataFrame, column: Column, digits: int) -> dict[str, Any]:
    values = _last_digits(frame[column.name], digits)
    found: dict[str, Any] = {
        "title": column.title,
        "digits": digits,
        "of": column.name,
        "values": _packed(values),
    }
    if column.low and column.high:
        low, high = (_last_digits(frame[name], digits) for name in (column.low, column.high))
        found["of"] = ",".join((column.name, column.low, column.high))
        found["below"] = _packed(_distances(values, low))
        found["above"] = _packed(_distances(high, values))
    return found


def _last_digits(values: pd.Series[Any], digits: int) -> list[int | None]:
    """Return numbers in units of their last shown digit; None for a missing one."""
    scale = 10**digits
    return [
        round(round(value, digits) * scale) if math.isfinite(value) else None
        for value in np.asarray(values, dtype=float).tolist()
    ]


def _distances(upper: list[int | None], lower: list[int | None]) -> list[int | None]:
    pairs = zip(upper, lower, strict=True)
    return [None if a is None or b is None else a - b for a, b in pairs]


def _packed(values: Sequence[int | None]) -> Any:
    """Return the values as they are, as runs, or as letters: whichever is shortest."""
    ways = [list(values), {"runs": _runs(values)}, *_lettered(values)]
    return min(ways, key=lambda way: len(_dumped(way)))


def _runs(values: Sequence[int | None]) -> list[int | None]:
    """Return value, length, value, length, ..."""
    runs: list[int | None] = []
    for value in values:
        if runs and runs[-2] == value:
            runs[-1] = (runs[-1] or 0) + 1
        else:
            runs += [value, 1]
    return runs


def _lettered(values: Sequence[int | None]) -> list[dict[str, Any]]:
    """Return the values by their places in a list of the distinct ones, the most frequent first.

    The first `short` places are one letter each; the letters after these begin one of two letters.
    Nothing is returned where there are more distinct values than pairs of letters.
    """
    distinct = [value for value, _ in Counter(values).most_common()]
    base = len(LETTERS)
    if len(distinct) > base * base:
        return []
    short = min(base, (base * base - len(distinct)) // (base - 1))
    words = [*LETTERS[:short], *(first + second for first in LETTERS[short:] for second in LETTERS)]
    word = dict(zip(distinct, words, strict=False))
    return [{"distinct": distinct, "short": short, "text": "".join(map(word.__getitem__, values))}]
