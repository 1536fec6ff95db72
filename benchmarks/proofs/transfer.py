"""`nox -s prove -- transfer`: learning rate and batch carried to long horizons, with honest intervals.

Drawn tables whose truth is known, a bake-off on held-out horizons, critical batch sizes and published
recipes, and a sweep that is trained here. Tables and figures lie in build/proofs/transfer/.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _transfer_bakeoff as bakeoff_part
import _transfer_coverage as coverage_part
import _transfer_critical as critical_part
import _transfer_sweep as sweep_part
from _conclude import conclude
from _machine import is_busy, time_of_proof
from _options import options
from skald_specs.claims import Measure

FOLDER = Path("build/proofs/transfer")
MINUTES = 20.0
PARTS: dict[str, Callable[[Path], list[Measure]]] = {
    "critical batches": lambda _: critical_part.measures(),
    "known truths": coverage_part.measures,
    "bake-off": bakeoff_part.measures,
    "sweep": sweep_part.measures,
}


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__)
    busy, started = is_busy(), time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    measures: list[Measure] = []
    for name, part in PARTS.items():
        began = time.monotonic()
        for measure in part(FOLDER):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            measures.append(measure)
        print(f"[{name}: {time.monotonic() - began:.0f} s]", flush=True)
    measures.append(time_of_proof(busy, started, MINUTES))
    return conclude("transfer", "proofs", measures, given)


if __name__ == "__main__":
    sys.exit(main())
