"""A figure against its bound: the rows of `build/proofs/NAME.json`, `build/bench/NAME.json` and of comparisons.

Refuses to know what is claimed, and where rows are written.
"""

from __future__ import annotations

from skald_specs.models import Spec


class Measure(Spec):
    """One figure against its bound; `holds` is None when it could not be taken (see `detail`).

    `value` is None where there is no single number to show, which may hold or not.
    """

    measure: str
    value: float | None
    unit: str
    bound: str
    holds: bool | None
    detail: str = ""
