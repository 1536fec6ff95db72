"""Model cards as whole files, one for each exported model."""

from __future__ import annotations

from collections.abc import Mapping

from skald_report.cards.body import Card, body
from skald_report.cards.metadata import metadata, shown
from skald_report.reading.inputs import Sources
from skald_report.tables.exported import card_file, exported
from skald_report.tables.table import Table

#: Where a report keeps its cards.
CARDS_FOLDER = "cards"


def model_cards(sources: Sources, tables: Mapping[str, Table], command: str) -> dict[str, str]:
    """Return the cards by file name.

    Args:
        sources: The report's checked inputs.
        tables: The report's tables.
        command: The command that makes the report again.
    """
    if "scores" not in tables:
        return {}
    scores = shown(tables["scores"].frame)
    made = {}
    for name, model in exported(sources).items():
        own = scores[scores["model"] == name]
        plan = sources.plans[name]
        front = metadata(
            name, list(plan.identity.data.mixture), own, tables.get("tasks"), _licence(tables)
        )
        card = Card(name, plan, model, sources, tables, scores, command)
        made[card_file(name)] = f"---\n{front}\n---\n{body(card)}"
    return made


def _licence(tables: Mapping[str, Table]) -> str | None:
    """Return the one licence of all text in the Hub's spelling; several are not one."""
    if "data_licences" not in tables:
        return None
    named = set(tables["data_licences"].frame["licence"])
    return named.pop().lower() if len(named) == 1 else None
