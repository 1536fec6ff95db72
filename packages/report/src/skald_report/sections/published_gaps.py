"""How far the highlighted model is from the best European one of its class, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from skald_specs.languages import BY_TAG
from skald_specs.loss_law import HORIZON_EXPONENT_PRIOR
from skald_specs.plan import COVERAGE

from skald_report.figures import landscape as figures
from skald_report.figures.style import tokens
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.page.blocks import Block, Cell, Claims, Gallery, Grid, Notes, Paragraph
from skald_report.page.formatting import interval, join, number, numbered, of
from skald_report.sections.context import Context
from skald_report.sections.published_words import newest_of, prices, quantity, worded
from skald_report.tables.order import in_order
from skald_report.tables.table import MACRO

_TABLE = "published_gaps"
_DIGITS = ".1f"
_OVER = "mean over languages"


def gap_blocks(context: Context) -> Iterator[Block]:
    """Yield the answer for the newest checkpoint of the highlighted family, its figure and tables."""
    table = context.tables.get(_TABLE)
    if table is None or not table.frame["highlight"].any():
        yield Paragraph(
            "No published model of the highlighted family has a European rival of its size class "
            "on the same data, so no gap is shown.",
            "gap",
        )
        return
    frame, own = table.frame[table.frame["highlight"]], newest_of(table)
    lead, *others = context.remarks.published_gaps
    yield Paragraph(lead, "lead")
    priced = tuple(prices(own))
    if priced:
        yield Claims(priced)
    order = in_order(tag for tag in own["language"] if tag != MACRO)
    order += [MACRO] if MACRO in set(own["language"]) else []
    label, size = str(own["label"].iloc[0]), str(own["size_class"].iloc[0])
    yield _overview(own, order)
    yield Gallery(
        (
            figures.gap_panel(
                own,
                {tag: _OVER if tag == MACRO else BY_TAG[tag].english for tag in order},
                f"{label} against the best European {size}",
            ),
        ),
        "The same gaps with their intervals. Filled: beyond noise; open: tied. A cross: the model's own score is at "
        "the protocol's floor. The mean is over all data sets that the model has, floors counted as they are, and "
        "has the rival that is best over them.",
    )
    yield _grid(frame, order)
    yield Claims(
        tuple(sentence for sentence in others if sentence not in priced),
        "Means over languages, and what to hold against these gaps",
    )
    yield Notes("How gaps are priced in tokens", tuple(_method(own)))


def _overview(own: pd.DataFrame, order: list[str]) -> Grid:
    """Return the gaps of one model at a glance: a row a language, a column a kind of task."""
    kinds = [kind for kind in TASK_KINDS if kind in set(own["task_kind"])]
    at = {(row["language"], row["task_kind"]): row for row in numbered(own)}
    label, most = str(own["label"].iloc[0]), int(own["n_rivals"].max())
    return Grid(
        "published-gaps",
        f"{label}: points behind (+) or ahead (−) of the best European model of its class",
        "Gap; its interval, with 95 % for every rival and task of the language together (Bonferroni); rival; tokens that "
        "closing it would take, or why that is not known. Tied: the interval holds zero. The best of up to "
        f"{most} rivals is best partly by luck, so gaps are rather too large.",
        ("language", *(TASK_KINDS[kind] for kind in kinds)),
        tuple(
            (Cell(_OVER if tag == MACRO else BY_TAG[tag].english),
             *(_gap_cell(at.get((tag, kind))) for kind in kinds))
            for tag in order
        ),
        "tables/published_gaps.csv",
    )  # fmt: skip


def _gap_cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("–")
    verdict = str(row["verdict"])
    columns, note = ["gap", "low", "high"], str(row["best_label"])
    if verdict == "behind":
        note += f"; {worded(row)}"
        columns += _known(row)
    return Cell(
        f"{number(row['gap'], '+.1f')} {'tied' if verdict == 'tie' else verdict}",
        interval(row["low"], row["high"], _DIGITS),
        {"behind": "worse", "ahead": "better"}.get(verdict, "tie"),
        note,
        of(_TABLE, row["row"], *columns),
    )


def _known(row: Mapping[Any, Any]) -> list[str]:
    return [name for name in ("tokens", "tokens_low") if pd.notna(row[name])][:1]


def _grid(frame: pd.DataFrame, order: list[str]) -> Grid:
    place = {tag: number for number, tag in enumerate(order)}
    rows = []
    sorted_frame = frame.assign(place=frame["language"].map(place)).sort_values(
        ["place", "task", "model"], kind="stable"
    )
    for index, row in sorted_frame.iterrows():
        at = int(str(index))
        language = _OVER if row["language"] == MACRO else BY_TAG[row["language"]].english
        mark = {"behind": "worse", "ahead": "better"}.get(row["verdict"], "")
        floor = "at the floor" if row["floor"] else ""
        rows.append((
            Cell(f"{language}, {row['column']}", str(row["label"])),
            Cell(number(row["score"], _DIGITS), floor, of=of(_TABLE, at, "score")),
            Cell(number(row["best_score"], _DIGITS), str(row["best_label"]), of=of(_TABLE, at, "best_score")),
            Cell(number(row["gap"], "+.1f"), interval(row["low"], row["high"], "+.1f"), mark,
                 of=of(_TABLE, at, "gap", "low", "high")),
            Cell({"tie": "no"}.get(row["verdict"], f"yes, {row['verdict']}"),
                 f"p {number(row['p_corrected'], '#.2g')}", of=of(_TABLE, at, "p_corrected")),
            tokens_cell(row, at, _TABLE),
        ))  # fmt: skip
    return Grid(
        "published-gaps-all",
        "Every gap of this family, with what closing it would take",
        "Points; positive: the rival leads. Interval and p: corrected (Bonferroni) for every rival and task of the "
        "language. Tokens: in all, at the same size. Gaps of every other European model stand in the CSV.",
        ("language and task", "score", "best European model of its class", "gap (95 % together)",
         "beyond noise?", f"tokens to close ({COVERAGE:.0%})"),
        tuple(rows),
        "tables/published_gaps.csv",
        folded=True,
    )  # fmt: skip


def tokens_cell(row: Mapping[Any, Any] | pd.Series[Any], at: int, table: str) -> Cell:
    """Return what closing a gap takes in tokens, or why that is not known.

    Args:
        row: Of `published_gaps` or `measured_gaps`; `tokens` with its ends is what the model would
            be trained on in all, at its size, NaN where that is not known.
        at: Its number in that table.
        table: Name of that table.
    """
    if pd.isna(row["tokens"]):
        if pd.notna(row["tokens_low"]):
            least = f"at least {quantity(row['tokens_low'])}"
            return Cell(least, str(row["why_no_tokens"]), of=of(table, at, "tokens_low"))
        return Cell("–", str(row["why_no_tokens"]))
    most = tokens(row["tokens_high"]) if pd.notna(row["tokens_high"]) else "no horizon"
    return Cell(
        tokens(row["tokens"]),
        f"{tokens(row['tokens_low'])} to {most}",
        of=of(table, at, "tokens", "tokens_low", "tokens_high"),
    )


def _method(own: pd.DataFrame) -> Iterator[str]:
    mean, sd = HORIZON_EXPONENT_PRIOR
    yield (
        "Between two checkpoints of one run the score is taken as linear in the horizon term of the planner's loss "
        "law, B T^-beta; T solves for the rival's score at the same model size. Beta is the planner's prior: "
        f"{mean:g} with a spread of {sd:g}, assumed. For the interval both scores, the gap and beta are drawn."
    )
    yield (
        "The price says what more of the same tokens would do and nothing of other data. It assumes that both "
        "checkpoints were as well annealed, which is not published."
    )
    yield (
        "No price is known where the score did not grow beyond noise between the checkpoints, and where a score is at "
        "the protocol's floor. `At least` is the end of the interval."
    )
    yield (
        "Errors of two models are taken as independent: how they did on the same items is not published."
    )
    dates = [*own["source_date"], *own["best_source_date"]]
    snapshots = sorted({day for joined in dates for day in joined.split("; ")})
    if len(snapshots) > 1:
        yield f"The figures compared are of {join(snapshots)}."
