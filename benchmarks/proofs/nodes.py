"""`nox -s prove -- nodes`: two hosts give the bytes of one, and losing one is told and costs little.

The hosts are namespaces of this machine (see _nodes_hosts.py); where it permits none, nothing is
measured, and the proof fails unless called with `--allow-missing`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# The tests know how to make small models, items and a corpus.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
# What all share lies in the folder above.
sys.path.append(str(Path(__file__).parents[1]))

import _nodes_evaluate as evaluate_part
import _nodes_train as train_part
import _nodes_wrong as wrong_part
from _conclude import conclude
from _nodes_hosts import CannotMakeHostsError, Host, two_hosts
from _options import options
from skald_specs.claims import Measure

FOLDER = Path("build/proofs/nodes")
PARTS: dict[str, Callable[[tuple[Host, Host], Path], list[Measure]]] = {
    "train": train_part.measures,
    "evaluate": evaluate_part.measures,
    "wrong": wrong_part.measures,
}
#: Who is not root becomes it among users of its own, where the kernel lets it.
_BECOME_ROOT = ("unshare", "--user", "--map-root-user")


def main() -> int:
    """Make the hosts, run the parts and conclude."""
    given = options(__doc__)
    shutil.rmtree(FOLDER, ignore_errors=True)
    found: list[Measure] = []
    try:
        with two_hosts(FOLDER.absolute()) as hosts:
            for name, part in PARTS.items():
                began = time.perf_counter()
                folder = (FOLDER / name).absolute()
                folder.mkdir()
                for measure in part(hosts, folder):
                    print(f"{measure.measure}: {measure.value} ({measure.detail})", flush=True)
                    found.append(measure)
                print(f"[{name}: {time.perf_counter() - began:.0f} s]", flush=True)
    except CannotMakeHostsError as problem:
        found.append(
            Measure(measure="two hosts of this machine", value=None, unit="", bound="made",
                    holds=None, detail=str(problem))
        )  # fmt: skip
    return conclude("nodes", "proofs", found, given)


def _may_become_root() -> bool:
    if os.geteuid() == 0 or shutil.which(_BECOME_ROOT[0]) is None:
        return False
    return subprocess.run([*_BECOME_ROOT, "true"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    if _may_become_root():
        os.execvp(_BECOME_ROOT[0], [*_BECOME_ROOT, sys.executable, *sys.argv])
    sys.exit(main())
