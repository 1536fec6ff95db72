"""What every section is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from skald_report.figures.rows import leaders
from skald_report.figures.style import Look, looks
from skald_report.reading.inputs import ReportInputs, Sources
from skald_report.sections.claims import Said
from skald_report.sections.remarks import Remarks
from skald_report.tables.models import task_checks
from skald_report.tables.table import Table


class Context(NamedTuple):
    """The checked inputs and every table; a table without rows is absent.

    Attributes:
        sources: The checked inputs.
        tables: All tables by name.
        said: Claims derived from the tables.
        remarks: What else the lists say.
        inputs: Where they were read, and the command that makes the report again.
        baselines: In the order of the page: those planned, or those evaluated.
        roles: Role of every evaluated model.
        look: Colour and shape of every model that is drawn.
    """

    sources: Sources
    tables: Mapping[str, Table]
    said: Said
    remarks: Remarks
    inputs: ReportInputs
    baselines: tuple[str, ...]
    roles: Mapping[str, str]
    look: Mapping[str, Look]


def context_of(
    sources: Sources,
    tables: Mapping[str, Table],
    said: Said,
    remarks: Remarks,
    inputs: ReportInputs,
) -> Context:
    """Join what the sections need.

    Args:
        sources: The checked inputs.
        tables: All tables by name; a table without rows is absent.
        said: Claims derived from the tables.
        remarks: What else the lists say.
        inputs: Where the sources were read, and the command that makes the report again.
    """
    named = list(sources.plans) or [
        m.name for s in sources.summaries[:1] for m in s.models if m.role == "baseline"
    ]
    roles: dict[str, str] = {}
    if "models" in tables:
        frame = tables["models"].frame
        roles = dict(zip(frame["model"], frame["role"], strict=True))
    # Planned baselines come first, so that a run keeps its colour when it was not evaluated.
    placed = dict.fromkeys(named, "baseline") | roles
    everyone = pd.DataFrame({"model": list(placed), "role": list(placed.values())})
    # Rules about answers would only clutter the figures of models.
    best = leaders(tables["overall"].frame) if "overall" in tables else ()
    look = looks(everyone[~task_checks(everyone)], best)
    return Context(sources, tables, said, remarks, inputs, tuple(named), roles, look)
