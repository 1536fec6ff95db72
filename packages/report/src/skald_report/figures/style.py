"""What all figures share: colours, type, size, and how a figure becomes SVG text.

Every figure is as wide as a telephone's screen, so that its letters keep their size there, and a
wide screen shows several in a row. Text stays text, the neutral tones are named constants that a
page may replace by its own, and the same tables always give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextToPath

from skald_report.tables.table import Table

#: The neutral tones of the page in light mode (page.css), which the page replaces by its own variables.
INK, MUTED, RULE, PAPER = "#16202b", "#55606c", "#dde2e8", "#ffffff"
#: The highlighted published model.
ACCENT = "#7c4aa3"
#: Hues for trained models, three of Okabe and Ito's among them: at least 3:1 on white and on dark paper, and
#: as far apart for each kind of colour blindness as theirs (tested). Greys for controls; shapes differ, too.
_TRAINED = ("#0072b2", "#d55e00", "#009e73", "#8f3be8", "#9a5048", "#ab8a4e")
#: What the models share that got no colour of their own; labels tell them apart.
_SHARED = "#73808f"
_CONTROLS = ("#98a1ab", "#7b848e", MUTED, "#8a7f72")
SHAPES = ("o", "D", "^", "v", "P", "X")
_CONTROL_SHAPES = ("<", ">", "s", "p")
#: Paul Tol's muted hues for horizons, which are not models.
HUES = ("#44aa99", "#882255", "#999933", "#aa4499", "#117733")
#: Shapes that go with them, one for each.
MARKS = ("o", "D", "^", "v", "s")
WIDTH_INCHES = 4.4
#: Pixels an inch of a drawing takes on a screen at least (7 points are then 9 pixels) and at most.
_PIXELS = (92, 120)
#: A wider drawing has a row of the page for itself.
_ROW_INCHES = 5.0
MAX_TICKS = 7
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: As matplotlib writes it.
_FAMILY = "'DejaVu Sans', sans-serif"
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
    """One SVG and the words for those who cannot see it.

    `table` names the table in which every number written in the drawing stands.
    """

    name: str
    svg: str
    alt: str
    table: str = ""

    @property
    def scrolls(self) -> bool:
        """Whether it is wider than a telephone's screen, so that a reader has to scroll in it."""
        return self.svg.count("min-width: ", 0, self.svg.find(">", self.svg.find("<svg "))) > 0


class Look(NamedTuple):
    """The colour and shape of a model, the same in every figure, and what the model is there for."""

    colour: str
    shape: str
    role: str = "baseline"


#: That of a model nobody gave one.
UNKNOWN = Look(INK, "o")


def looks(models: pd.DataFrame, leaders: Sequence[str] = ()) -> dict[str, Look]:
    """Give every model its colour and shape.

    Where there are more models than colours, baselines take them first, then the leaders; the rest
    shares one tone.

    Args:
        models: Columns model and role, in the order of the page.
        leaders: Models by how well they do, the best first.
    """
    role = dict(zip(models["model"], models["role"], strict=True))
    trained = [name for name in role if role[name] != "control"]
    rank = {name: number for number, name in enumerate(leaders)}
    first = sorted(trained, key=lambda n: (role[n] != "baseline", rank.get(n, len(rank))))
    coloured = set(first[: len(_TRAINED)])
    ways = iter(zip(_TRAINED, SHAPES, strict=True))
    found: dict[str, Look] = {}
    for name in trained:
        way = next(ways) if name in coloured else (_SHARED, "o")
        found[name] = Look(*way, role[name])
    controls = [name for name in role if role[name] == "control"]
    for number, name in enumerate(controls):
        colour = _CONTROLS[number % len(_CONTROLS)]
        found[name] = Look(colour, _CONTROL_SHAPES[number % len(_CONTROL_SHAPES)], "control")
    return {name: found[name] for name in role}


def colourful(look: Mapping[str, Look]) -> list[str]:
    """Return the models that a figure of many marks a model can tell apart: those with a colour of their own.

    Beside them stand as many controls as have a grey of their own.
    """
    controls = [name for name, own in look.items() if own.role == "control"][: len(_CONTROLS)]
    return [
        name
        for name, own in look.items()
        if name in controls or (own.role != "control" and own.colour != _SHARED)
    ]


def tokens(count: float) -> str:
    """Return a short count of tokens: 262k, 0.8M, 2.3T."""
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(count) >= 0.9995 * limit:
            return f"{count / limit:.3g}{letter}"
    return f"{count:.0f}"


def short(name: str, limit: int = 30) -> str:
    """Return a name that fits a legend; control characters and the middle of a long one go.

    Args:
        name: As the user wrote it.
        limit: Most letters, 10 at least; the last eight of a longer name stay.
    """
    clean = "".join(c for c in name if c.isprintable())
    return clean if len(clean) <= limit else clean[: limit - 9] + "…" + clean[-8:]


def short_names(names: Iterable[str], limit: int) -> dict[str, str]:
    """Return names that fit, no two alike: of equal short ones, all but the first get a number.

    Args:
        names: Repeated ones count once. What stands before the last slash goes where the rest still
            tells them apart.
        limit: Most letters, before a number is added.

    Returns:
        What to write, by name, in the order given.
    """
    names = list(dict.fromkeys(names))
    # Whose repository a model lies in says less than its name.
    bare = {name: name.rsplit("/", 1)[-1] or name for name in names}
    if len(set(bare.values())) < len(names):
        bare = {name: name for name in names}
    cut = {name: short(bare[name], limit) or "?" for name in names}
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(cut[name], []).append(name)
    for group in alike.values():
        if len(group) > 1:
            # What tells them apart stands where they begin to differ.
            columns = enumerate(zip(*(bare[name] for name in group), strict=False))
            apart = next((n for n, letters in columns if len(set(letters)) > 1), 0)
            start = max(4, apart - 4)
            for name in group:
                text = "".join(c for c in bare[name] if c.isprintable())
                cut[name] = short(f"{text[:3]}…{text[start : start + limit - 4]}", limit)
    found: dict[str, str] = {}
    taken: dict[str, int] = {}
    for name in names:
        taken[cut[name]] = taken.get(cut[name], 0) + 1
        number = taken[cut[name]]
        found[name] = cut[name] if number == 1 else f"{cut[name]} ({number})"
    return found


def signed(value: float, digits: str) -> str:
    """Return a number with a true minus sign; what rounds to zero has none.

    Args:
        value: Any number.
        digits: A format specification, as `+.2f`.
    """
    text = f"{value:{digits}}"
    return f"{0.0:{digits}}" if value and float(text) == 0 else text.replace("-", "−")


@lru_cache(maxsize=4096)
def text_inches(text: str, size: float) -> float:
    """Return how wide a text is in the theme's type (`size` in points); a page's own is narrower.

    Args:
        text: One line.
        size: In points.
    """
    width, _, _ = TextToPath().get_text_width_height_descent(
        text, FontProperties(family="DejaVu Sans", size=size), False
    )
    return float(width) / 72


def powers_of_two(low: float, high: float, most: int = MAX_TICKS) -> tuple[list[int], list[str]]:
    """Return ticks of a log2 axis, at most `most` whole octaves, and their labels.

    Args:
        low: Log2 of the axis' lower end; rounded down.
        high: Log2 of its upper end; rounded up.
        most: Ticks at most, 2 at least.
    """
    first, last = math.floor(low), math.ceil(high)
    step = max(1, math.ceil((last - first) / (most - 1)))
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
    """Return a figure of the common width (height in inches) and its axes, row by row.

    Args:
        height: Of the whole figure, in inches.
        heights: Of the rows, relative to each other; there are as many rows.
        n_columns: Axes in each row; those of one column share their x axis.
        share_y: Whether all share one y axis.

    Returns:
        The figure, and its axes as `Figure.subplots` gives them: one, or an array of rows.
    """
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = figure.subplots(
        len(heights), n_columns, sharex="col", sharey=share_y, height_ratios=list(heights)
    )
    for panel in np.ravel(axes):
        sns.despine(ax=panel, left=True)
    return figure, axes


def headed(figure: Figure, title: str, n_columns: int, **legend: Any) -> None:
    """Set a title above a figure, and its legend under it.

    Args:
        figure: Its labelled marks make the legend where `legend` names none.
        title: What the figure is about.
        n_columns: Entries of the legend beside each other.
        **legend: More for matplotlib's legend, such as handles.
    """
    spacing: Any = {"handletextpad": 0.4, "columnspacing": 1.2, "handlelength": 1.7, **legend}
    made = figure.legend(loc="outside upper left", ncols=n_columns, title=title, alignment="left",
                         borderpad=0, **spacing)  # fmt: skip
    made.get_title().set(weight="bold", size=9.5)


def model_legend(figure: Figure, models: Iterable[str], look: Mapping[str, Look],
            title: str, shapes: bool = True) -> None:  # fmt: skip
    """Set a title above a figure, and under it the models with their colours and shapes.

    Args:
        figure: One whose panels are drawn already.
        models: Whom the figure shows; repeated ones count once.
        look: A model that is not in it gets the look of an unknown one.
        title: What the figure is about.
        shapes: Whether the figure marks points, so that the legend has to show the marks.
    """
    names = short_names(models, 24)
    handles = [
        Line2D(
            [],
            [],
            color=look.get(name, UNKNOWN).colour,
            lw=1.6,
            label=label,
            marker=look.get(name, UNKNOWN).shape if shapes else None,
            markersize=4,
        )
        for name, label in names.items()
    ]
    headed(figure, title, 2, handles=handles)


def drawing(figure: Figure, name: str, alt: str, table: str = "") -> Drawing:
    """Write a figure as SVG text without dates.

    Args:
        figure: The finished figure.
        name: File name.
        alt: What it shows, in words.
        table: The table its written numbers stand in.
    """
    out = io.StringIO()
    quiet = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", metadata={**quiet, "Title": alt})
    svg = compact(out.getvalue())
    width = figure.get_figwidth()
    if width > WIDTH_INCHES:
        # A narrow screen scrolls through it instead of making its letters too small to read.
        least, most = (round(width * pixels) for pixels in _PIXELS)
        wide = ' class="wide"' if width > _ROW_INCHES else ""
        svg = svg.replace(
            "<svg ", f'<svg{wide} style="min-width: {least}px; max-width: {most}px" ', 1
        )
    return Drawing(name, svg, alt, table)


def compact(svg: str) -> str:
    """Return an SVG text that looks the same in half the bytes.

    The family of all letters is said once, and what nothing refers to goes: ids, indentation, the second
    copy of the title, turns by no angle.
    """
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace(f"font-family: {_FAMILY}; ", "").replace(
        "<svg ", f'<svg font-family="{_FAMILY}" ', 1
    )
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: _rounded(m[0]), svg)
    svg = re.sub(r"<g>\s*(<(?:text|path|use)[^<]*(?:/>|</text>))\s*</g>", r"\1", svg)
    return "\n".join(line.strip() for line in svg.splitlines())


def _rounded(attribute: str) -> str:
    """Return places without line breaks, in hundredths of a point."""
    joined = " ".join(attribute.split()).replace(' "', '"')
    return " " + re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", joined)
