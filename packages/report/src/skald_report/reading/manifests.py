"""Run manifests: what the stations took. Time, hardware and energy differ from run to run and are no results.

Knows which manifests belong to what a report shows; refuses to take one for another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from skald_specs.manifest import RunManifest

#: Manifests by station and the name of what it worked on.
Manifests = Mapping[tuple[str, str], RunManifest]


def read_manifests(folder: Path | None, runs: Iterable[str], suites: Iterable[str]) -> Manifests:
    """Read the manifests of runs, of evaluations and of every sweep.

    Args:
        folder: Where manifests lie, or None.
        runs: Names of trained runs.
        suites: Names of evaluated suites.

    Returns:
        Those that are there. A folder has more, of runs and suites that the report does not show.

    Raises:
        UserInputError: A manifest is malformed.
    """
    if folder is None:
        return {}
    paths = [folder / f"train-{name}.json" for name in runs]
    paths += [folder / f"evaluate-{suite}.json" for suite in suites]
    paths += sorted(folder.glob("sweep-*.json"))
    found = [RunManifest.load(path) for path in paths if path.is_file()]
    return {(manifest.station, manifest.name): manifest for manifest in found}
