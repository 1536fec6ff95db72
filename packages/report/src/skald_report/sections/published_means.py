"""The mean gaps of the highlighted model in words, and what limits every published gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.landscape.gaps import NOT_STATED, TIE
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.page.formatting import interval, join, language_name, number
from skald_report.tables.table import MACRO, Table

_DIGITS = ".1f"


def means_and_limits(tables: Mapping[str, Table], own: pd.DataFrame) -> Iterator[str]:
    """Say a model's mean gaps with their languages, which kinds have none, and what to hold against gaps.

    Args:
        tables: With that of kinds without a mean, where there are any.
        own: Rows of `published_gaps` of one model.
    """
    for row in own[own["language"] == MACRO].to_dict("records"):
        yield _mean(row)
    table = tables.get("published_without_mean")
    lacking = table.frame if table is not None else pd.DataFrame(columns=["model"])
    lacking = lacking[lacking["model"] == own["model"].iloc[0]]
    if len(lacking):
        told = join(
            f"{TASK_KINDS[row['task_kind']]} ({row['why_no_mean']})"
            for row in lacking.to_dict("records")
        )
        yield f"No mean is given of {told}."
    yield (
        f"The best of up to {int(own['n_rivals'].max())} rivals is best partly by luck, so gaps to it are rather too large; "
        "intervals and verdicts are corrected for every rival and task of a language, or of a mean for its rivals, "
        "with 95 % for all together (Bonferroni)."
    )
    yield from _harness(own[own["language"] != MACRO])


def _mean(row: Mapping[Any, Any]) -> str:
    side = "behind" if row["gap"] > 0 else "ahead of"
    ends = (row["low"], row["high"]) if row["gap"] > 0 else (-row["high"], -row["low"])
    beyond = "not beyond noise" if row["verdict"] == TIE else "beyond noise"
    floors = ""
    if row["n_floors"] > 0:
        other = row["gap_without_floors"]
        floors = (
            f" At the protocol's floor in {int(row['n_floors'])} of these"
            + (f"; without them the gap is {number(other, '+.1f')}." if pd.notna(other) else ".")
        )  # fmt: skip
    # Two varieties of a language are two data sets of it.
    places = join(dict.fromkeys(language_name(tag) for tag in row["languages"].split()))
    return (
        f"Mean on {TASK_KINDS[row['task_kind']]} over {int(row['n_cells'])} data sets ({places}): "
        f"{number(abs(row['gap']), _DIGITS)} points {side} {row['best_label']}, the best of "
        f"{int(row['n_rivals'])} that have them all ({interval(*ends, _DIGITS)}; {beyond}).{floors}"
    )


def _harness(cells: pd.DataFrame) -> Iterator[str]:
    mine, theirs = cells["harness_version"], cells["best_harness_version"]
    unknown = mine.eq(NOT_STATED) | theirs.eq(NOT_STATED)
    differing = ~unknown & mine.ne(theirs)
    dates = cells["source_date"].ne(cells["best_source_date"])
    if unknown.any() or differing.any():
        yield (
            f"Of {len(cells)} comparisons {int(dates.sum())} are between snapshots of two dates, in "
            f"{int(unknown.sum())} the harness version of a score is not stated and in {int(differing.sum())} the "
            "versions differ: part of such a gap may be the harness's."
        )
