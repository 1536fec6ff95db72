"""`nox -s prove -- report`: the page says what the records say, no more, and does no harm.

Made on the records of the last cycle, or on simulated ones where there are none. What a browser must
say is not measured without one, and the proof then fails unless called with `--allow-missing`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The tests know how to simulate an evaluation.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _report_browsing as browser_part
import _report_builds as build_part
import _report_copies as copy_part
import _report_coverage as coverage_part
import _report_names as name_part
import _report_numbers as number_part
import _report_sentences as sentence_part
from _conclude import conclude
from _options import options
from _report_cycle import Cycle, cycle
from skald_specs.claims import Measure

FOLDER, ARTIFACTS = Path("build/proofs/report"), Path("artifacts")
PARTS: dict[str, Callable[[Cycle, Path], list[Measure]]] = {
    "copies": copy_part.measures,
    "numbers": number_part.measures,
    "sentences": sentence_part.measures,
    "builds": build_part.measures,
    "names": lambda _, folder: name_part.measures(folder),
    "browser": browser_part.measures,
    "coverage": lambda _, folder: coverage_part.measures(folder),
}


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__)
    shutil.rmtree(FOLDER, ignore_errors=True)
    source = cycle(ARTIFACTS, (FOLDER / "cycle").absolute())
    found: list[Measure] = []
    for name, part in PARTS.items():
        began, cpu = time.perf_counter(), time.process_time()
        folder = (FOLDER / name).absolute()
        folder.mkdir(parents=True)
        for measure in part(source, folder):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            found.append(measure)
        took = time.process_time() - cpu
        print(f"[{name}: {time.perf_counter() - began:.0f} s, {took:.0f} s CPU]", flush=True)
    return conclude("report", "proofs", found, given)


if __name__ == "__main__":
    sys.exit(main())
