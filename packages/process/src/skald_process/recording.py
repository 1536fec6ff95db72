"""Records what a station took, as a manifest beside its result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skald_specs.files import read_yaml, sha256_file, write_json
from skald_specs.manifest import MANIFEST_FOLDER, RunManifest

from skald_process.circumstances import LIBRARIES, cpu_seconds, git_state, hardware, versions


@contextmanager
def recorded(station: str, name: str, folder: Path = MANIFEST_FOLDER) -> Iterator[dict[str, Any]]:
    """Time a station and write its manifest when the block succeeds.

    Args:
        station: The verb, such as `train`.
        name: What it worked on, such as a recipe's name.
        folder: Where manifests lie.

    Yields:
        A dict to fill with `plan_fingerprint`, `layout`, `seeds`, `tokens_seen`, `energy_joules` where they
        exist.
    """
    facts: dict[str, Any] = {
        "plan_fingerprint": "", "layout": {}, "seeds": {}, "tokens_seen": 0, "energy_joules": {},
    }  # fmt: skip
    wall, cpu = time.perf_counter(), cpu_seconds()
    yield facts
    commit, dirty = git_state()
    constraints, pin = Path("constraints.txt"), Path("data.dvc")
    manifest = RunManifest(
        schema_version=1,
        station=station,
        name=name,
        git_commit=commit,
        git_dirty=dirty,
        constraints_sha256=sha256_file(constraints) if constraints.is_file() else "",
        data_dvc_md5=read_yaml(pin)["outs"][0].get("md5", "") if pin.is_file() else "",
        hardware=hardware(),
        python=sys.version.split()[0],
        libraries=versions(LIBRARIES),
        wall_seconds=round(time.perf_counter() - wall, 3),
        cpu_seconds=round(cpu_seconds() - cpu, 3),
        **facts,
    )
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK):
        # What it would tell of is done, and whole: a checkout that is only read lacks the record alone.
        print(f"{folder}: no record of this, for it cannot be written to", file=sys.stderr)
        return
    write_json(folder / f"{station}-{name}.json", manifest.model_dump(mode="json"))
