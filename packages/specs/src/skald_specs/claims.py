"""Measured claims: rows of `build/proofs/NAME.json` and `build/bench/NAME.json`.

Beside each lies `NAME.run.json`: when, on what and with what it was measured (`circumstances`).
"""

from __future__ import annotations

from skald_specs.models import Spec


class Measure(Spec):
    """One figure against its bound; `holds` is None when it could not be taken (see `detail`)."""

    measure: str
    value: float | None
    unit: str
    bound: str
    holds: bool | None
    detail: str = ""
