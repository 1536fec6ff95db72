"""What a table is: a frame, the columns that name a row, and the unit of every number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

#: The unweighted mean over languages, where a language's tag would stand.
MACRO = "mean"


class Table(NamedTuple):
    """A frame, the columns that name a row, and the units of the columns that are numbers."""

    name: str
    keys: tuple[str, ...]
    units: Mapping[str, str]
    frame: pd.DataFrame


def or_nan(value: float | None) -> float:
    """Return a number as a column has it: NaN where there is none."""
    return math.nan if value is None else value
