"""The report station: inputs in, one folder out, the same bytes for the same inputs.

index.html    the page, self-contained
README.md     the same for a forge, with figures/
figures/*.svg
tables/*.csv  every table with all digits
cards/*.md    the model card of each exported model
report.json   every number of the page, with units, for comparison
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from skald_process.progress import part
from skald_specs.files import atomic_folder, write_text

from skald_report.cards.model_card import CARDS_FOLDER, model_cards
from skald_report.landscape.gaps import published_gaps, without_mean
from skald_report.landscape.measured import measured_gaps, published_beside
from skald_report.landscape.scores import landscape
from skald_report.page.writing import write_page
from skald_report.reading.inputs import ReportInputs, Sources, load
from skald_report.sections.claims import claims
from skald_report.sections.compose import compose
from skald_report.sections.context import context_of
from skald_report.sections.provenance import provenance
from skald_report.sections.remarks import remarks
from skald_report.tables.clean import clean_scores
from skald_report.tables.compose import score_tables, training_tables, with_rows
from skald_report.tables.controls import control_table
from skald_report.tables.cost import cost_tables
from skald_report.tables.data import data_tables
from skald_report.tables.evidence import evidence_tables
from skald_report.tables.file import as_csv, column_values, write_report
from skald_report.tables.table import Table
from skald_report.tables.tasks import task_tables
from skald_report.tables.transfer import transfer_tables
from skald_report.tables.untransferred import untransferred


def build(inputs: ReportInputs, out: Path) -> None:
    """Write the report; an earlier one is replaced as a whole.

    Args:
        inputs: Where everything lies; what is missing is named on the page.
        out: The folder, such as `reports/latest`.

    Raises:
        UserInputError: An input is malformed or the disk is full; nothing is left behind.
    """
    # First, so that a place that takes no report is said before anything is computed.
    with atomic_folder(out, marker="report.json") as folder:
        _fill(folder, inputs)


def _fill(folder: Path, inputs: ReportInputs) -> None:
    sources = load(inputs)
    scored = with_rows(tables_of_evaluations(sources))
    tables = scored | with_rows(training_tables(sources)) | transfer_tables(sources)
    tables |= cost_tables(sources) | data_tables(sources) | evidence_tables(inputs.evidence)
    compared = untransferred(sources)
    tables |= {compared.name: compared} if len(compared.frame) else {}
    said = claims(tables)
    if len(sources.published):
        tables["published"] = landscape(sources)
        tables["published_gaps"] = published_gaps(tables["published"], sources.published_models)
        lacking = without_mean(tables["published"], sources.published_models)
        tables |= {lacking.name: lacking} if len(lacking.frame) else {}
    for found in (measured_gaps(tables, sources), published_beside(tables)):
        tables |= {found.name: found} if len(found.frame) else {}
    beside = remarks(sources, tables, said.gaps)
    with part("figures and page"):
        page = compose(context_of(sources, tables, said, beside, inputs))
        write_page(page, folder)
    for name, text in model_cards(sources, tables, inputs.command).items():
        write_text(folder / CARDS_FOLDER / name, text)
    for table in tables.values():
        write_text(folder / "tables" / f"{table.name}.csv", as_csv(table.frame))
    facts = {
        "claims": list(said.all),
        "remarks": beside._asdict(),
        "provenance": provenance(sources),
        "headline": headline(tables),
    }
    write_report(folder, facts, tables)


def tables_of_evaluations(sources: Sources) -> dict[str, Table]:
    """Return every table that follows from evaluations alone by name, also those without rows.

    What is in here is what can be computed again from records; scores over training and the items that
    training text has are read beside them.

    Args:
        sources: The evaluations.
    """
    made = score_tables(sources)
    scores = made["scores"]
    for table in (clean_scores(sources, scores), control_table(sources, scores)):
        made[table.name] = table
    return made | task_tables(sources, scores)


def headline(tables: Mapping[str, Table]) -> dict[str, float]:
    """Return the scores under stable names: suite/kind/language/model."""
    if "scores" not in tables:
        return {}
    frame, keys = tables["scores"].frame, tables["scores"].keys
    names = zip(*(frame[key].tolist() for key in keys), strict=True)
    return dict(zip(map("/".join, names), column_values(frame["score"]), strict=True))
