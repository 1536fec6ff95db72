"""Rows of words as lines with aligned columns, and amounts as words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

#: An amount below this is shown as less than it.
LEAST_AMOUNT = 0.001


def amount(value: float) -> str:
    """Return an amount of time, energy or work in few characters, never with an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= LEAST_AMOUNT or value == 0 else f"<{LEAST_AMOUNT:g}"


def aligned(rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Return one line for each row, every column as wide as its widest word.

    Args:
        rows: Of equal length; the first is often a header.
        right: Columns whose words end at their right edge, as numbers do; counted from 0.
    """
    lines = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
