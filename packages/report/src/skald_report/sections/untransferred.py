"""Each baseline against its control: the same run with the proxies' optimum as it is, in words and figures.

Knows what their difference shows; in which direction it falls is read off the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import interval, join, number, of
from skald_report.reading.inputs import Sources
from skald_report.tables.table import MACRO, Table
from skald_report.tables.untransferred import unlike


def compared(sources: Sources, table: Table | None) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Return whether transferring helped, in words with what cannot be said, and the figures behind it.

    Args:
        sources: Plans of the baselines and of their controls.
        table: `untransferred`; None where no baseline has a control to be compared with.
    """
    gaps = tuple(_gaps(sources, table))
    if table is None:
        return gaps, ()
    frame = table.frame
    means = frame[frame["language"] == MACRO].to_dict("records")
    said = tuple(Paragraph(_said({str(k): v for k, v in row.items()})) for row in means)
    tags = list(dict.fromkeys(frame["language"]))
    tags = [MACRO] + [tag for tag in tags if tag != MACRO]
    body = []
    for model, rows in frame.groupby("model", sort=False):
        at = {
            str(r["language"]): (int(i), r)
            for i, r in zip(rows.index, rows.to_dict("records"), strict=True)
        }
        cells = [_cell(*at[tag]) if tag in at else Cell("–") for tag in tags]
        body.append((Cell(str(model), "transferred − untransferred"), *cells))
    grid = Grid(
        "untransferred",
        "Transferred against untransferred",
        "Difference of final validation bits per byte, lower is better for the transferred run; below it "
        "the two values, of the mean its interval. That interval (95 %, Student's t over the paired differences of the "
        "languages) covers how the effect varies over these languages. It does not cover the noise "
        "between seeds or between runs: each side was trained once, from the same seed and data order.",
        ("model", *tags),
        tuple(body),
        "tables/untransferred.csv",
        True,
    )
    return (*said, *gaps), (grid,)


def _gaps(sources: Sources, table: Table | None) -> Iterator[Block]:
    shown = set() if table is None else set(table.frame["model"])
    for name, plan in sources.plans.items():
        if name in shown:
            continue
        control = sources.untransferred.get(name)
        if control is None:
            why = f"{name} was not trained a second time with the proxies' optimum as it is"
        elif odd := unlike(plan, control):
            why = f"{name} and its untransferred run differ in {join(odd)}"
        else:
            why = f"{name} and its untransferred run share no validated language"
        yield Paragraph(f"{why}, so this page cannot say what transferring changed for it.", "gap")


def _cell(number: int, row: Mapping[Any, Any]) -> Cell:
    difference = f"{row['difference']:+.4f}".replace("-", "−")
    if row["language"] != MACRO:
        both = f"{row['transferred']:.4f} and {row['control']:.4f}"
        where = of("untransferred", number, "difference", "transferred", "control")
        return Cell(difference, both, of=where)
    ends = interval(row["low"], row["high"], "+.4f")
    columns = ("difference", "low", "high") if ends != "no interval" else ("difference",)
    return Cell(difference, ends, of=of("untransferred", number, *columns))


def _said(row: Mapping[str, Any]) -> str:
    octaves = row["log2_lr"] - row["control_log2_lr"]
    changed = f"a learning rate {abs(octaves):.2f} octaves {'above' if octaves > 0 else 'below'} it"
    if row["batch"] != row["control_batch"]:
        changed += f" and a batch of {row['batch']:,} instead of {row['control_batch']:,} tokens"
    if abs(octaves) < 0.005 and row["batch"] == row["control_batch"]:
        return (
            f"{row['model']}: the transferred values are the proxies' own, so both runs are one and the "
            "same and nothing is compared."
        )
    away = row["low"] > 0 or row["high"] < 0
    lower = row["difference"] < 0
    ended = (
        ("lower" if lower else "higher")
        if away
        else "neither lower nor higher beyond the languages' spread"
    )
    text = (
        f"{row['model']}, transferred against the proxies' optimum as it is ({changed}), ended {ended}: "
        f"{number(row['difference'], '+.4f')} bits per byte (95 % interval over languages "
        f"{interval(row['low'], row['high'], '+.4f')})."
    )
    scale = row["run_scale"]
    if math.isnan(scale):
        return f"{text} One seed, and no fit in this unit: nothing says how far two runs scatter."
    clear = away and abs(row["difference"]) > 2 * scale
    helped = (
        ("helped" if lower else "hurt") if clear else "made no difference that one seed can show"
    )
    return (
        f"{text} One seed: by the sweep's scatter alone two runs lie about {scale:.4f} apart, and the "
        f"difference is {abs(row['difference']) / scale:.1f} times that. Transferring {helped}."
    )
