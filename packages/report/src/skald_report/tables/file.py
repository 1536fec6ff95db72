"""`report.json` and the CSVs: every table of a report as plain data, and how to read it back.

Tables are stored by column names and rows of values (pandas' "split" form): at a hundred models, names
repeated in every row would be most of the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from skald_specs.errors import UserInputError
from skald_specs.files import read_json

from skald_report.tables.table import Table

#: The numbers of a report, and the version of their layout.
REPORT_FILE = "report.json"
SCHEMA_VERSION = 2
#: Digits kept in files: far finer than any tolerance, coarser than the last bits of a sum.
_DIGITS = 9
#: What a spreadsheet takes for the start of a formula; also where it cuts cells at another separator.
_FORMULA = re.compile(r"(^|[\t\n;,|])([=+@\t-])")


def read_report(folder: Path) -> dict[str, Any]:
    """Read a report's numbers.

    Raises:
        UserInputError: The folder holds no report of this schema.
    """
    report = read_json(folder / REPORT_FILE)
    if not isinstance(report, dict) or report.get("schema_version") != SCHEMA_VERSION:
        raise UserInputError(
            str(folder / REPORT_FILE),
            f"not a report of schema {SCHEMA_VERSION}",
            "Build the report again",
        )
    if (problem := _malformed(report)) is not None:
        raise UserInputError(str(folder / REPORT_FILE), problem, "Build the report again")
    return report


def _malformed(report: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a report's layout, as a torn or mended file has it; None where nothing is."""
    for part, kind in (("tables", dict), ("provenance", dict), ("claims", list)):
        if not isinstance(report.get(part), kind):
            return f"has no {part}"
    for name, table in report["tables"].items():
        if not isinstance(table, dict) or not {"keys", "units", "columns", "rows"} <= table.keys():
            return f"table `{name}` lacks a part"
        if not {*table["keys"], *table["units"]} <= set(table["columns"]):
            return f"table `{name}` lacks a column"
        odd = {len(row) for row in table["rows"]} - {len(table["columns"])}
        if odd:
            return (
                f"table `{name}` has a row of {min(odd)} values for {len(table['columns'])} columns"
            )
    return None


def rows_of(report: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of a report by column; none where there is no such table."""
    table = report["tables"].get(name)
    if table is None:
        return []
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def as_json(table: Table) -> dict[str, Any]:
    """Return a table as plain data with its keys and units; a missing number is null."""
    frame = table.frame
    columns = [[plain(value) for value in frame[name].tolist()] for name in frame.columns]
    return {
        "keys": list(table.keys),
        "units": dict(table.units),
        "columns": [str(name) for name in frame.columns],
        "rows": [list(row) for row in zip(*columns, strict=True)],
    }


def as_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula is quoted with '."""
    safe = pd.DataFrame({name: [_cell(value) for value in frame[name].tolist()] for name in frame})
    return str(safe.to_csv(index=False, lineterminator="\n"))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: rounded to the digits kept, a missing one as None."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _cell(value: Any) -> Any:
    found = plain(value)
    if not isinstance(found, str):
        return found
    # A lone carriage return ends a row for most readers, and pandas puts no quotes around it.
    text = found.replace("\r\n", "\n").replace("\r", "\n")
    return _FORMULA.sub(r"\1'\2", text)
