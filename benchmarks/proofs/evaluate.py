"""`nox -s prove -- evaluate`: whatever stops an evaluation, its answers stay, are the model's, and right.

The cost of the cycle's evaluation is measured where a cycle has left its exports; without them the
proof fails unless called with `--allow-missing`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The tests know how to make small models, items and a corpus.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _evaluate_answers as answer_part
import _evaluate_lives as life_part
import _evaluate_time as time_part
from _conclude import conclude
from _options import options
from skald_specs.claims import Measure

FOLDER = Path("build/proofs/evaluate")
#: Lives first: they are forks, and nothing has computed yet in the process they are forked from.
PARTS: tuple[Callable[[Path], list[Measure]], ...] = (
    life_part.measures,
    answer_part.measures,
    time_part.measures,
)


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__)
    shutil.rmtree(FOLDER, ignore_errors=True)
    found: list[Measure] = []
    for part in PARTS:
        began = time.perf_counter()
        folder = (FOLDER / part.__module__.removeprefix("_evaluate_")).absolute()
        folder.mkdir(parents=True)
        for measure in part(folder):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            found.append(measure)
        print(f"[{part.__module__}: {time.perf_counter() - began:.0f} s]", flush=True)
    return conclude("evaluate", "proofs", found, given)


if __name__ == "__main__":
    sys.exit(main())
