"""How far the models lie apart on each task: spread between models against the noise that is known.

Knows the table `noise`; refuses to compute it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from skald_report.page.blocks import Block, Cell, Claims, Grid, Paragraph
from skald_report.page.formatting import counted, join, number, numbered, of, some, span
from skald_report.sections.rivals import english
from skald_report.statistics.comparison import LEVEL
from skald_report.tables.cells import AGAINST_CHANCE
from skald_report.tables.table import Table

#: Signal to noise at which the spread between models is no larger than noise alone.
_NO_SIGNAL = 1.0
#: Rows that the page shows; a longer table is in the file alone.
_MAX_ROWS = 60


def noise_blocks(table: Table | None) -> Iterator[Block]:
    """Say where models spread wider than noise, which tasks have few items, and which noise is not known.

    Args:
        table: The table `noise`, or None without two models.
    """
    if table is None or not len(table.frame):
        yield Paragraph(
            "Fewer than two models were evaluated, so no task's signal can be set against its noise.",
            "gap",
        )
        return
    frame = contested(table)
    if frame.empty:
        yield Paragraph("Only controlled tasks were asked, and those compare no models.", "gap")
        return
    yield Claims(tuple(noise_sentences(frame)))
    if len(frame[["suite", "task"]].drop_duplicates()) <= _MAX_ROWS:
        yield _grid(frame)


def contested(table: Table | None) -> pd.DataFrame:
    """Return the rows of `noise` that compare models; none without the table."""
    if table is None:
        return pd.DataFrame()
    # Controlled tasks are judged by their means over languages and enter no comparison.
    return table.frame[~table.frame["kind"].isin(AGAINST_CHANCE)]


def noise_sentences(frame: pd.DataFrame) -> Iterator[str]:
    """Say what the noise table shows in sentences.

    Args:
        frame: Rows of `noise`: one a task and language.
    """
    total = len(frame)
    known = frame[frame["signal_to_noise"].notna()]
    if known.empty:
        yield "Noise: no task has a signal-to-noise ratio: its noise is zero or not known."
    else:
        weak = known[known["signal_to_noise"] <= _NO_SIGNAL]
        yield (
            f"Noise: in {len(weak)} of {counted(total, 'pair')} of task and language{_most(weak)} the models spread no wider than "
            f"the noise of one score (signal to noise at most {_NO_SIGNAL:.0f})."
        )
        if len(weak):
            yield _tested(weak)
        best = known.sort_values("signal_to_noise", kind="stable").iloc[-1]
        yield (
            f"The clearest is {best['label']} in {english(str(best['language']))} (signal to noise "
            f"{best['signal_to_noise']:.1f})."
        )
    low = frame[frame["low_power"].astype(bool)]
    if len(low):
        mde = low["mde"].dropna()
        found = (
            f": two models must differ by {_range(mde)} there to be told apart with 80 % power"
            if len(mde)
            else ""
        )
        yield (
            f"{counted(len(low), 'pair')} of task and language {'has' if len(low) == 1 else 'have'} fewer than "
            f"100 items ({some(list(dict.fromkeys(low['label'])), 'tasks')}){found}."
        )
    yield _seeds(frame)


def _tested(weak: pd.DataFrame) -> str:
    """Say what the paired tests find where the spread is no wider than the noise of one score."""
    n_tested, n_told = (int((weak[name] > 0).sum()) for name in ("n_pairs", "n_told"))
    return (
        "That does not say whether two models differ: the paired test does, in which what is hard for both cancels. It tells "
        f"two models apart in {n_told or 'none'} of {n_tested} such pairs of task and language "
        f"({int(weak['n_told'].sum())} of {counted(int(weak['n_pairs'].sum()), 'comparison')}, Holm-corrected within two "
        f"models, p\u00a0<\u00a0{LEVEL})."
    )


def _seeds(frame: pd.DataFrame) -> str:
    if (frame["n_seeds"] > 1).any():
        many = frame[frame["n_seeds"] > 1]
        n = span(many["n_seeds"])
        return (
            f"Seeds: noise between training runs is that of {n} seeds, on {len(many)} of "
            f"{counted(len(frame), 'pair')} of task and language."
        )
    checkpoints = frame["n_checkpoints"].fillna(0) > 1
    text = (
        "Seeds: each model was trained with one, so noise between training runs is not known: a difference may "
        "be that of these runs alone"
    )
    if checkpoints.any():
        return f"{text}; noise between the last checkpoints of a run stands in for it."
    return f"{text}. The noise here is that of drawing other items."


def _most(rows: pd.DataFrame) -> str:
    """Name the tasks that most of them belong to."""
    if rows.empty:
        return ""
    counts = rows["label"].value_counts(sort=True)
    listed = [f"{label} {n}" for label, n in counts.items()]
    return f" ({join(listed)})" if len(listed) <= 6 else f" ({len(listed)} tasks)"


def _range(values: pd.Series[float]) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return low if low == high else f"{low} to {high}"


def _grid(frame: pd.DataFrame) -> Grid:
    tags = list(dict.fromkeys(frame["language"]))
    body = []
    for (_, _, label), rows in frame.groupby(["suite", "task", "label"], sort=False):
        at = {row["language"]: row for row in numbered(rows)}
        body.append((Cell(str(label)), *(_cell(at.get(tag)) for tag in tags)))
    sources = join(source for source in dict.fromkeys(map(str, frame["noise_source"])) if source)
    return Grid(
        "noise",
        "Signal to noise, task by task",
        "The standard deviation between models over the largest noise known of the task"
        f"{f' ({sources})' if sources else ''}; at most 1: they spread no wider than the "
        "noise of one score, and whether two of them differ is the paired test's to say. "
        f"Under it the smallest true difference between {span(frame['n_models'])} models that is found with 80 % "
        "power after Holm's correction within a pair. ⚑ fewer than 100 items.",
        ("task", *tags),
        tuple(body),
        "tables/noise.csv",
        True,
    )


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None:
        return Cell("–")
    shown, columns = [], []
    for column, digits in (("signal_to_noise", ".1f"), ("mde", ".3f")):
        known = not pd.isna(row[column])
        shown.append(number(row[column], digits) if known else "not known")
        columns += [column] if known else []
    flag = "⚑ " if row["low_power"] else ""
    return Cell(
        f"{flag}{shown[0]}", shown[1], of=of("noise", row["row"], *columns) if columns else ""
    )
