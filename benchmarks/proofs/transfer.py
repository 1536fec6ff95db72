"""`nox -s prove -- transfer`: learning rate and batch carried to long horizons, with honest intervals.

Drawn tables whose truth is known, a bake-off on held-out horizons, critical batch sizes and published
recipes, and a sweep that is trained here. Tables and figures lie in build/proofs/transfer/.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import _transfer_bakeoff as bakeoff_part
import _transfer_coverage as coverage_part
import _transfer_critical as critical_part
import _transfer_sweep as sweep_part
from skald_specs.claims import Measure, conclude

FOLDER = Path("build/proofs/transfer")
MINUTES = 20.0
#: Runnable processes, on average over a minute, above which the machine counts as busy.
BUSY_LOAD = 0.7
_US = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
PARTS: dict[str, Callable[[Path], list[Measure]]] = {
    "critical batches": lambda _: critical_part.measures(),
    "known truths": coverage_part.measures,
    "bake-off": bakeoff_part.measures,
    "sweep": sweep_part.measures,
}


def main() -> int:
    """Run the parts and conclude."""
    busy, started = os.getloadavg()[0] > BUSY_LOAD, time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    measures: list[Measure] = []
    for name, part in PARTS.items():
        began = time.monotonic()
        for measure in part(FOLDER):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            measures.append(measure)
        print(f"[{name}: {time.monotonic() - began:.0f} s]", flush=True)
    measures.append(_time(busy, started))
    return conclude("transfer", "proofs", measures, "--allow-missing" in sys.argv)


def _time(busy: bool, started: float) -> Measure:
    """Return what the proof took, in processor time where others compute here too."""
    minutes = (time.monotonic() - started) / 60
    usage = [resource.getrusage(who) for who in _US]
    cpu = sum(one.ru_utime + one.ru_stime for one in usage) / 60
    told = f"{minutes:.1f} by the clock, {cpu:.1f} of processors"
    value = cpu / 2 if busy else minutes
    return Measure(
        measure="time of this proof on two cores",
        value=value,
        unit="minutes",
        bound=f"<= {MINUTES:g}",
        holds=value <= MINUTES,
        detail=f"{told}; half of the latter, as others compute here" if busy else told,
    )


if __name__ == "__main__":
    sys.exit(main())
