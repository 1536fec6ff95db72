"""A report's numbers, computed again from the item records that it was made of.

Knows which tables follow from evaluations. The statistics are those of the report itself: what is
checked is that nothing between records and page was changed, lost or made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from skald_specs.errors import UserInputError

from skald_report.build import headline
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.claims import claims
from skald_report.tables.clean import clean_scores
from skald_report.tables.file import REPORT_FILE, as_json, read_report, rows_of
from skald_report.tables.measured import all_tables

#: Tables that need nothing but evaluations.
_OF_EVALUATIONS = ("models", "scores", "differences", "clean")


class Changed(NamedTuple):
    """A number of `report.json` that does not follow from the records."""

    item: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        return f"{self.item} is {self.recorded}, recomputed {self.recomputed}"


class Checked(NamedTuple):
    """How many cells of `report.json` were compared, and those that differ."""

    n_cells: int
    changed: tuple[Changed, ...]


def suites_of(report: Mapping[str, Any]) -> list[str]:
    """Return the suites that a report shows scores of."""
    return list(dict.fromkeys(str(row["suite"]) for row in rows_of(report, "scores")))


def verify_report(
    folder: Path, evaluations: Mapping[str, Path], corpus: Path | None = None
) -> Checked:
    """Compare every score, count, interval and claim of a report with its records.

    Args:
        folder: Of the report.
        evaluations: Folders of evaluations by suite.
        corpus: The corpus it reports on, which says what training text has; None where it is not
            known, and then the scores without such items are not compared.

    Returns:
        What was compared, and what differs.

    Raises:
        UserInputError: The report or an evaluation is missing or malformed.
    """
    report = read_report(folder)
    suites = suites_of(report)
    for suite in suites:
        if suite not in evaluations:
            raise UserInputError(
                str(folder / REPORT_FILE),
                f"shows scores of suite {suite!r}, of which there are no records",
                "Name the folder of its evaluation too",
            )
    found = _recompute(report, tuple(evaluations[suite] for suite in suites), corpus)
    cells, changed = 0, []
    for item, recorded, recomputed in _pairs(report, found):
        cells += 1
        if recorded != recomputed:
            changed.append(Changed(item, recorded, recomputed))
    return Checked(cells, tuple(changed))


def _recompute(
    report: Mapping[str, Any], evaluations: tuple[Path, ...], corpus: Path | None
) -> dict[str, Any]:
    inputs = ReportInputs(evaluations=evaluations)
    if corpus is not None:
        found = ReportInputs.from_folders(corpus.parent, (), (), None)
        inputs = replace(inputs, searched=found.searched, clean=found.clean)
    # The order of the baselines decides which of two is subtracted from the other.
    baselines = [row["model"] for row in rows_of(report, "models") if row["role"] == "baseline"]
    sources = replace(load(inputs), order=tuple(map(str, baselines)))
    tables = all_tables(sources)
    cleaned = clean_scores(sources, tables["scores"])
    tables |= {cleaned.name: cleaned} if len(cleaned.frame) else {}
    return {
        "claims": list(claims(tables).all),
        "headline": headline(tables),
        "tables": {name: as_json(tables[name]) for name in _OF_EVALUATIONS if name in tables},
    }


def _pairs(report: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield every cell with what was recorded and what was computed; a lacking one is None."""
    yield from _both("headline", report.get("headline", {}), found["headline"])
    yield "claims", report.get("claims"), found["claims"]
    for name in _OF_EVALUATIONS:
        old, new = _by_key(report, name), _by_key(found, name)
        for key in old.keys() | new.keys():
            yield from _both(f"{name}/{key}", old.get(key, {}), new.get(key, {}))


def _both(
    at: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for column in sorted(old.keys() | new.keys()):
        yield f"{at}/{column}", old.get(column), new.get(column)


def _by_key(report: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    keys = report["tables"].get(name, {}).get("keys", ())
    return {"/".join(str(row[part]) for part in keys): row for row in rows_of(report, name)}
