"""The tables of a report, for tests that ask nothing of its page."""

from skald_report.reading.inputs import Sources
from skald_report.tables.compose import score_tables, training_tables, with_rows
from skald_report.tables.table import Table


def all_tables(sources: Sources) -> dict[str, Table]:
    """Return the tables of scores and of training by name; one without rows is left out."""
    return with_rows(score_tables(sources) | training_tables(sources))
