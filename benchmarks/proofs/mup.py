"""`nox -s prove -- mup`: coordinates, learning rates over width and depth, wider is better.

Everything is trained here, with the sweep's resident workers. Finished runs are kept in
build/proofs/mup/, so an interrupted proof continues; tables and figures lie there too.
"""

from __future__ import annotations

import sys
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _mup_coordinates as coordinate_part
import _mup_sweeps as sweep_part
from _conclude import conclude
from _options import options
from skald_specs.claims import Measure

FOLDER = Path("build/proofs/mup")


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__)
    FOLDER.mkdir(parents=True, exist_ok=True)
    measures: list[Measure] = coordinate_part.measures(FOLDER)
    for measure in measures:
        print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
    measures += sweep_part.measures(FOLDER)
    return conclude("mup", "proofs", measures, given)


if __name__ == "__main__":
    sys.exit(main())
