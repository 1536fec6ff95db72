"""`report.json` and the CSVs: every table of a report as plain data, and how to read it back.

Tables are stored by column names and rows of values (pandas' "split" form): at a hundred models, names
repeated in every row would be most of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, write_text

from skald_report.tables.table import Table

#: The numbers of a report, and the version of their layout.
REPORT_FILE = "report.json"
SCHEMA_VERSION = 2
REBUILD = "Build the report again"
#: Keys of tables that are read back, by comparisons, releases, model cards and `verify`; and what else is read
#: of one that has rows.
_READ: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "models": (("model",), ("role", "weights_sha256", "seed_group")),
    "tasks": (("suite", "task"), ("language", "label", "kind", "version", "data_sha256")),
    "scores": (
        ("suite", "task", "language", "model"),
        ("kind", "label", "score", "low", "high", "n_items"),
    ),
    "differences": (
        ("suite", "task", "language", "model", "reference"),
        ("kind", "label", "difference", "low", "high", "verdict"),
    ),
    "overall": (("measure", "scope", "model"), ("score", "low", "high")),
    "pairwise": (
        ("measure", "model", "reference"),
        ("difference", "low", "high", "verdict", "wins", "losses"),
    ),
}
#: Columns of these tables that are text wherever they stand, beside the keys.
_TEXTS = frozenset(
    ("role", "weights_sha256", "seed_group", "language", "label", "kind", "data_sha256", "verdict")
)
#: Digits kept in files: far finer than any tolerance, coarser than the last bits of a sum.
_DIGITS = 9
#: Sizes between which a number times a power of ten is exact, so that all are rounded at once.
_SMALL, _LARGE = 1e-12, 1e15
#: No number of a report is larger; differences and ratios of such are still numbers.
_LARGEST = 1e100
#: What a spreadsheet takes for the start of a formula; also where it cuts cells at another separator.
_FORMULA = re.compile(r"(?<![^\t\n;,|])(?=[=+@\t-])")


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
            REBUILD,
        )
    if (problem := _malformed(report)) is not None:
        raise UserInputError(str(folder / REPORT_FILE), problem, REBUILD)
    return report


def _malformed(report: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a report's layout, as a torn or mended file has it; None where nothing is."""
    for part, kind in (("tables", dict), ("provenance", dict), ("claims", list)):
        if not isinstance(report.get(part), kind):
            return f"has no {part}"
    for name, table in report["tables"].items():
        if not isinstance(table, dict) or not {"keys", "units", "columns", "rows"} <= table.keys():
            return f"table `{name}` lacks a part"
        if not isinstance(table["units"], dict) or not all(
            isinstance(table[part], list) for part in ("keys", "columns", "rows")
        ):
            return f"table `{name}` has a part of another kind"
        words = [*table["keys"], *table["columns"], *table["units"].values()]
        if not all(isinstance(word, str) for word in words):
            return f"table `{name}` has a name that is no text"
        if len(set(table["columns"])) < len(table["columns"]):
            return f"table `{name}` has a column twice"
        if not all(isinstance(row, list) and _plain_row(row) for row in table["rows"]):
            return f"table `{name}` has a row that is no list of numbers and texts"
        keys, more = _READ.get(name, (table["keys"], ()))
        if table["keys"] != list(keys):
            return f"table `{name}` has not the keys {', '.join(keys)}"
        needed = [*table["keys"], *table["units"], *(more if table["rows"] else ())]
        if lacking := [column for column in needed if column not in table["columns"]]:
            return f"table `{name}` lacks the column `{lacking[0]}`"
        if (odd := _odd_cell(table, () if name not in _READ else _TEXTS.union(keys))) is not None:
            return f"table `{name}` has {odd}"
    return None


def _odd_cell(table: Mapping[str, Any], texts: Collection[str]) -> str | None:
    """Say what is wrong with some row of a table of which these columns are text."""
    if odd := {len(row) for row in table["rows"]} - {len(table["columns"])}:
        return f"a row of {min(odd)} values for {len(table['columns'])} columns"
    for at, column in enumerate(table["columns"]):
        cells = [row[at] for row in table["rows"]]
        if column in table["units"] and not all(map(_is_number, cells)):
            return "a cell that is no number under a unit"
        if column in texts and not all(isinstance(cell, str | None) for cell in cells):
            return f"a cell of column `{column}` that is no text"
    return None


def _plain_row(row: list[Any]) -> bool:
    return not any(isinstance(value, list | dict) for value in row)


def _is_number(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (known and abs(value) < _LARGEST)


def rows_of(report: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of a report by column; none where there is no such table.

    Args:
        report: As `read_report` returns it.
        name: A table's.
    """
    table = report["tables"].get(name)
    if table is None:
        return []
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def write_report(folder: Path, facts: Mapping[str, Any], tables: Mapping[str, Table]) -> None:
    """Write `report.json`, one row a line.

    Args:
        folder: Of the report.
        facts: What stands beside the tables.
        tables: By name.
    """
    content = {**facts, "schema_version": SCHEMA_VERSION, "tables": {}}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    parts = ",\n".join(f" {_text(name)}: {_table_text(tables[name])}" for name in sorted(tables))
    # Of the keys, `tables` is the last.
    start = text.rindex('"tables": {}')
    write_text(folder / REPORT_FILE, f'{text[:start]}"tables": {{\n{parts}\n}}\n}}\n')


def _table_text(table: Table) -> str:
    found = as_json(table)
    rows = ",\n".join(_text(row) for row in found.pop("rows"))
    said = ",\n".join(f"  {_text(name)}: {_text(value)}" for name, value in found.items())
    return f'{{\n{said},\n  "rows": [\n{rows}\n  ]\n }}'


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_json(table: Table) -> dict[str, Any]:
    """Return a table as plain data with its keys and units; a missing number is null."""
    frame = table.frame
    columns = [column_values(frame[name]) for name in frame.columns]
    return {
        "keys": list(table.keys),
        "units": dict(table.units),
        "columns": [str(name) for name in frame.columns],
        "rows": [list(row) for row in zip(*columns, strict=True)],
    }


def as_filed(table: Table) -> Table:
    """Return a table as it is read back from `report.json`, to the digits kept there."""
    return _table(table.name, as_json(table))


def tables_of(report: Mapping[str, Any], names: Iterable[str]) -> dict[str, Table]:
    """Return those of the named tables that a report has.

    Args:
        report: As `read_report` returns it.
        names: Tables; those that the report does not have are left out.
    """
    return {
        name: _table(name, report["tables"][name]) for name in names if name in report["tables"]
    }


def _table(name: str, found: Mapping[str, Any]) -> Table:
    frame = pd.DataFrame(found["rows"], columns=found["columns"])
    return Table(name, tuple(found["keys"]), found["units"], frame)


def column_values(column: pd.Series[Any]) -> list[Any]:
    """Return a column as JSON has it: numbers rounded to the digits kept, a missing one as None."""
    if column.dtype == np.float64:
        numbers = column.to_numpy()
        values: list[Any] = _rounded(numbers).tolist()
        return values if np.isfinite(numbers).all() else [
            value if known else None
            for value, known in zip(values, np.isfinite(numbers).tolist(), strict=True)
        ]  # fmt: skip
    return [_plain(value) for value in column.tolist()]


def as_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula is quoted with '."""
    safe = pd.DataFrame({name: _safe(frame[name]) for name in frame})
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _safe(column: pd.Series[Any]) -> Any:
    if column.dtype == np.float64:
        numbers = column.to_numpy()
        return np.where(np.isfinite(numbers), _rounded(numbers), np.nan)
    if column.dtype.kind in "iub":
        return column.to_numpy()
    # A name stands in many rows.
    codes, names = pd.factorize(column, use_na_sentinel=False)
    return np.array([_without_formula(_plain(name)) for name in names.tolist()], object)[codes]


def _without_formula(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A lone carriage return ends a row for most readers, and pandas puts no quotes around it.
    return _FORMULA.sub("'", value.replace("\r\n", "\n").replace("\r", "\n"))


def _rounded(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers with the digits kept, each the nearest to its decimal form."""
    size = np.abs(numbers)
    usual = (size >= _SMALL) & (size < _LARGE)
    found = numbers.copy()
    own = numbers[usual]
    places = _DIGITS - 1 - np.floor(np.log10(size[usual])).astype(np.int64)
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    found[usual] = np.round(own * up / down) / up * down
    for at in np.flatnonzero(~usual & np.isfinite(numbers) & (size > 0)):
        found[at] = float(f"{numbers[at]:.{_DIGITS}g}")
    return found


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
