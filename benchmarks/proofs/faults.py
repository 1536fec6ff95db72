"""`nox -s prove -- faults`: whatever ends a run, the same command continues it to the same result.

Most runs are led by forks of this process, which has imported everything already; some are the real
`skald train`. Runs lie in build/proofs/faults/ and are made afresh each time.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _faults_damage as damage_part
import _faults_ends as end_part
import _faults_kills as kill_part
import _faults_steps as step_part
from _conclude import conclude
from _faults_lives import made_corpus
from _options import options
from skald_specs.claims import Measure
from skald_trainer.bridge import patches

FOLDER = Path("build/proofs/faults")
PARTS: tuple[Callable[[Path, Path], list[Measure]], ...] = (
    kill_part.measures,
    end_part.measures,
    damage_part.measures,
    step_part.measures,
)


def main() -> int:
    """Run the parts and conclude."""
    given = options(__doc__)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    folder = FOLDER.absolute()
    corpus = made_corpus(folder)
    # Before the first fork, so that no life has to import it.
    patches.apply("cpu")
    measures: list[Measure] = []
    for part in PARTS:
        began = time.perf_counter()
        for measure in part(folder, corpus):
            print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
            measures.append(measure)
        print(f"[{part.__module__}: {time.perf_counter() - began:.0f} s]", flush=True)
    return conclude("faults", "proofs", measures, given)


if __name__ == "__main__":
    sys.exit(main())
