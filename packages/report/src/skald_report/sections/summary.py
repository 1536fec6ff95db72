"""Which model is better: what a reader in a hurry reads, alone.

Its sentences are the report's claims about means, the cost from its own table, and what these figures do
not show. Everything else on the page says where they come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.figures.forest import forest
from skald_report.figures.overview import overview
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Paragraph
from skald_report.page.formatting import (
    counted,
    interval,
    join,
    language_name,
    number,
    numbered,
    of,
    some,
)
from skald_report.sections.context import Context
from skald_report.sections.lacking import in_short
from skald_report.sections.rivals import MEASURES, Measure, contestants, means, whole
from skald_report.sections.trained_on import trained_on
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import MACRO, Table

#: Models that the first table lists; the others stand in the tables below.
MAX_LISTED = 10


def summary(context: Context) -> Iterator[Block]:
    """Say which model is better, by how much, how sure, at what cost, and what that does not show."""
    said, tables = context.said, context.tables
    if "scores" not in tables:
        yield Paragraph("No evaluation was given, so this page makes no claim.", "gap")
        yield trained_on(context.sources)
        return
    yield Paragraph(said.verdict[0], "lead")
    yield trained_on(context.sources)
    yield from _overview(context)
    yield Claims((*said.verdict[1:], *said.controls, *context.remarks.cost, *in_short(said.gaps)))
    yield from not_shown(context)
    yield from _standing(tables)
    yield from _facts(tables)


def not_shown(context: Context) -> Iterator[Paragraph]:
    """Say what the scores do not show, and why."""
    limits = list(_limits(context.tables))
    if limits:
        yield Paragraph(" ".join(limits), "gap")


def _limits(tables: Mapping[str, Table]) -> Iterator[str]:
    frame = tables["models"].frame
    once = frame[(frame["role"] != "control") & (frame["seed_group"] == "")]
    if len(once):
        whom = "No model was"
        if len(once) < (frame["role"] != "control").sum():
            whom = f"Not every model was ({some(list(once['model']), 'models')} not)"
        yield (
            f"{whom} trained again with another seed: intervals and p values are about other items, "
            "and whether another training run would give the same order is not known."
        )
    if not (frame["role"] == "external").any():
        yield "No model of another laboratory was evaluated here."
    yield "Nothing here speaks of a task or language that is not listed."


def _overview(context: Context) -> Iterator[Gallery]:
    """Draw every model's mean with its interval."""
    overall, named = context.tables.get("overall"), contestants(context.tables["models"])
    found = {m.name: rows for m in MEASURES if len(rows := means(overall, m, named))}
    if overall is None or not found:
        return
    tags = overall.frame.loc[overall.frame["scope_kind"] == "language", "scope"].unique()
    drawn = (
        overview(overall, context.look)
        if len(tags) > 1
        else forest(overall, str(tags[0]), context.look)
    )
    yield Gallery((drawn,), " ".join(_drawn(name, rows) for name, rows in found.items()))


def _drawn(name: str, rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    what = "Tasks, chance-corrected" if name == "tasks" else "Bits per byte"
    return (
        f"{what}: mean over {counted(int(row['n_languages']), 'language')} and "
        f"{counted(int(row['n_tasks']), 'task')} with its 95 % interval, from {int(row['n_items']):,} items in "
        f"{int(row['n_keys']):,} clusters ({row['method']})."
    )


def _standing(tables: Mapping[str, Table]) -> Iterator[Grid]:
    """Show the first models of each measure, with the means that the sentences are about."""
    if "overall" not in tables:
        return
    named = contestants(tables["models"])
    ranked = {m.name: means(tables["overall"], m, named) for m in MEASURES}
    measures = [measure for measure in MEASURES if len(ranked[measure.name])]
    if not measures:
        return
    order = list(ranked[measures[0].name]["model"])
    order += [name for name in named if name not in order]
    at = {m.name: {row["model"]: row for row in numbered(ranked[m.name])} for m in measures}
    frame = tables["models"].frame
    sizes = {row["model"]: row for row in numbered(frame)}
    body = tuple(
        (
            Cell(name),
            _size(sizes[name]),
            *(mean_cell(at[measure.name].get(name)) for measure in measures),
        )
        for name in order[:MAX_LISTED]
    )
    left = len(order) - len(body)
    more = f" The {counted(left, 'other model')} stand below." if left > 0 else ""
    yield Grid(
        "standing",
        "The models" if left <= 0 else f"The first {len(body)} of {len(order)} models",
        f"{_explained(measures, ranked)} Under each mean its 95 % interval.{more}",
        ("model", "parameters", *(_heading(measure) for measure in measures)),
        body,
        "tables/overall.csv",
    )


def _size(row: Mapping[Any, Any]) -> Cell:
    count = row["n_params_total"]
    if pd.isna(count):
        return Cell("–")
    return Cell(f"{count:,}", of=of("models", row["row"], "n_params_total"))


def mean_cell(row: Mapping[Any, Any] | None) -> Cell:
    """Return a mean of `overall` with its interval, or a dash."""
    if row is None or pd.isna(row["score"]):
        return Cell("–", "no mean")
    if pd.isna(row["low"]):
        return Cell(number(row["score"], ".3f"), of=of("overall", row["row"], "score"))
    return Cell(
        number(row["score"], ".3f"),
        interval(row["low"], row["high"]),
        of=of("overall", row["row"], "score", "low", "high"),
    )


def _heading(measure: Measure) -> str:
    return "tasks" if measure.name == "tasks" else "bits per byte"


def _explained(measures: list[Measure], ranked: Mapping[str, pd.DataFrame]) -> str:
    parts = []
    for measure in measures:
        n = int(ranked[measure.name]["n_languages"].iloc[0])
        what = "Tasks" if measure.name == "tasks" else "Bits per byte"
        parts.append(f"{what}: {measure.scale}, the mean over {counted(n, 'language')}")
    return ". ".join(parts) + "."


def _facts(tables: Mapping[str, Table]) -> Iterator[Grid]:
    """Show what was asked: languages, tasks, items and clusters of each measure."""
    if "overall" not in tables:
        return
    body = []
    for measure in MEASURES:
        rows = whole(tables["overall"], measure)
        if rows.empty:
            continue
        row = numbered(rows)[0]
        columns = ("n_languages", "n_tasks", "n_items", "n_keys")
        cells = [
            Cell(f"{int(row[name]):,}", of=of("overall", row["row"], name)) for name in columns
        ]
        body.append((Cell("tasks" if measure.name == "tasks" else "bits per byte"), *cells))
    if not body:
        return
    roles = tables["models"].frame["role"]
    tags = join(language_name(tag) for tag in languages_of(tables["scores"]))
    yield Grid(
        "facts",
        "What they were asked",
        f"{counted(int((roles != 'control').sum()), 'model')} and {counted(int((roles == 'control').sum()), 'control')} "
        f"in {tags}. Items that share a key (the same scene or document) form a cluster. Tasks that "
        "are set against chance rank no model and are not counted here.",
        ("measure", "languages", "tasks", "items", "clusters"),
        tuple(body),
        "tables/overall.csv",
    )


def languages_of(scores: Table) -> list[str]:
    """Return the languages that models were ranked in, which may be fewer than the corpus has."""
    frame = scores.frame[~scores.frame["kind"].isin(AGAINST_CHANCE)]
    return sorted(set(frame["language"]) - {MACRO})
