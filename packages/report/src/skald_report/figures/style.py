"""What all figures share: colours, type, size, and how a figure becomes SVG text.

Every figure is as wide as a telephone's screen, so that its letters keep their size there, and a
wide screen shows several in a row. Text stays text, the neutral tones are named constants that a
page may replace by its own, and the same tables always give the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from skald_report.tables.table import Table

INK, MUTED, RULE, PAPER = "#1b1f24", "#59636e", "#dfe3e8", "#ffffff"
#: The highlighted published model.
ACCENT = "#8250a8"
#: Okabe and Ito's colour-blind-safe hues for trained models, greys for controls; shapes differ too.
_TRAINED = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_CONTROLS = ("#98a1ab", "#7b848e", MUTED, "#8a7f72")
SHAPES = ("o", "D", "^", "v", "P", "X")
_CONTROL_SHAPES = ("<", ">", "s", "p")
#: Paul Tol's muted hues for horizons, which are not models.
HUES = ("#44aa99", "#882255", "#999933", "#aa4499", "#117733")
#: Shapes that go with them, one for each.
MARKS = ("o", "D", "^", "v", "s")
_WIDTH_INCHES = 4.4
MAX_TICKS = 7
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_RC: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "skald",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


class Drawing(NamedTuple):
    """One SVG and the words for those who cannot see it."""

    name: str
    svg: str
    alt: str


class Look(NamedTuple):
    """The colour and shape of a model, the same in every figure."""

    colour: str
    shape: str


def looks(models: pd.DataFrame) -> dict[str, Look]:
    """Give every model its colour and shape, by its place among the trained ones or controls."""
    found: dict[str, Look] = {}
    counts = {True: 0, False: 0}
    for name, role in zip(models["model"], models["role"], strict=True):
        control = role == "control"
        number = counts[control]
        counts[control] += 1
        colours, shapes = (_CONTROLS, _CONTROL_SHAPES) if control else (_TRAINED, SHAPES)
        found[name] = Look(colours[number % len(colours)], shapes[number % len(shapes)])
    return found


def tokens(count: float) -> str:
    """Return a short count of tokens: 262k, 0.8M, 2.3T."""
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= 0.9995 * limit:
            return f"{count / limit:.3g}{letter}"
    return f"{count:.0f}"


def short(name: str, limit: int = 30) -> str:
    """Return a name that fits a legend; control characters and the middle of a long one go."""
    clean = "".join(c for c in name if c.isprintable())
    return clean if len(clean) <= limit else clean[: limit - 9] + "…" + clean[-8:]


def powers_of_two(low: float, high: float) -> tuple[list[int], list[str]]:
    """Return ticks of a log2 axis, at most `MAX_TICKS` whole octaves, and their labels."""
    first, last = math.floor(low), math.ceil(high)
    step = max(1, math.ceil((last - first) / (MAX_TICKS - 1)))
    ticks = list(range(first, last + 1, step))
    return ticks, [f"2{str(tick).translate(_SUPERSCRIPT)}" for tick in ticks]


def file_name(text: str) -> str:
    """Return a text with only letters, digits, hyphens and underscores left."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in text)


def records(table: Table) -> list[dict[str, Any]]:
    """Return a table's rows."""
    return [{str(k): v for k, v in row.items()} for row in table.frame.to_dict("records")]


def theme() -> Any:
    """Return the context in which every figure is drawn."""
    settings: Any = {**sns.axes_style("whitegrid"), **_RC}
    return mpl.rc_context(settings)


def subplots(
    height: float,
    heights: Sequence[float] = (1.0,),
    n_columns: int = 1,
    share_y: bool = False,
) -> tuple[Figure, Any]:
    """Return a figure of the common width (height in inches) and its axes, row by row."""
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = figure.subplots(
        len(heights), n_columns, sharex="col", sharey=share_y, height_ratios=list(heights)
    )
    for panel in np.ravel(axes):
        sns.despine(ax=panel, left=True)
    return figure, axes


def drawing(figure: Figure, name: str, alt: str) -> Drawing:
    """Write a figure as SVG text without dates."""
    out = io.StringIO()
    quiet = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata={**quiet, "Title": alt})
    return Drawing(name, "\n".join(line.rstrip() for line in out.getvalue().splitlines()), alt)
