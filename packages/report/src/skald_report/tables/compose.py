"""From checked inputs to the tables of the page: pure functions, one data frame each.

A table knows which columns name a row and the unit of every number, so that two reports can be
compared number by number. Nothing here draws, words or formats.
"""

from __future__ import annotations

from collections.abc import Mapping

from skald_report.reading.inputs import Sources
from skald_report.tables.cells import gather
from skald_report.tables.differences import differences
from skald_report.tables.measures import measures
from skald_report.tables.models import cast_of, models
from skald_report.tables.noise import noise
from skald_report.tables.overall import overall
from skald_report.tables.pairs import compare_all
from skald_report.tables.pairwise import pairwise
from skald_report.tables.runs import curves, plans, training, validation
from skald_report.tables.scores import scores
from skald_report.tables.table import Table


def with_rows(tables: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables that have rows."""
    return {name: table for name, table in tables.items() if len(table.frame)}


def training_tables(sources: Sources) -> dict[str, Table]:
    """Return the tables of plans and training by name, also those without rows."""
    made = [plans(sources), training(sources), validation(sources)]
    return {table.name: table for table in made}


def score_tables(sources: Sources) -> dict[str, Table]:
    """Return the tables of scores by name, also those without rows."""
    cells = gather(sources)
    known = models(sources)
    cast = cast_of(known.frame)
    scored, points = scores(cells, known.frame), curves(sources)
    pairs, averaged = compare_all(cells, cast), measures(cells)
    made = [
        known,
        scored,
        overall(cells, cast, averaged),
        pairwise(pairs, averaged),
        differences(pairs),
        noise(cast, known.frame, scored, pairs, points),
        points,
    ]
    return {table.name: table for table in made}
