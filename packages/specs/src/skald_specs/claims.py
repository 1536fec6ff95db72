"""Measured claims: `build/proofs/NAME.json` and `build/bench/NAME.json`, printed as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE
from skald_specs.files import write_json
from skald_specs.models import Spec


class Measure(Spec):
    """One figure against its bound; `holds` is None when it could not be taken (see `detail`)."""

    measure: str
    value: float | None
    unit: str
    bound: str
    holds: bool | None
    detail: str = ""


def conclude(name: str, kind: str, measures: Sequence[Measure], allow_missing: bool = False) -> int:
    """Write the measures, print them as a table, and return the exit code.

    Args:
        name: The proof's or benchmark's name.
        kind: `proofs` or `bench`, the folder under build/.
        measures: The figures.
        allow_missing: Whether a measure that could not run is forgiven.

    Returns:
        0 when every bound holds, else 1.
    """
    write_json(Path("build") / kind / f"{name}.json", [m.model_dump(mode="json") for m in measures])
    width = max([len(m.measure) for m in measures], default=7)
    print(f"{'measure':<{width}}  {'value':>12}  {'bound':<14} holds")
    for m in measures:
        value = "-" if m.value is None else f"{m.value:.6g} {m.unit}"
        mark = {True: "yes", False: "NO", None: "not measured"}[m.holds]
        print(f"{m.measure:<{width}}  {value:>12}  {m.bound:<14} {mark}  {m.detail}")
    good = all(m.holds is True or (m.holds is None and allow_missing) for m in measures)
    return EXIT_DONE if good else EXIT_CLAIM_FAILED
