"""The report station: inputs in, one folder out, the same bytes for the same inputs.

index.html    the page, self-contained
README.md     the same for a forge, with figures/
figures/*.svg
tables/*.csv  every table with all digits
report.json   every number of the page, with units, for comparison
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from skald_specs.files import atomic_folder, write_json, write_text

from skald_report import html, markdown
from skald_report.blocks import Gallery
from skald_report.clean import clean_scores
from skald_report.compare import REPORT_FILE, SCHEMA_VERSION
from skald_report.content import compose
from skald_report.controls import control_table
from skald_report.inputs import ReportInputs, load
from skald_report.landscape import landscape
from skald_report.provenance import provenance, tasks
from skald_report.tables import Table, all_tables
from skald_report.transfer_tables import transfer_tables
from skald_report.untransferred import untransferred
from skald_report.wording import claims

#: Digits kept in files: far finer than any tolerance, coarser than the last bits of a sum.
_DIGITS = 9


def build(inputs: ReportInputs, out: Path) -> None:
    """Write the report; an earlier one is replaced as a whole.

    Args:
        inputs: Where everything lies; what is missing is named on the page.
        out: The folder, such as `reports/latest`.

    Raises:
        UserInputError: An input is malformed or the disk is full; nothing is left behind.
    """
    sources = load(inputs)
    tables = all_tables(sources) | transfer_tables(sources)
    compared = untransferred(sources)
    tables |= {compared.name: compared} if len(compared.frame) else {}
    said = (
        claims(tables["models"], tables["scores"], tables.get("differences"))
        if "scores" in tables
        else []
    )
    if "scores" in tables:
        cleaned = clean_scores(sources, tables["scores"])
        tables |= {cleaned.name: cleaned} if len(cleaned.frame) else {}
        checked = control_table(sources, tables["scores"])
        tables |= {checked.name: checked} if len(checked.frame) else {}
        tables["tasks"] = tasks(sources, tables["scores"])
    if len(sources.published):
        tables["published"] = landscape(sources)
    page = compose(sources, tables, said, inputs)
    with atomic_folder(out, marker="report.json") as folder:
        write_text(folder / "index.html", html.render(page))
        write_text(folder / "README.md", markdown.render(page))
        for section in page.sections:
            for block in section.blocks:
                for drawing in block.drawings if isinstance(block, Gallery) else ():
                    write_text(folder / "figures" / f"{drawing.name}.svg", drawing.svg + "\n")
        for table in tables.values():
            write_text(folder / "tables" / f"{table.name}.csv", as_csv(table.frame))
        write_json(
            folder / REPORT_FILE,
            {
                "schema_version": SCHEMA_VERSION,
                "claims": list(said),
                "provenance": provenance(sources),
                "headline": headline(tables),
                "tables": {name: as_json(table) for name, table in tables.items()},
            },
        )


def headline(tables: Mapping[str, Table]) -> dict[str, float]:
    """Return the scores under stable names: suite/kind/language/model."""
    if "scores" not in tables:
        return {}
    rows = tables["scores"].frame.to_dict("records")
    return {
        "/".join(str(row[key]) for key in tables["scores"].keys): _rounded(row["score"])
        for row in rows
    }


def as_json(table: Table) -> dict[str, Any]:
    """Return a table as plain data with its keys and units; a missing number is null."""
    rows = [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.frame.to_dict("records")
    ]
    return {"keys": list(table.keys), "units": dict(table.units), "rows": rows}


def as_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula is quoted with '."""
    safe = frame.copy()
    for name in safe.columns:
        safe[name] = [_cell(value) for value in safe[name]]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _cell(value: Any) -> Any:
    plain = _plain(value)
    if isinstance(plain, str) and plain[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + plain
    return plain


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return _rounded(value) if isinstance(value, float) else value


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
