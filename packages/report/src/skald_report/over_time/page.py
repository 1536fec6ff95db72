"""The page of a comparison: the blocks of the report, filled with changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from skald_specs.claims import Measure

from skald_report.figures.changes import change_panels
from skald_report.over_time.changes import Changes
from skald_report.over_time.words import METHOD, of_other_things, why_in_words
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Page, Paragraph, Section
from skald_report.page.formatting import bare_p, interval, number, of
from skald_report.tables.table import MACRO, Table

#: Rows of a table that the page prints; the CSV has all.
_SHOWN = 60
_TITLES = {
    "overall": "Means over tasks and languages",
    "pairwise": "Pairs of models, by their means",
    "scores": "Scores by task and language",
    "differences": "Differences from the anchors, by task and language",
}
_PLAIN = ("same", "noise", "no interval")
_MARKS = {"better": "better", "worse": "worse"}


def comparison_page(
    old: str,
    new: str,
    found: Changes,
    said: Sequence[str],
    measures: Sequence[Measure],
) -> Page:
    """Lay the page of a comparison out.

    Args:
        old: Name of the earlier report.
        new: Name of the later one.
        found: What changed.
        said: The sentences about it.
        measures: Every number against its tolerance.
    """
    sections = [
        Section("summary", "What changed", tuple(_summary(found, said))),
        *(
            Section(name, _TITLES[name], tuple(_judged(table, found)))
            for name, table in found.judged.items()
        ),
        Section("tolerances", "Every number against its tolerance", tuple(_tolerances(measures))),
        Section("provenance", "Provenance of both", tuple(_provenance(found.provenance))),
    ]
    return Page("Skald comparison", f"{new} against {old}", tuple(sections))


def _summary(found: Changes, said: Sequence[str]) -> Iterator[Block]:
    yield Claims(tuple(said))
    drawings = change_panels(found.judged.get("overall"))
    if drawings:
        yield Gallery(
            drawings,
            "Change of each model's mean over tasks and languages with its 95 % interval; right of the line is "
            "better. Filled: more than noise after Holm's correction. How intervals are made is said below.",
        )
    yield Paragraph(METHOD)


def _judged(table: Table, found: Changes) -> Iterator[Block]:
    frame = table.frame
    told = frame[~frame["verdict"].isin(_PLAIN)]
    if table.name == "overall":
        told = frame[~frame["verdict"].isin(_PLAIN) | (frame["scope"] == MACRO)]
    if not len(told):
        yield Paragraph(
            f"None of {len(frame):,} rows is better, worse or not comparable: each is the same figure, no more "
            "than noise, or without an interval."
        )
    else:
        ordered = told.sort_values(["p_holm", *table.keys], kind="stable")
        yield _grid(table, ordered.head(_SHOWN), len(frame))
    flipped = found.flipped.frame
    if len(own := flipped[flipped["table"] == table.name]):
        yield _flips(table.name, own)


def _grid(table: Table, rows: pd.DataFrame, n_all: int) -> Grid:
    shown = "All" if len(rows) == n_all else f"{len(rows):,} of"
    return Grid(
        table.name,
        "What is better, worse or not comparable",
        f"{shown} {n_all:,} rows, the clearest first; change with its 95 % interval, p after Holm's correction.",
        ("of", "old", "new", "change", "p (Holm)", "weights", "verdict"),
        tuple(_row(table, int(str(at)), row) for at, row in rows.iterrows()),
        f"tables/{table.name}.csv",
    )


def _row(table: Table, at: int, row: pd.Series[Any]) -> tuple[Cell, ...]:
    judged = row["verdict"] != "not comparable"
    return (
        _head(table, row),
        Cell(number(row["old"], ".3f"), of=of(table.name, at, "old")),
        Cell(number(row["new"], ".3f"), of=of(table.name, at, "new")),
        Cell(
            number(row["change"], "+.3f"),
            interval(row["low"], row["high"]),
            of=of(table.name, at, "change", "low", "high"),
        )
        if judged
        else Cell("–"),
        Cell(bare_p(row["p_holm"]), of=of(table.name, at, "p_holm")),
        Cell(row["weights"]),
        Cell(why_in_words(row.to_dict()), mark=_MARKS.get(row["verdict"], "")),
    )


def _head(table: Table, row: pd.Series[Any]) -> Cell:
    pair = "reference" in table.keys
    place = [str(row[name]) for name in table.keys if name not in ("suite", "model", "reference")]
    return Cell(
        f"{row['model']} against {row['reference']}" if pair else str(row["model"]),
        ", ".join(place),
    )


def _flips(name: str, rows: pd.DataFrame) -> Grid:
    places = [key for key in ("measure", "task", "language") if rows[key].notna().any()]
    return Grid(
        f"flipped-{name}",
        "Verdicts that are others now",
        f"{len(rows):,} pairs; the verdict is that of the model against the reference in either report.",
        ("model", "reference", *places, "old", "new"),
        tuple(
            (
                Cell(row["model"]),
                Cell(row["reference"]),
                *(Cell(str(row[key])) for key in places),
                Cell(row["verdict_old"], mark=_MARKS.get(row["verdict_old"], "")),
                Cell(
                    f"{row['verdict_new']}{of_other_things(row)}",
                    mark=_MARKS.get(row["verdict_new"], ""),
                ),
            )
            for row in rows.head(_SHOWN).to_dict("records")
        ),
        "tables/flipped.csv",
    )


def _tolerances(measures: Sequence[Measure]) -> Iterator[Block]:
    failed = [m for m in measures if m.holds is not True]
    yield Paragraph(
        f"{len(measures) - len(failed):,} of {len(measures):,} tables and numbers agree within the tolerances of a "
        "rerun on another machine, which have nothing to do with noise of sampling."
    )
    if failed:
        yield Grid(
            "tolerances",
            "What leaves its tolerance",
            f"The first {min(_SHOWN, len(failed)):,} of {len(failed):,}; the CSV has all.",
            ("number", "detail", "allowed"),
            tuple((Cell(m.measure), Cell(m.detail), Cell(m.bound)) for m in failed[:_SHOWN]),
            "tables/tolerances.csv",
            folded=True,
        )


def _provenance(table: Table) -> Iterator[Block]:
    if not len(table.frame):
        yield Paragraph("Both reports give the same fingerprints and versions.")
        return
    rows = table.frame.to_dict("records")
    yield Grid(
        "provenance",
        "What differs of where the figures come from",
        "Fingerprints and versions that are not the same in both.",
        ("what", "old", "new"),
        tuple((Cell(r["what"]), Cell(r["old"] or "–"), Cell(r["new"] or "–")) for r in rows),
        "tables/provenance.csv",
    )
