"""A whole table as compact JSON for the page's script to sort, filter and draw.

Text is coded by a dictionary, numbers stand as whole numbers of their last shown digit, intervals as
distances from their number, and values that repeat as runs: 48,000 rows of ten columns take about one
megabyte.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skald_report.page.blocks import Column, Explorer
from skald_report.page.prose import own_name, readable


def as_script(explorer: Explorer) -> str:
    """Return the data of an explorer as JSON that no markup can end.

    Args:
        explorer: Its table's index is the row number in `report.json`.
    """
    frame = explorer.table.frame
    data = {
        "table": explorer.table.name,
        "n": len(frame),
        "columns": [
            _text(frame, column, column.name in explorer.filters)
            if column.digits is None
            else _numbers(frame, column, column.digits)
            for column in explorer.columns
        ],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


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
    """Return the values, or as runs (value, length, value, ...) where these are fewer."""
    runs: list[int | None] = []
    for value in values:
        if runs and runs[-2] == value:
            runs[-1] = (runs[-1] or 0) + 1
        else:
            runs += [value, 1]
    return {"runs": runs} if len(runs) < len(values) else list(values)
