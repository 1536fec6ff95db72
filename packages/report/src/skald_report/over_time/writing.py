"""A comparison as a folder: page, README, JSON and CSV, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from skald_specs.claims import Measure
from skald_specs.files import atomic_folder, write_json, write_text

from skald_report.over_time.changes import Changes, changes
from skald_report.over_time.compare import compare
from skald_report.over_time.page import comparison_page
from skald_report.over_time.records import paired_changes, records_of
from skald_report.over_time.words import sentences
from skald_report.page.writing import write_page
from skald_report.tables.file import REPORT_FILE, as_csv, as_json, read_report
from skald_report.tables.table import Table

COMPARISON_FILE = "comparison.json"
SCHEMA_VERSION = 1


class Comparison(NamedTuple):
    """Two reports against each other.

    Attributes:
        old: Name of the earlier report.
        new: Name of the later one.
        found: What changed.
        said: The same in sentences.
        measures: Every number against its tolerance.
    """

    old: str
    new: str
    found: Changes
    said: tuple[str, ...]
    measures: tuple[Measure, ...]


def compared(
    old: Path,
    new: Path,
    records: tuple[Path, Path] | None = None,
    names: tuple[str, str] | None = None,
) -> Comparison:
    """Compare two report folders.

    Args:
        old: The earlier report.
        new: The later one.
        records: Folders with the evaluations that they were made of, for paired tests.
        names: What the reports are called; None: by their folders.

    Raises:
        UserInputError: A folder holds no report of this schema, or a record does not fit its report.
    """
    before, after = read_report(old), read_report(new)
    if records is None:
        found = changes(before, after)
    else:
        sides = zip(records, (before, after), (old, new), strict=True)
        then, now = (records_of(*side) for side in sides)
        found = changes(before, after, paired_changes(then, now, after))
    same = (old / REPORT_FILE).read_bytes() == (new / REPORT_FILE).read_bytes()
    return Comparison(
        *(names or _names(old, new)),
        found,
        tuple(sentences(found, same)),
        tuple(compare(old, new)),
    )


def _names(old: Path, new: Path) -> tuple[str, str]:
    short = old.resolve().name, new.resolve().name
    return short if short[0] != short[1] else (str(old), str(new))


def write_comparison(made: Comparison, out: Path) -> None:
    """Write a comparison's folder; an earlier one is replaced as a whole.

    Args:
        made: The comparison.
        out: The folder.

    Raises:
        UserInputError: The folder is somebody's own, or cannot be written to.
    """
    with atomic_folder(out, marker=COMPARISON_FILE) as folder:
        fill(made, folder)


def fill(made: Comparison, folder: Path) -> None:
    """Write a comparison's files into a folder.

    Args:
        made: The two reports against each other.
        folder: One that the caller writes whole or not at all.
    """
    page = comparison_page(made.old, made.new, made.found, made.said, made.measures)
    failed = [m.model_dump(mode="json") for m in made.measures if m.holds is not True]
    tolerances = Table("tolerances", ("measure",), {}, pd.DataFrame(failed))
    tables = [*made.found.judged.values(), made.found.flipped, made.found.provenance]
    tables += [tolerances] if failed else []
    write_page(page, folder)
    for table in tables:
        write_text(folder / "tables" / f"{table.name}.csv", as_csv(table.frame))
    write_json(
        folder / COMPARISON_FILE,
        {
            "schema_version": SCHEMA_VERSION,
            "old": made.old,
            "new": made.new,
            "claims": list(made.said),
            "moved": {what: moved._asdict() for what, moved in made.found.moved.items()},
            "tables": {table.name: as_json(table) for table in tables},
        },
    )
