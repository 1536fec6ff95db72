"""Size classes of models: only models of one class are compared as equals."""

from __future__ import annotations

import math
from typing import Literal, get_args

SizeClass = Literal["<1B", "1-4B", "4-10B", "10-40B", ">40B", ""]
#: Ascending; the empty one is that of unknown size.
SIZE_CLASSES: tuple[SizeClass, ...] = get_args(SizeClass)
#: Parameters that the classes of known size stay below.
SIZE_LIMITS = (1e9, 4e9, 10e9, 40e9, math.inf)


def size_class(n_params_total: float | None) -> SizeClass:
    """Return the class of a model.

    Args:
        n_params_total: Parameters, embeddings included; None or NaN: not known.

    Returns:
        A class holds its lower limit and not its upper one.
    """
    if n_params_total is None or math.isnan(n_params_total):
        return ""
    return next(
        name
        for name, limit in zip(SIZE_CLASSES, SIZE_LIMITS, strict=False)
        if n_params_total < limit
    )
