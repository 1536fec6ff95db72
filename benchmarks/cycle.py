"""`nox -s bench -- cycle`: a cold cycle of the committed state, station by station.

Clones HEAD into a scratch folder (outputs and DVC's cache are empty there), runs the commands of
`nox -s cycle` with this environment, and holds every station to its budget; then runs them again
with nothing changed. The budgets hold on a quiet machine with two cores and are judged in wall
seconds there; on a busy one in CPU seconds over two cores. The stations' code is that of this
checkout, in which the packages are installed, so commit before you measure.

With `--keep` a checkout without artifacts gets those of the cold cycle, as `nox -s cycle` would have left
them, and one that has some is brought up to date before the clone is measured.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _conclude import conclude
from _machine import children_cpu_seconds, is_busy
from _options import options
from skald_cli.summary import station_times
from skald_specs.claims import Measure

CORES = 2
CYCLE_SECONDS = 600.0
UNCHANGED_SECONDS = 10.0
COMMANDS = (
    ("skald", "corpus", "generate", "--pin", "data.dvc"),
    ("dvc", "repro"),
    (sys.executable, "-m", "skald_cli.summary"),
)
#: What a cycle leaves in a checkout.
OUTPUTS = ("data", ".dvc/cache", "reports/latest", "artifacts")


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__, flags={"keep": "leave the checkout the outputs of a cycle"})
    busy = is_busy()
    commit = _text("git", "rev-parse", "--short", "HEAD")
    dirty = bool(_text("git", "status", "--porcelain", "--untracked-files=no"))
    state = f"commit {commit}{' and uncommitted changes' if dirty else ''}"
    keep, used = given.keep, Path("artifacts").exists()
    if keep and used:
        _timed(Path.cwd())
    # On the checkout's own disk: what is kept is moved there, not copied.
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build") as folder:
        clone = Path(folder) / "skald"
        subprocess.run(["git", "clone", "-q", ".", str(clone)], check=True)
        cold = _timed(clone)
        stations = station_times(clone)
        unchanged = _timed(clone)
        if keep and not used:
            _adopt(clone)
    rows = [
        (row.station, row.wall_seconds, row.cpu_seconds, row.budget_seconds) for row in stations
    ]
    rows += [("cycle", *cold, CYCLE_SECONDS), ("nothing changed", *unchanged, UNCHANGED_SECONDS)]
    measures = []
    for name, wall, cpu, budget in rows:
        value = cpu / CORES if busy else wall
        measures.append(
            Measure(
                measure=name,
                value=round(value, 2),
                unit=f"CPU s / {CORES}" if busy else "s",
                bound=f"<= {budget:g}",
                holds=value <= budget if wall else None,
                detail=f"wall {wall:.1f} s, CPU {cpu:.1f} s; {state}" if wall else "did not run",
            )
        )
    return conclude("cycle", "bench", measures, given)


def _adopt(clone: Path) -> None:
    """Move the outputs that this checkout has not got to where `nox -s cycle` writes them."""
    for name in OUTPUTS:
        if not Path(name).exists():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(clone / name, name)


def _timed(clone: Path) -> tuple[float, float]:
    """Run the cycle's commands; return wall and CPU seconds, those of all children included."""
    wall, cpu = time.perf_counter(), children_cpu_seconds()
    for command in COMMANDS:
        subprocess.run(command, cwd=clone, check=True)
    return time.perf_counter() - wall, children_cpu_seconds() - cpu


def _text(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
