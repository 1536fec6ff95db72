"""The section on published scores: its words, figures and tables, apart from measured ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from skald_report.figures import landscape as figures
from skald_report.landscape.scores import columns_of, page_languages, sorted_models
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Paragraph
from skald_report.page.formatting import language_name
from skald_report.tables.table import Table


def published(table: Table | None) -> Iterator[Block]:
    """Yield the section's blocks, or why it is empty."""
    if table is None:
        yield Paragraph("No published scores were given, so this page cannot place the models "
                        "among those of others.", "gap")  # fmt: skip
        return
    frame = table.frame
    newest = max(frame["source_date"])
    older = int((frame["source_date"] != newest).sum())
    yield Paragraph(
        "These figures were measured by others, on real text, with other tasks and another "
        "harness. They stand here to show the field in which a baseline of this kind competes, and "
        "are never mixed with the scores measured here.",
        "important",
    )
    yield Claims(
        (
            f"{len(frame)} scores of {frame['model'].nunique()} models, each with its source and "
            f"date in the tables below; {older} come from a snapshot older than {newest} (open "
            "dots), made with an older protocol or version, so a small distance between an open and a filled "
            "dot may be the protocol's.",
            "The published half-widths are 1.96 standard errors of a mean of ten bootstrap "
            "replicates, which shrink with the number of replicates. They are multiplied by "
            "sqrt(10) here to approximate the sampling error of one score.",
            "Sentiment, ScaLA (linguistic acceptability) and common sense are Matthews correlations "
            "x 100, where 0 is chance; reading is F1 x 100.",
            _floors(frame),
            "A missing dot was not published there. No average is taken over missing cells: models "
            "are sorted by their first column, and those without it come last.",
        )
    )
    drawings = tuple(
        figures.landscape_panel(table, language, language_name(language), newest)
        for language in page_languages(frame)
    )
    sources = "; ".join(f"{name} ({date})" for name, date in _sources(frame))
    yield Gallery(
        drawings,
        "Published scores, 0 to 100, with approximate 95 % sampling intervals; filled dots: "
        f"snapshot of {newest}, open dots: older. Sources: {sources}.",
    )
    for language in page_languages(frame):
        yield _grid(frame[frame["page_language"] == language], language)


def signed(value: float) -> str:
    """Return one decimal with a true minus sign."""
    return f"{value:.1f}".replace("-", "−")


def _floors(frame: pd.DataFrame) -> str:
    scala = frame[frame["task_kind"] == "linguistic-acceptability"]
    return (
        f"{int(scala['floor'].sum())} of {len(scala)} ScaLA scores cannot be told from chance. "
        "Zeros are common for base models under this protocol, which asks for an answer label: a "
        "floor of the protocol, not a proof that a model knows no grammar."
    )


def _sources(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the distinct sources without their file, newest first."""
    pairs = {
        (" ".join(s.split(" ")[:2]).removeprefix("https://"), d)
        for s, d in zip(frame["source"], frame["source_date"], strict=True)
    }
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]), reverse=True)


def _grid(rows: pd.DataFrame, language: str) -> Grid:
    columns = columns_of(rows)
    sources = sorted(
        set(zip(rows["source_date"], rows["source"], strict=True)), key=lambda s: (s[0], s[1])
    )
    letter = {source: chr(ord("a") + number) for number, source in enumerate(reversed(sources))}
    body = []
    for model in sorted_models(rows):
        own = rows[rows["model"] == model]
        at = {row["column"]: row for row in own.to_dict("records")}
        first = own.iloc[0]
        size = "" if pd.isna(first["params_b"]) else f"{first['params_b']:.3g}B parameters"
        cells = []
        for column in columns:
            row = at.get(column)
            if row is None:
                cells.append(Cell("–", "not published"))
                continue
            half = row["high"] - row["score"]
            mark = letter[(row["source_date"], row["source"])]
            width = "" if math.isnan(half) else f" ± {half:.1f}"
            shots = f"{row['shots']}-shot"
            floor = ", at chance" if row["floor"] else ""
            cells.append(Cell(f"{signed(row['score'])}{width} [{mark}]", f"{shots}{floor}"))
        strong = "strong" if first["highlight"] else ""
        body.append((Cell(str(first["label"]), size, strong), *cells))
    notes = "; ".join(f"[{letter[s]}] {s[1]}, {s[0]}" for s in reversed(sources))
    return Grid(
        f"published-{language}",
        f"{language_name(language)}: every figure with its source and date",
        f"Published score ± 1.96 sqrt(10) published standard errors. Sources: {notes}.",
        ("model", *columns),
        tuple(body),
        "tables/published.csv",
        folded=True,
    )
