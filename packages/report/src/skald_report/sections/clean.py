"""What the training text has of the items, in words, and the scores without those items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import MAX_OPEN, join, numbered, of
from skald_report.reading.inputs import Sources
from skald_report.tables.clean import contaminated, page_tasks, searched_items, searched_tasks
from skald_report.tables.order import in_order
from skald_report.tables.table import MACRO, Table

#: What became of the text that had items, by the search's policy.
_FATE = {
    "report": "and left as it is",
    "drop": "and lost the documents that had one before training",
    "cut": "and lost the words found before training",
}


def clean_subset(sources: Sources, tables: Mapping[str, Table]) -> Iterator[Block]:
    """Say what the training text has of the items, and show the scores without it.

    Args:
        sources: What was searched, and what was found; `clean` is None where nothing was searched.
        tables: `clean` is absent where no item was found, so that there is nothing to leave out.
    """
    if sources.clean is None:
        yield Paragraph(
            "The training text was not searched for the evaluation items, so this page cannot say "
            "whether the models have seen some of them.",
            "gap",
        )
        return
    yield from _told(sources)
    if "clean" in tables:
        frame = tables["clean"].frame
        controls = {m.name for s in sources.summaries for m in s.models if m.role == "control"}
        trained = frame[~frame["model"].isin(controls)]
        yield _grid(trained if len(trained) else frame)


def _told(sources: Sources) -> Iterator[Block]:
    items = sources.items.assign(found=contaminated(sources)).drop_duplicates(["task", "item_id"])
    items = items.astype(dict.fromkeys(("suite", "task", "language"), str))
    searched = sources.searched
    if searched is None:
        yield Paragraph(
            f"A list that was given names {int(items['found'].sum()):,} of {len(items):,} evaluation "
            "items as found in the training text. What was looked for, and how, it does not say."
        )
        return
    tasks = searched_tasks(sources)
    known = items["task"].isin(tasks)
    counts = searched_items(sources)
    if counts and counts.n_items:
        n_items, n_found = counts
        rule = searched.rule
        searched_for = (
            f"in the training text, which was searched for runs of {rule.ngram_words} words of each "
            f"item ({rule.short_ngram_words} where it has fewer, a shorter one as a whole)"
        )
        if n_found:
            some = "One" if n_found == 1 else f"{n_found:,}"
            was, its = ("was", "that item") if n_found == 1 else ("were", "those items")
            said = (
                f"{some} of {n_items:,} evaluation items {was} found, at least in part, "
                f"{searched_for} {_FATE[rule.policy]}. The table below leaves {its} out of the scores."
            )
        else:
            said = f"None of {n_items:,} evaluation items was found {searched_for}."
        yield Paragraph(said + _apart(sources, tasks))
    if not known.all():
        names = _missed(items.assign(page=page_tasks(sources, items), missed=~known))
        yield Paragraph(
            f"Not looked for in the training text: {len(items) - int(known.sum()):,} items of "
            f"{join(names[:6])}{f' and {len(names) - 6} more tasks' if len(names) > 6 else ''}. "
            "They may be in it or not.",
            "gap",
        )


def _missed(items: pd.DataFrame) -> list[str]:
    """Name the tasks that were not looked for, with the languages where others of them were."""
    names = []
    for (suite, page), rows in items.groupby(["suite", "page"], sort=True):
        missed = sorted(set(rows.loc[rows["missed"], "language"]))
        where = f" in {join(missed)}" if len(missed) < rows["language"].nunique() else ""
        names += [f"{page} of suite {suite}{where}"] if missed else []
    return names


def _apart(sources: Sources, tasks: frozenset[str]) -> str:
    """Name what was found and does not count as found."""
    standings = [
        item.standing
        for item in (sources.searched.items if sources.searched else ())
        if item.task in tasks
    ]
    common, short = standings.count("common"), standings.count("short")
    parts = [f"{common:,} of which only a common phrase was found"] if common else []
    parts += [f"{short:,} too short to tell a leak from chance"] if short else []
    return f" Not counted: {join(parts)}." if parts else ""


def _grid(frame: pd.DataFrame) -> Grid:
    tags = in_order(tag for tag in frame["language"] if tag != MACRO)
    tags += [MACRO] if (frame["language"] == MACRO).any() else []
    body = []
    for (_, _, label), rows in frame.groupby(["suite", "task", "label"], sort=False):
        counts = {row["language"]: row for row in numbered(rows.drop_duplicates("language"))}
        left_out = [_left_out_cell(counts[tag]) if tag in counts else Cell("–") for tag in tags]
        body.append((Cell("items left out", str(label)), *left_out))
        for model, own in rows.groupby("model", sort=False):
            at = {row["language"]: row for row in numbered(own)}
            cells = [_clean_cell(at[tag]) if tag in at else Cell("–") for tag in tags]
            body.append((Cell(str(model), str(label)), *cells))
    return Grid(
        "clean",
        "Scores without the items that training text has",
        "Score on the items that were not found, and under it the score on all items; "
        f"`{MACRO}` is over all languages of the task. A dash: no item was found there; no score: no "
        "item is left.",
        ("model", *tags),
        tuple(body),
        "tables/clean.csv",
        len(body) > MAX_OPEN,
    )


def _left_out_cell(row: Mapping[Any, Any]) -> Cell:
    where = of("clean", row["row"], "n_contaminated", "n_items")
    return Cell(f"{row['n_contaminated']:,}", f"of {row['n_items']:,}", of=where)


def _clean_cell(row: Mapping[Any, Any]) -> Cell:
    whole = f"all {row['score']:.3f}"
    if pd.isna(row["clean"]):
        return Cell("no score", whole, of=of("clean", row["row"], "score"))
    return Cell(f"{row['clean']:.3f}", whole, of=of("clean", row["row"], "clean", "score"))
