"""Two builds from the same records are the same bytes, whatever the process, the order and the machine's settings."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from _report_cycle import EVIDENCE, PUBLISHED, Cycle
from skald_specs.claims import Measure
from skald_specs.files import read_text, write_text

_BUILD = """
import sys
from pathlib import Path
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
artifacts, published, evidence, out, *names = sys.argv[1:]
inputs = ReportInputs.from_folders(
    Path(artifacts), names, ["core"], Path(published), evidence=Path(evidence)
)
build(inputs, Path(out))
"""
#: Settings of the other process that no figure may follow.
_ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland", "LC_ALL": "C", "COLUMNS": "40"}


def measures(source: Cycle, folder: Path) -> list[Measure]:
    """Build again in another process and compare every file."""
    shuffled, again = _shuffled(source, folder / "artifacts"), folder / "again"
    words = [shuffled, PUBLISHED, EVIDENCE, again, *source.baselines]
    command = [sys.executable, "-c", _BUILD, *map(str, words)]
    subprocess.run(command, check=True, env={**os.environ, **_ELSEWHERE})
    first, second = (
        {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        for out in (source.page, again)
    )
    unlike = sorted(n for n in first.keys() | second.keys() if first.get(n) != second.get(n))
    return [
        Measure(
            measure="files that differ between two builds from the same records",
            value=len(unlike), unit="files", bound="== 0", holds=not unlike and len(first) > 5,
            detail=f"of {len(first)}; items shuffled, {', '.join(_ELSEWHERE)} changed"
            + (f"; {unlike[:5]}" if unlike else ""),
        )
    ]  # fmt: skip


def _shuffled(source: Cycle, artifacts: Path) -> Path:
    """Return artifacts of which only the items are in another order; all else is linked."""
    artifacts.mkdir(parents=True)
    for path in source.artifacts.iterdir():
        if path.name != "eval":
            (artifacts / path.name).symlink_to(path.resolve())
    for path in source.evaluation.rglob("*"):
        place = artifacts / "eval" / source.evaluation.name / path.relative_to(source.evaluation)
        if path.is_file() and path.name != "items.jsonl":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
    lines = read_text(source.evaluation / "items.jsonl").splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    write_text(artifacts / "eval" / source.evaluation.name / "items.jsonl", "".join(lines))
    return artifacts
