"""The forms that the best learning rate may have over batch and horizon, and the surface around it.

Knows three closed forms of the ridge; the planner fits them, the report draws them. Everything is log2
and counted from the fit's centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skald_specs.timefit import FamilyFit, FamilyKind

Floats = NDArray[np.float64]

#: The ridge's parameters by family: `level` log2 lr at the centre, then changes for each octave of batch,
#: horizon and size; `knee` log2 of the critical batch at the centre, `knee_horizon` its change (kappa).
RIDGE_NAMES: dict[FamilyKind, tuple[str, ...]] = {
    "power": ("level", "batch", "horizon", "size"),
    "surge": ("level", "horizon", "size", "knee", "knee_horizon"),
    "saturating": ("level", "horizon", "size", "knee", "knee_horizon"),
}


def ridge(kind: FamilyKind, parameters: Mapping[str, Any], y: Any, t: Any, n: Any) -> Any:
    """Return log2 of the best learning rate, counted from the centre; arrays broadcast.

    Args:
        kind: power: a + beta y + gamma t. surge: rises as sqrt(B) up to the critical batch and falls
            as 1 / sqrt(B) above it. saturating: rises as sqrt(B) and stays.
        parameters: By the names of `RIDGE_NAMES`; a missing one is 0.
        y: log2 global batch in tokens, from the centre.
        t: log2 horizon in tokens, from the centre.
        n: log2 non-embedding parameters, from the centre.

    Source: surge: arXiv 2405.14578 (Eq. 2) with a critical batch c T^kappa as arXiv 2410.05838 has it;
        saturating: the same without the fall, which arXiv 2510.03871 does not observe.
    """
    at = parameters.get
    trend = at("level", 0.0) + at("horizon", 0.0) * t + at("size", 0.0) * n
    if kind == "power":
        return trend + at("batch", 0.0) * y
    above = y - (at("knee", 0.0) + at("knee_horizon", 0.0) * t)
    if kind == "surge":
        return trend + 1.0 - np.logaddexp2(above / 2, -above / 2)
    return trend - 0.5 * np.logaddexp2(0.0, -above)


#: Least curvature over the batch that a draw is taken to have, of log loss for each octave squared, and
#: the octaves from the centre that its best batch may lie: a draw that hardly opens has it anywhere.
LEAST_PROFILE, FARTHEST_BATCH = 1e-4, 20.0


def best_batch(parameters: Mapping[str, Any], t: Any, n: Any) -> Any:
    """Return log2 of the batch at which the profile over it is lowest, counted from the centre.

    Args:
        parameters: By name, see `FamilyFit`; without a profile there is no best batch, and NaN.
        t: log2 horizon in tokens, from the centre.
        n: log2 non-embedding parameters, from the centre.
    """
    at = parameters.get
    slope = at("profile_batch", 0.0) + at("profile_horizon", 0.0) * t + at("profile_size", 0.0) * n
    opens = np.maximum(at("profile", np.nan), LEAST_PROFILE)
    return np.clip(-slope / (2 * opens), -FARTHEST_BATCH, FARTHEST_BATCH)


def named(fit: FamilyFit, values: Sequence[float] | Floats | None = None) -> dict[str, Any]:
    """Return a family's parameters by name.

    Args:
        fit: The family.
        values: Parameters in the order of `fit.names`, or draws of them, shape (draws, parameters); None:
            the fitted values.

    Returns:
        A number for each name, or an array of one for each draw.
    """
    table = np.asarray(fit.values if values is None else values, dtype=np.float64)
    return {name: table[..., i] for i, name in enumerate(fit.names)}
