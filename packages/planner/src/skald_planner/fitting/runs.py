"""A file of runs as the run table: Parquet or CSV, ours or somebody else's by a column map.

Knows files, names, units and numbers; `checks.py` knows which rows belong into one fit.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from skald_specs.columns import REQUIRED, Column, ColumnMap
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_text
from skald_specs.runtable import RUN_TABLE_COLUMNS

from skald_planner.fitting.checks import checked

#: What an optional column holds where the file has none; 0 stands for an unknown size.
DEFAULTS: dict[str, float | str | bool | None] = {
    "width": 0, "depth": 0, "n_params_total": 0, "seed": 0, "schedule": "unstated",
    "loss_se": None, "diverged": False, "fingerprint": "", "family": "{}",
}  # fmt: skip
WORDS = ("schedule", "fingerprint", "family")
_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
#: No count has as many; past three hundred no float does.
_MOST_DIGITS = 100
_PARQUET_MAGIC = b"PAR1"


_NAME_TABLE = "Name a Parquet or CSV file with one row per run"


class _Source(NamedTuple):
    """The file as read, and what its rows are called in messages."""

    path: Path
    table: pd.DataFrame
    first_row: int
    row_word: str

    def row(self, index: int) -> str:
        return f"{self.row_word} {index + self.first_row}"


def read_runs(
    path: Path, columns: ColumnMap | None = None, schedule: str | None = None
) -> pd.DataFrame:
    """Read a table of runs and check that one fit may be made of it.

    Args:
        path: Parquet or CSV; told apart by content.
        columns: Where each column comes from; None: the file has the run table's own names.
        schedule: Keep the runs of this schedule only.

    Returns:
        Columns of `skald_specs.runtable.RunRow`, absent optional ones filled with `DEFAULTS`, ordered
        by cell, batch, learning rate and seed. The loss of a diverged run is NaN. What was changed on
        the way stands as sentences in `attrs["notes"]`.

    Raises:
        UserInputError: The file is missing or no table; a column is missing; a cell is no number, or
            impossible; batches look like sequences; runs repeat and disagree; schedules or families
            are mixed; every run diverged.
    """
    source = _read(path)
    if source.table.empty:
        raise UserInputError(str(path), "it has no rows", "Name a table of finished runs")
    table = _own(source) if columns is None else _mapped(source, columns)
    for name in table.columns:
        if name in WORDS:
            table[name] = table[name].fillna("").astype(str)
        elif name == "diverged":
            table[name] = _truths(source, table[name])
        else:
            table[name] = _numbers(source, table[name])
    return checked(table, str(path), source.row, schedule)


def _read(path: Path) -> _Source:
    if path.is_dir():
        raise UserInputError(
            str(path), "a folder, not a table", f"Name the table in it: {path / 'runs.parquet'}"
        )
    if not path.is_file():
        raise UserInputError(
            str(path), "no such file", "Name a table of runs, or make one with `skald sweep run`"
        )
    try:
        with path.open("rb") as stream:
            parquet = stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
        if parquet:
            with read_by_library(path, "not a table", _NAME_TABLE):
                return _Source(path, pd.read_parquet(path).reset_index(drop=True), 0, "row")
        text = io.StringIO(read_text(path))
        # Row 0 of the data is line 2 of the file.
        source = _Source(path, pd.read_csv(text, low_memory=False, index_col=False), 2, "line")
    except (OSError, ValueError) as error:
        raise _no_table(path, str(error)) from None
    if len(source.table.columns) == 1:
        header = str(source.table.columns[0])
        raise UserInputError(
            str(path), f"its header is one column, `{header[:60]}`", "Separate the cells by commas"
        )
    return source


def _no_table(path: Path, complaint: str) -> UserInputError:
    """Turn what pandas says of a file into one line."""
    if cells := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", complaint):
        header, line, found = cells.groups()
        return UserInputError(
            str(path),
            f"line {line} has {found} cells, the header {header}",
            "Mend the line; a cell that holds a comma stands in quotes",
        )
    return UserInputError(
        str(path),
        f"not a table ({complaint.strip()})",
        _NAME_TABLE,
    )


def _own(source: _Source) -> pd.DataFrame:
    missing = [name for name in REQUIRED if name not in source.table.columns]
    if missing:
        raise UserInputError(
            str(source.path),
            f"no column {', '.join(f'`{name}`' for name in missing)}",
            "Say which of its columns they are: --columns MAP "
            "(recipes/columns/steplaw.yaml is an example)",
        )
    table = pd.DataFrame(index=source.table.index)
    for name in RUN_TABLE_COLUMNS:
        table[name] = source.table.get(name, DEFAULTS.get(name))
    return table


def _mapped(source: _Source, columns: ColumnMap) -> pd.DataFrame:
    table = pd.DataFrame(index=source.table.index)
    for name in RUN_TABLE_COLUMNS:
        given = columns.columns.get(name)
        table[name] = DEFAULTS.get(name) if given is None else _column(source, name, given)
    return table


def _column(source: _Source, name: str, given: Column) -> pd.Series | float | str | None:
    if given.column is None:
        return given.value
    used = (given.column, *given.times)
    for theirs in used:
        if theirs not in source.table.columns:
            raise UserInputError(
                str(source.path),
                f"no column `{theirs}`, which the column map names for {name}; it has "
                f"{', '.join(map(str, source.table.columns[:12]))}",
                "Correct the column map",
            )
    if name in WORDS or name == "diverged":
        return source.table[given.column]
    values = pd.Series(given.scale, index=source.table.index)
    for theirs in used:
        values = values * _numbers(source, source.table[theirs])
    return values


def _numbers(source: _Source, cells: pd.Series) -> pd.Series:
    """Return cells as floats; a word among them is an error, and an empty cell where none may be."""
    known = cells if pd.api.types.is_numeric_dtype(cells) else cells.map(_unless_beyond_floats)
    values = pd.to_numeric(known, errors="coerce").astype(float)
    words = np.flatnonzero((values.isna() & cells.notna()).to_numpy())
    if len(words):
        at = int(words[0])
        raise UserInputError(
            str(source.path),
            f"column `{cells.name}`, {source.row(at)}: {cells.iloc[at]!r} is no number "
            f"({len(words)} such cells)",
            "Correct the cell, or leave out the row; the other rows can be fitted",
        )
    return values


def _unless_beyond_floats(cell: object) -> object:
    whole = isinstance(cell, int) or (isinstance(cell, str) and cell.strip().lstrip("+-").isdigit())
    return None if whole and len(str(cell)) > _MOST_DIGITS else cell


def _truths(source: _Source, cells: pd.Series) -> pd.Series:
    values = cells.map(lambda cell: _TRUTHS.get(str(cell).strip().lower()))
    unknown = np.flatnonzero(values.isna().to_numpy())
    if len(unknown):
        at = int(unknown[0])
        raise UserInputError(
            str(source.path),
            f"column `{cells.name}`, {source.row(at)}: {cells.iloc[at]!r} is neither true nor false",
            "Write true or false",
        )
    return values.astype(bool)
