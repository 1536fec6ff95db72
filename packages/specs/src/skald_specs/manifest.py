"""The run manifest: what DVC cannot hold (time, hardware, versions). Never a DVC dependency."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skald_specs.models import Spec

#: Manifests lie beside the artifacts, outside every DVC output.
MANIFEST_FOLDER = Path("artifacts/manifests")


class RunManifest(Spec):
    """One station's run.

    `energy_joules`: by source (`gpu`, `cpu`), of the whole run where it was continued; no entry for
    what could not be read.
    """

    schema_version: Literal[1]
    station: str
    name: str
    git_commit: str
    git_dirty: bool | None
    constraints_sha256: str
    data_dvc_md5: str
    plan_fingerprint: str
    layout: dict[str, int]
    seeds: dict[str, int]
    tokens_seen: int
    hardware: str
    python: str
    libraries: dict[str, str]
    wall_seconds: float
    cpu_seconds: float
    energy_joules: dict[str, float]
