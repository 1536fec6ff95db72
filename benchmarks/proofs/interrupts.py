"""`nox -s prove -- interrupts`: Ctrl-C at any moment of any verb is one line, and the same command goes on.

Two or three moments of chance of each verb that takes a while, on a small world in build/proofs/interrupts/ that
holds what the stations before it wrote.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path

# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

from _conclude import conclude
from _interrupts_verbs import TELLS_COST, Verb, measured
from _interrupts_world import made_world
from _options import options

FOLDER = Path("build/proofs/interrupts")
#: In the order of the stations: each finds what those before it wrote.
VERBS = (
    Verb("corpus build, of sources", "corpus build sources.yaml --workers 2"),
    Verb("corpus build, a second corpus", "corpus build recipe.yaml --source more --out other"),
    Verb("corpus build, of a recipe", "corpus build recipe.yaml --items items"),
    Verb("sweep run", "sweep run recipe.yaml", n_moments=2),
    Verb("plan fit", "plan fit artifacts/sweep"),
    Verb("plan predict", "plan predict recipe.yaml"),
    Verb("launch", "launch artifacts/plan/trial.yaml --site generic-slurm --account a"),
    Verb("train", "train artifacts/plan/trial.yaml"),
    Verb("export", "export artifacts/runs/trial"),
    Verb("evaluate", "evaluate artifacts/exports/trial --suite ud --items items", n_moments=2),
    Verb("evaluate --watch", "evaluate --watch artifacts/runs/trial --suite ud --items items", n_moments=2),
    Verb("report import-published", "report import-published boards --date 2026-01-02"),
    Verb("report build", "report build trial --suites ud --out reports/trial", n_moments=2),
    Verb(
        "corpus ablate", "corpus ablate artifacts/corpus other --recipe given.yaml --seeds 2", n_moments=2
    ),
    Verb("mup coord-check", "mup coord-check recipe.yaml --widths 16 32 64 --seeds 2", n_moments=2),
    Verb("own_text", "text items", n_moments=2, module="skald_cli.own_text", but=TELLS_COST),
)  # fmt: skip


def main() -> int:
    """Interrupt every verb, and conclude."""
    given = options(__doc__)
    # Where this was started in the background, Ctrl-C would be ignored by all that starts from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shutil.rmtree(FOLDER, ignore_errors=True)
    world = made_world(FOLDER.absolute() / "world")
    measures = []
    for verb in VERBS:
        began = time.perf_counter()
        measures.append(measured(verb, world, world.parent))
        print(f"{verb.name}: {measures[-1].value} faults ({measures[-1].detail}) "
              f"[{time.perf_counter() - began:.0f} s]", flush=True)  # fmt: skip
    return conclude("interrupts", "proofs", measures, given)


if __name__ == "__main__":
    sys.exit(main())
