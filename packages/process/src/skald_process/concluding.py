"""Ends a script that measured: writes its figures with their circumstances, prints them, gives its code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE
from skald_specs.files import write_json

from skald_process.circumstances import circumstances

#: Taken when a script imports this module: after what it imports before, ahead of all that it measures.
_LOAD_AT_START = os.getloadavg()[0]


def conclude(name: str, kind: str, measures: Sequence[Measure], allow_missing: bool = False) -> int:
    """Write the measures with their circumstances, print them, and return the exit code.

    Details name what lies below the working directory without it: where a checkout lies is nobody's figure.

    Args:
        name: The script's name.
        kind: The folder under build/: `proofs` or `bench`, or one in them for less than a claim.
        measures: The figures.
        allow_missing: Whether a measure that could not run is forgiven.

    Returns:
        0 when every bound holds, else 1.
    """
    folder, here = Path("build") / kind, f"{Path.cwd()}{os.sep}"
    measures = [m.model_copy(update={"detail": m.detail.replace(here, "")}) for m in measures]
    write_json(folder / f"{name}.json", [m.model_dump(mode="json") for m in measures])
    ran = circumstances(_LOAD_AT_START).model_dump(mode="json")
    write_json(folder / f"{name}.run.json", ran)
    width = max([len(m.measure) for m in measures], default=7)
    print(f"{'measure':<{width}}  {'value':>12}  {'bound':<14} holds")
    for m in measures:
        value = "-" if m.value is None else f"{m.value:.6g} {m.unit}"
        mark = {True: "yes", False: "NO", None: "not measured"}[m.holds]
        print(f"{m.measure:<{width}}  {value:>12}  {m.bound:<14} {mark}  {m.detail}")
    good = all(m.holds is True or (m.holds is None and allow_missing) for m in measures)
    return EXIT_DONE if good else EXIT_CLAIM_FAILED
