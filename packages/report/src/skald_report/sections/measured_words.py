"""How far the models measured here are from European ones of their class, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skald_report.page.formatting import interval, number
from skald_report.sections.published_words import price
from skald_report.tables.measures import TASKS, TEXT
from skald_report.tables.table import MACRO, Table

#: The measures by name, as sentences and tables of this section call them.
PLACES = {TASKS: "tasks (chance-corrected)", TEXT: "text (bits per byte)"}


def measured_sentences(tables: Mapping[str, Table]) -> list[str]:
    """Return a sentence for each mean that has a rival of its class; none without a measured rival."""
    if "measured_gaps" not in tables:
        return []
    frame = tables["measured_gaps"].frame
    return [_said(row) for row in frame[frame["scope"] == MACRO].to_dict("records")]


def _said(row: Mapping[Any, Any]) -> str:
    place = PLACES[row["measure"]]
    if not row["verdict"]:
        return (
            f"{row['model']} against {row['best']}, the best measured European model of {row['size_class']} on {place}, "
            "mean over languages: not tested, the difference has no interval."
        )
    if row["verdict"] == "tie":
        return (
            f"{row['model']} against {row['best']}, the best measured European model of {row['size_class']} on {place}, "
            f"mean over languages: no difference beyond noise ({interval(row['low'], row['high'], '+.3f')})."
        )
    return (
        f"{row['model']} is {number(abs(row['gap']), '.3f')} {row['verdict']} "
        f"{'of ' if row['verdict'] == 'ahead' else ''}{row['best']}, the best measured European model of "
        f"{row['size_class']}, on {place}, mean over languages "
        f"({interval(row['low'], row['high'], '+.3f')}; beyond noise). {_tokens(row)}"
    )


def _tokens(row: Mapping[Any, Any]) -> str:
    text = price(row)
    return f"{text[:1].upper()}{text[1:]}."
