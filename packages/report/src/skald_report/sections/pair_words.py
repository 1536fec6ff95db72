"""One pair of models in words: its difference, how sure that is, and what would have been found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from skald_report.page.formatting import interval, number, p_value
from skald_report.sections.rivals import Measure
from skald_report.tables.pairs import SEEDS
from skald_report.tables.table import Table

#: What a detectable difference is, in words.
FOUND = "would have been found with 80 % power after Holm's correction"
#: Models or cells that a sentence names one by one.
MAX_NAMED = 6


def among(pairwise: Table | None, measure: Measure, named: Sequence[str]) -> pd.DataFrame:
    """Return the pairs of a measure whose models are both named; of two seeds there is nothing to compare.

    Args:
        pairwise: The table of that name; None where there is no pair.
        measure: One of `MEASURES`.
        named: Models; of a pair with any other nothing is returned.
    """
    if pairwise is None:
        return pd.DataFrame()
    frame = pairwise.frame
    among = frame["model"].isin(named) & frame["reference"].isin(named)
    return frame[among & (frame["measure"] == measure.name) & (frame["verdict"] != SEEDS)]


def difference_words(pair: pd.Series[Any]) -> str:
    """Return a pair's difference with its interval and corrected p value."""
    between = f"95 % interval {interval(pair['low'], pair['high'], '+.3f')}"
    return f"{number(pair['difference'], '+.3f')} ({between}, Holm-corrected {p_value(pair['p_holm'])})"


def seed_words(pair: pd.Series[Any]) -> str:
    """Return whether a pair differs by more than two seeds of one baseline do; nothing where not known."""
    apart = pair["seed_difference"]
    if math.isnan(apart):
        return ""
    told = "more than" if abs(pair["difference"]) > apart else "no more than"
    return f"; that is {told} two seeds of one baseline differ by ({apart:.3f} in 95 % of cases)"


def detectable_words(pair: pd.Series[Any]) -> str:
    """Return what a tied pair would have shown, had it been there; nothing for others."""
    if pair["verdict"] != "tie":
        return ""
    if math.isnan(pair["mde"]):
        return "; how small a difference would have been found is not known"
    return f"; a true difference of {pair['mde']:.3f} {FOUND}"
