"""The section on published scores: its words, figures and tables, apart from measured ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from skald_report.figures import landscape as figures
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import columns_of, leaders, page_languages, sorted_models
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Paragraph
from skald_report.page.formatting import language_name, number, of
from skald_report.sections.context import Context
from skald_report.sections.published_gaps import gap_blocks


def published(context: Context) -> Iterator[Block]:
    """Yield the section's blocks, or why it is empty."""
    table = context.tables.get("published")
    if table is None:
        yield Paragraph("No published scores were given, so this page cannot place the models "
                        "among those of others.", "gap")  # fmt: skip
        return
    yield Paragraph(
        "These figures were measured by others, on real text, with other tasks and another "
        "harness. They stand here to show the field in which a baseline of this kind competes, and "
        "are never mixed with the scores measured here.",
        "important",
    )
    yield from gap_blocks(context)
    frame = table.frame
    shown = frame[frame["shown"]]
    newest = max(shown["source_date"])
    yield Claims(tuple(_claims(frame, shown, newest)))
    languages = page_languages(shown)
    panels = {tag: shown[shown["page_language"] == tag] for tag in languages}
    drawn = [tag for tag in languages if len(leaders(panels[tag]))]
    sources = "; ".join(f"{name} ({date})" for name, date in _sources(shown))
    yield Gallery(
        tuple(figures.landscape_panel(table, tag, language_name(tag), newest) for tag in drawn),
        "Published scores of European base models, 0 to 100, with approximate 95 % sampling intervals: in each "
        "language and task the best of each size class, and the highlighted family; all others stand in the "
        f"tables below. Filled dots: snapshot of {newest}, open dots: older. Sources: {sources}.",
    )
    for tag in languages:
        european = panels[tag][panels[tag]["eu"] == True]  # noqa: E712  # None is neither
        if len(european):
            yield _grid(european, tag)


def _claims(frame: pd.DataFrame, shown: pd.DataFrame, newest: str) -> Iterator[str]:
    european = frame[frame["eu"] == True]  # noqa: E712  # None is neither
    older = int((frame["source_date"] != newest).sum())
    yield (
        f"{len(frame):,} scores of {frame['model'].nunique()} models, {european['model'].nunique()} of them "
        f"European, each with its source and date; {older:,} are older than {newest}, some by an older version "
        "of the harness, so a small distance between an open and a filled dot may be the harness's."
    )
    yield (
        "The published half-widths are 1.96 standard errors of a mean of ten bootstrap replicates, which "
        "shrink with the number of replicates: about 2.5 times narrower than the sampling error of the items. "
        "They are multiplied by sqrt(10) here to approximate the sampling error of one score."
    )
    yield (
        "Sentiment, ScaLA (linguistic acceptability) and common sense are Matthews correlations x 100, where 0 "
        "is chance; reading is F1 x 100."
    )
    yield _floors(shown)
    yield (
        "Base models are compared with base models of their size class alone: a model trained to follow "
        "instructions is asked in another way. The tables show both, and say which is which."
    )
    yield (
        "A missing dot was not published there. No average is taken over missing cells: models are sorted by "
        "their first column, and those without it come last."
    )
    rest = frame[~frame["shown"]]
    if len(rest):
        yield (
            f"{len(rest):,} of the scores are of {rest['task_kind'].nunique()} other kinds of task and stand in "
            "the CSV alone."
        )
    outside = shown.loc[shown["eu"] != True, "model"].nunique()  # noqa: E712  # None is neither
    if outside:
        yield (
            f"{outside} models that are not European, or not known to be, stand in the CSV alone."
        )


def _floors(shown: pd.DataFrame) -> str:
    asked = shown[(shown["metric"] == "mcc") & (shown["model_type"] == "base")]
    by_kind = asked.groupby("task_kind", sort=False)["floor"].agg(["sum", "size"])
    counts = "; ".join(
        f"{TASK_KINDS[str(kind)]} {int(row['sum'])} of {int(row['size'])}"
        for kind, row in by_kind.iterrows()
    )
    return (
        f"Scores of base models that cannot be told from chance: {counts}. Such zeros are common under this "
        "protocol, which asks for an answer label: a floor of the protocol, not a proof that a model knows nothing."
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
    sources = sorted(set(zip(rows["source_date"], rows["source"], strict=True)), reverse=True)
    letter = {source: _letters(number) for number, source in enumerate(sources)}
    body = []
    for model in sorted_models(rows):
        own = rows[rows["model"] == model]
        at = {row["column"]: (index, row) for index, row in own.iterrows()}
        first_index, first = int(str(own.index[0])), own.iloc[0]
        size = "" if pd.isna(first["size_b"]) else f"{first['size_b']:.3g}B, "
        cells = []
        for column in columns:
            if column not in at:
                cells.append(Cell("–", "not published"))
                continue
            index, row = at[column]
            half = row["high"] - row["score"]
            mark = letter[(row["source_date"], row["source"])]
            width = "" if math.isnan(half) else f" ± {half:.1f}"
            notes = [f"{row['shots']}-shot", *(["validation split"] if row["split"] == "val" else []),
                     *(["at chance"] if row["floor"] else [])]  # fmt: skip
            where = of(
                "published", int(str(index)), "score", *(["half_width"] if width else []), "shots"
            )
            cells.append(
                Cell(f"{number(row['score'], '.1f')}{width} [{mark}]", ", ".join(notes), of=where)
            )
        head = Cell(str(first["label"]), f"{size}{first['model_type']}",
                    "strong" if first["highlight"] else "",
                    of=of("published", first_index, "size_b"))  # fmt: skip
        body.append((head, *cells))
    notes_of = "; ".join(f"[{letter[s]}] {s[1]}, {s[0]}" for s in sources)
    return Grid(
        f"published-{language}",
        f"{language_name(language)}: every figure with its source and date",
        f"Published score ± 1.96 sqrt(10) published standard errors. Sources: {notes_of}.",
        ("model", *columns),
        tuple(body),
        "tables/published.csv",
        folded=True,
    )


def _letters(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    first, last = divmod(number, 26)
    return (_letters(first - 1) if first else "") + chr(ord("a") + last)
