"""Where two pieces of plain data part. Knows nothing of what they mean."""

from __future__ import annotations


def first_difference(here: object, there: object, field: str = "") -> str:
    """Name the first field, in alphabetical order, in which nested dicts differ.

    Args:
        here: Plain data.
        there: Plain data to compare it with.
        field: Dotted name of the two.

    Returns:
        Such as `schedule.decay_fraction = 0.3 here, 0.2 there`; empty when they are equal.
    """
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            name = f"{field}.{key}" if field else str(key)
            if difference := first_difference(here.get(key), there.get(key), name):
                return difference
        return ""
    return "" if here == there else f"{field} = {here} here, {there} there"
