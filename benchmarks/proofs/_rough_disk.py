"""A disk that fills up under every station: a small one, mounted where nobody else sees it.

Mounting takes a namespace of its own, so this part runs as a program by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from _rough_chain import Machine, commands, differing, half_written, lay_out, results
from skald_specs.claims import Measure

_DISK_BYTES, _PAGE_BYTES = 64 << 20, 4096
#: Filled but for this share of what the station is about to write.
_LEFT = 0.4


def measures(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    """Run the part where it may mount."""
    folder.mkdir(parents=True)
    (folder / "wanted.json").write_text(json.dumps(dict(wanted)), encoding="utf-8")
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    words = ["unshare", "--mount", "--propagation", "private", *user]
    words += [sys.executable, __file__, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return [
            Measure(
                measure="full disk", value=None, unit="", bound="= 0", holds=None,
                detail=f"no disk may be mounted here ({done.stderr.strip()[-200:]})",
            )
        ]  # fmt: skip
    return [Measure.check(row, "full disk") for row in json.loads(done.stdout.splitlines()[-1])]


def _filled(folder: Path) -> list[Measure]:
    wanted = json.loads((folder / "wanted.json").read_text(encoding="utf-8"))
    (disk := folder / "disk").mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)], check=True
    )
    lay_out(disk)
    untold, spoilt, unmended = list[str](), list[str](), list[str]()
    machine, filler, out = Machine(), disk / "filler", disk / "out"
    for name, words in commands().items():
        filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - _left(folder, name))))
        told = machine.run(disk, *words)
        if not told.is_one_line or "disk is full" not in told.line or told.code == 0:
            untold.append(f"{name}: {told.code} {told.err.strip()[-300:]}")
        whole = {path: digest for path, digest in results(out).items() if "eval-store" not in path}
        spoilt += [f"{name}: {path}" for path in half_written(out)]
        spoilt += [f"{name}: {path}" for path in whole if whole[path] != wanted.get(path)]
        filler.unlink()
        again = machine.run(disk, *words)
        if again.code:
            unmended.append(f"{name}: {again.code} {again.line}")
    unmended += differing(wanted, results(out))
    rows = (
        ("ends that are not one line naming the disk", untold, "with {} % of the room it needs"),
        ("files half-written, or that are not what they should be", spoilt, "after each end"),
        (
            "stations that did not complete alike afterwards, and files",
            unmended,
            "the same command",
        ),
    )
    return [
        Measure(
            measure=f"full disk: {what}", value=len(found), unit="", bound="= 0", holds=not found,
            detail="; ".join(found[:5]) or f"{', '.join(commands())}; {how.format(round(100 * _LEFT))}",
        )
        for what, found, how in rows
    ]  # fmt: skip


def _left(folder: Path, name: str) -> int:
    """Return how much of the disk a station finds free: a part of what it writes."""
    kind = {"train": "runs", "export": "exports", "evaluate": "eval"}.get(name, name)
    made = folder.parent / "reference" / "out" / kind
    n_bytes = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    return int(_LEFT * n_bytes) // _PAGE_BYTES * _PAGE_BYTES


if __name__ == "__main__":
    rows = _filled(Path(sys.argv[1]))
    print(json.dumps([row.model_dump(mode="json") for row in rows]))
