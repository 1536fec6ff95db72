"""Coloured cells with letters in them: what heat maps and pairwise matrices share."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from skald_report.figures.style import MUTED, PAPER, RULE

Colour = tuple[float, float, float]
#: Not the theme's tones: cells keep their colours in the dark, so their letters must, too.
_DARK, _LIGHT = "#010101", "#fefefe"
#: What has no place on the scale of colours: ties, controls.
GREY: Colour = (0.87, 0.88, 0.9)
#: Where both tones stand out equally from a colour: sqrt(1.04 * 0.05) - 0.05.
_EVEN = 0.178


def luminance(colour: Colour) -> float:
    """Return a colour's relative luminance. Source: WCAG 2.2, "relative luminance"."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def letters_on(colour: Colour) -> str:
    """Return the tone of letters that stands out more on a colour."""
    return _DARK if luminance(colour) > _EVEN else _LIGHT


def filled(
    axes: Axes, x: float, y: float, colour: Colour, lines: Sequence[str], size: float
) -> None:
    """Draw one cell of one by one around a place, with one or two lines of letters.

    Args:
        axes: The caller sets their limits, in cells; rows count downwards.
        x: Centre of the cell: number of its column.
        y: Number of its row.
        colour: Of the surface; the letters are dark or light after it.
        lines: One or two; more are refused.
        size: Of the letters, in points.
    """
    # The axes have their limits; add_patch would work them out anew at each of a thousand cells.
    axes.add_artist(
        Rectangle((x - 0.49, y - 0.48), 0.98, 0.96, facecolor=colour, lw=0, clip_on=False)
    )
    shifts = (0.0,) if len(lines) == 1 else (-0.19, 0.23)
    for line, shift in zip(lines, shifts, strict=True):
        axes.text(x, y + shift, line, ha="center", va="center_baseline", size=size,
                  color=letters_on(colour))  # fmt: skip


def empty(axes: Axes, x: float, y: float, size: float) -> None:
    """Draw a cell about which nothing is known: hatched, with a dash.

    Args:
        axes: As for `filled`.
        x: Centre of the cell: number of its column.
        y: Number of its row.
        size: Of the dash, in points.
    """
    axes.add_artist(Rectangle((x - 0.49, y - 0.48), 0.98, 0.96, facecolor=PAPER, edgecolor=RULE,
                             hatch="////", lw=0, clip_on=False))  # fmt: skip
    axes.text(x, y, "–", ha="center", va="center_baseline", size=size, color=MUTED)
