"""A report's numbers, computed again from the item records that it was made of.

Which tables follow from evaluations, `build` knows. The statistics are those of the report itself: what is
checked is that nothing between records and page was changed, lost or made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from skald_specs.errors import UserInputError

from skald_report.build import headline, tables_of_evaluations
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.points import POINTS_FOLDER
from skald_report.sections.claims import claims
from skald_report.sections.remarks import READ, remarks
from skald_report.tables.compose import with_rows
from skald_report.tables.file import REBUILD, REPORT_FILE, as_json, read_report, rows_of, tables_of

#: The table that needs the search of a corpus beside records.
OF_CORPUS = "clean"


class Changed(NamedTuple):
    """A number of `report.json` that does not follow from the records."""

    item: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        return f"{self.item} is {self.recorded}, recomputed {self.recomputed}"


class Checked(NamedTuple):
    """What came of computing a report again.

    Attributes:
        n_cells: Cells of `report.json` that were compared.
        changed: Those that differ.
        n_without_corpus: Scores that were not, because no corpus says which items they leave out.
    """

    n_cells: int
    changed: tuple[Changed, ...]
    n_without_corpus: int = 0


def suites_of(report: Mapping[str, Any]) -> list[str]:
    """Return the suites that a report shows scores of."""
    return list(dict.fromkeys(str(row["suite"]) for row in rows_of(report, "scores")))


def verify_report(
    folder: Path, evaluations: Mapping[str, Path], corpus: Path | None = None
) -> Checked:
    """Compare every score, count, interval, claim and remark of a report with what it follows from.

    Remarks on cost and on the models of others follow from no record: they are compared with the tables
    of the report itself.

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
    file = str(folder / REPORT_FILE)
    suites = suites_of(report)
    for suite in suites:
        if suite not in evaluations:
            raise UserInputError(
                file,
                f"shows scores of suite {suite!r}, of which there are no records",
                "Name the folder of that evaluation too, such as artifacts/eval/core",
            )
    found = _recompute(file, report, tuple(evaluations[suite] for suite in suites), corpus)
    cells, changed = 0, []
    without = 0
    if corpus is None:
        del found["tables"][OF_CORPUS]
        without = len(rows_of(report, OF_CORPUS))
    for item, recorded, recomputed in _pairs(report, found):
        cells += 1
        if recorded != recomputed:
            changed.append(Changed(item, recorded, recomputed))
    return Checked(cells, tuple(changed), without)


def names_of_evaluations() -> tuple[str, ...]:
    """Return the names of the tables that are computed again from evaluations."""
    return tuple(tables_of_evaluations(load(ReportInputs())))


def _recompute(
    file: str, report: Mapping[str, Any], evaluations: tuple[Path, ...], corpus: Path | None
) -> dict[str, Any]:
    watched = dict.fromkeys(str(row["model"]) for row in rows_of(report, "curves"))
    beside = dict.fromkeys(folder.parent / POINTS_FOLDER for folder in evaluations)
    points = [folder / f"{name}.jsonl" for folder in beside for name in watched]
    inputs = ReportInputs(
        evaluations=evaluations, points=tuple(path for path in points if path.is_file())
    )
    if corpus is not None:
        found = ReportInputs.from_folders(corpus.parent, (), (), None)
        inputs = replace(inputs, searched=found.searched, clean=found.clean)
    # The order of the baselines decides which of two is subtracted from the other. Both this and what
    # repeats what with other seeds come from the plans, not from records.
    recorded = rows_of(report, "models")
    sources = replace(
        load(inputs),
        order=tuple(str(row["model"]) for row in recorded if row["role"] == "baseline"),
        seed_groups={str(row["model"]): row["seed_group"] for row in recorded if row["seed_group"]},
    )
    made = tables_of_evaluations(sources)
    tables = with_rows(made)
    said = claims(tables)
    # What follows from other inputs is compared with the tables that it was derived from. When the report was
    # built, those could be read: what they lack now, somebody took.
    others = tables_of(report, READ)
    try:
        sentences = remarks(sources, others | tables, said.gaps)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserInputError(
            file,
            f"no sentence follows from one of its tables {', '.join(others)}: {error!r}",
            REBUILD,
        ) from error
    return {
        "claims": list(said.all),
        "remarks": {subject: list(own) for subject, own in sentences._asdict().items()},
        "headline": headline(tables),
        "tables": {name: as_json(table) for name, table in made.items()},
    }


def _pairs(report: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield every cell with what was recorded and what was computed; a lacking one is None."""
    yield from _both("headline", report.get("headline", {}), found["headline"])
    yield "claims", report.get("claims"), found["claims"]
    yield from _both("remarks", report.get("remarks", {}), found["remarks"])
    for name in found["tables"]:
        yield f"{name}, rows", len(rows_of(report, name)), len(rows_of(found, name))
        old, new = _by_key(report, name), _by_key(found, name)
        for key in dict.fromkeys((*old, *new)):
            at = "/".join(map(str, (name, *key)))
            yield from _both(at, old.get(key, {}), new.get(key, {}))


def _both(
    at: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for column in sorted(old.keys() | new.keys()):
        yield f"{at}/{column}", old.get(column), new.get(column)


def _by_key(report: Mapping[str, Any], name: str) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    keys = report["tables"].get(name, {}).get("keys", ())
    return {tuple(row[part] for part in keys): row for row in rows_of(report, name)}
