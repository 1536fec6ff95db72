"""What proofs measured that no cycle repeats, as one table."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
from skald_specs.claims import Measure

from skald_report.reading.evidence import read_measures
from skald_report.tables.table import Table

#: Proofs whose measures a page shows.
PROOFS = ("mup", "transfer")
HOLDS, FAILS, UNKNOWN, NO_BOUND = "holds", "does not hold", "not measured", "no bound"
#: How measures that are reported without judging them state their bound.
_WITHOUT = ("", "-", "none", "no bound", "measured")


def evidence_tables(folder: Path | None) -> dict[str, Table]:
    """Return the table of measures by name; nothing without evidence.

    Args:
        folder: The evidence folder, with a folder for each proof, or None.

    Raises:
        UserInputError: A proof's measures are malformed.
    """
    table = measures(folder)
    return {table.name: table} if len(table.frame) else {}


def measures(folder: Path | None) -> Table:
    """Return every measure of the proofs with its bound and what came of it.

    `bounded` is whether a bound judges the measure. No column has a unit: a rerun of a proof is no rerun of
    this report.

    Args:
        folder: The evidence folder, or None.

    Raises:
        UserInputError: A proof's measures are malformed.
    """
    rows = [
        {
            "proof": proof,
            "measure": m.measure,
            "value": math.nan if m.value is None else m.value,
            "unit": m.unit,
            "bound": typeset(m.bound),
            "bounded": m.bound not in _WITHOUT,
            "verdict": verdict(m),
            "detail": typeset(m.detail),
        }
        for proof in PROOFS
        if folder is not None and (folder / proof).is_dir()
        for m in read_measures(folder / proof)
    ]
    return Table("measures", ("proof", "measure"), {}, pd.DataFrame(rows))


def typeset(text: str) -> str:
    """Return a proof's text with the signs of print for those of a keyboard."""
    for typed, printed in (("<=", "≤"), (">=", "≥"), ("== ", "= "), ("+-", "±")):
        text = text.replace(typed, printed)
    return text


def verdict(measure: Measure) -> str:
    """Return what came of a measure, in a word."""
    if measure.holds is None:
        return UNKNOWN
    if measure.bound in _WITHOUT and measure.holds:
        return NO_BOUND
    return HOLDS if measure.holds else FAILS
