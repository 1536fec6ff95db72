"""What the cycle's evaluation costs: all its models and controls on the suite `core`, from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from _machine import children_cpu_seconds, is_busy
from skald_cli import places
from skald_specs.claims import Measure
from skald_specs.records import EvaluationSummary

MOST_SECONDS, CORES = 60.0, 2


def measures(folder: Path) -> list[Measure]:
    """Run the command as the cycle does, into an empty folder."""
    exports = sorted(path.parent for path in places.EXPORTS.glob("*/config.json"))
    name = "the core evaluation of all the cycle's models and controls"
    bound = f"<= {MOST_SECONDS:g}"
    if not exports or not places.ITEMS.is_dir() or not (places.CORPUS / "corpus.json").is_file():
        why = "no exports, items or corpus of a cycle: run `nox -s cycle`"
        return [Measure(measure=name, value=None, unit="s", bound=bound, holds=None, detail=why)]
    out = folder / "timed"
    shutil.rmtree(out, ignore_errors=True)
    shared = is_busy() or (os.cpu_count() or 1) > CORES
    words = ["evaluate", *map(str, exports), "--suite", "core", "--out", str(out)]
    before, began = children_cpu_seconds(), time.perf_counter()
    with (folder / "timed.log").open("w") as log:
        done = subprocess.run(
            [sys.executable, "-m", "skald_cli.main", *words], stdout=log, stderr=log, check=False
        )
    wall, cpu = time.perf_counter() - began, children_cpu_seconds() - before
    if done.returncode:
        said = (folder / "timed.log").read_text().splitlines()
        why = next((line for line in said if line.startswith("skald: ")), "".join(said[-1:]))
        return [Measure(measure=name, value=None, unit="s", bound=bound, holds=False, detail=why)]
    seconds = cpu / CORES if shared else wall
    summary = EvaluationSummary.load(out / "core" / "summary.json")
    return [
        Measure(
            measure=name, value=seconds, unit="s", bound=bound, holds=seconds <= MOST_SECONDS,
            detail=f"{'CPU seconds / 2 on a busy machine' if shared else 'wall'}; {wall:.0f} s wall, "
            f"{cpu:.0f} CPU seconds; {len(summary.models)} models, {len(summary.tasks)} tasks",
        )
    ]  # fmt: skip
