"""`nox -s prove -- rough`: on an unfriendly machine a command does its work to the same bytes, or says why.

Every machine is really made: paths, locales, clocks, limits, users, mounts. The commands are those one
types, on a run of four steps that passes through all stations; a row counts what went wrong. What a
machine does not let itself be made into is not measured, and the proof then fails unless called with
`--allow-missing`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _rough_denied as denied_part
import _rough_disk as disk_part
import _rough_surroundings as surroundings_part
import _rough_twice as twice_part
from _conclude import conclude
from _machine import children_cpu_seconds
from _options import options
from _rough_chain import Machine, commands, lay_out, results
from skald_specs.claims import Measure

FOLDER = Path("build/proofs/rough")
PARTS: dict[str, Callable[[Path, Mapping[str, str]], list[Measure]]] = {
    "surroundings": surroundings_part.measures,
    "denied": denied_part.measures,
    "disk": disk_part.measures,
    "twice": twice_part.measures,
}


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__, parts=PARTS)
    shutil.rmtree(FOLDER, ignore_errors=True)
    folder = FOLDER.absolute()
    wanted = _friendly(folder / "reference")
    found: list[Measure] = []
    for name, part in PARTS.items():
        if given.parts and name not in given.parts:
            continue
        began, cpu = time.perf_counter(), children_cpu_seconds()
        for measure in part(folder / name, wanted):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            found.append(measure)
        took = time.perf_counter() - began
        print(f"[{name}: {took:.0f} s, {children_cpu_seconds() - cpu:.0f} s CPU]", flush=True)
    return conclude("rough", "proofs", found, given)


def _friendly(folder: Path) -> dict[str, str]:
    """Return what the commands come to where nothing is odd."""
    lay_out(folder)
    for words in commands().values():
        told = Machine().run(folder, *words)
        if told.code:
            sys.exit(f"the reference itself fails: {words[0]}: {told.err[-500:]}")
    return results(folder / "out")


if __name__ == "__main__":
    sys.exit(main())
