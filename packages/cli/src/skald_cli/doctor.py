"""`skald doctor`: what is installed, which device, what is missing, and how to get it.

Works on a broken installation: it imports no station and no library at its top, and takes versions
from package metadata.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, SkaldError

from skald_cli import places
from skald_cli.parser import Verbs

#: Below this, building the environment and running a cycle fails. Measured: environment 2.0 GB,
#: a cycle's artifacts and DVC cache under 0.5 GB.
NEEDED_GB = 3.0
_OLDEST_PYTHON = (3, 11)
_LIBRARIES = (
    "torch", "nanotron", "lm_eval", "transformers", "datasets", "tokenizers", "dvc",
    "numpy", "pydantic", "seaborn", "hypothesis",
)  # fmt: skip
_PACKAGES = ("specs", "process", "mup", "corpus", "planner", "trainer", "harness", "report", "cli")
_GET_ENVIRONMENT = "run `nox -s env`"


class Finding(NamedTuple):
    """One line of the doctor: `remedy` is empty when all is well."""

    subject: str
    found: str
    remedy: str = ""


def register(verbs: Verbs) -> None:
    """Add the verb of this module."""
    verbs.add(
        "doctor",
        "say what is installed, which device, what is missing and how to get it",
        run_doctor,
        more="First of all when something does not work. Reads the environment and the checkout; writes "
        "nothing; exits 1 where something is missing.",
        examples={"in the root of the checkout": "skald doctor"},
    )


def run_doctor(args: argparse.Namespace) -> int:
    """Print the findings; exit 1 when something is missing."""
    findings = examine(Path.cwd())
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = "!!" if finding.remedy else "ok"
        remedy = f"  -> {finding.remedy}" if finding.remedy else ""
        print(f"{mark} {finding.subject:<{width}}  {finding.found}{remedy}")
    missing = sum(bool(finding.remedy) for finding in findings)
    print("nothing is missing" if not missing else f"{missing} to mend")
    return EXIT_CLAIM_FAILED if missing else EXIT_DONE


def examine(root: Path) -> list[Finding]:
    """Look at the machine, the environment and the checkout.

    Args:
        root: The checkout.

    Returns:
        The findings, in reading order.
    """
    pins = read_pins(root / places.CONSTRAINTS)
    findings = [_python(), _system(), _git(root), _disk(root), _constraints(root)]
    findings += [_skald(name) for name in _PACKAGES]
    findings += [_library(name, pins.get(_normal(name), "")) for name in _LIBRARIES]
    return [*findings, _device(), _data(root)]


def read_pins(constraints: Path) -> dict[str, str]:
    """Read `name==version` lines; names are normalised, a missing file has no lines."""
    if not constraints.is_file():
        return {}
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==", 1) for line in lines if "==" in line)
    return {_normal(name): version.strip() for name, version in pairs}


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _python() -> Finding:
    good = sys.version_info >= _OLDEST_PYTHON
    return Finding("Python", platform.python_version(), "" if good else "install 3.11 or newer")


def _system() -> Finding:
    name = f"{platform.system()} {platform.machine()}"
    good = platform.system() == "Linux"
    return Finding("system", name, "" if good else "use Linux (a container or WSL will do)")


def _git(root: Path) -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", "not found", "install git; DVC needs it")
    if not (root / ".git").exists():
        return Finding("git", "no repository here", "work in a git clone; DVC needs one")
    return Finding("git", path)


def _disk(root: Path) -> Finding:
    free_gb = shutil.disk_usage(root).free / 1e9
    short = free_gb < NEEDED_GB
    return Finding("disk", f"{free_gb:.1f} GB free", f"free {NEEDED_GB:g} GB" if short else "")


def _constraints(root: Path) -> Finding:
    if (root / places.CONSTRAINTS).is_file():
        return Finding("pins", str(places.CONSTRAINTS))
    return Finding("pins", f"no {places.CONSTRAINTS} here", "go to the root of the checkout")


def _skald(name: str) -> Finding:
    version = _version(f"skald-{name}")
    return Finding(f"skald-{name}", version or "not installed", "" if version else _GET_ENVIRONMENT)


def _library(name: str, pinned: str) -> Finding:
    version = _version(name)
    if not version:
        return Finding(name, "not installed", _GET_ENVIRONMENT)
    # A build tag (2.13.0+cpu) is the same release on another device.
    if pinned and version.split("+")[0] != pinned:
        return Finding(name, f"{version}, pinned {pinned}", _GET_ENVIRONMENT)
    return Finding(name, version)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _device() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("device", "unknown without torch", _GET_ENVIRONMENT)
    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return Finding("device", f"{torch.cuda.device_count()} GPU: {', '.join(sorted(names))}")
    build = "with CUDA, but no GPU is visible" if torch.version.cuda else "built for CPU"
    return Finding("device", f"CPU, {torch.get_num_threads()} threads (torch {build})")


def _data(root: Path) -> Finding:
    folder, pin = root / places.DATA, root / places.PIN
    if not pin.is_file():
        return Finding("data", f"no {places.PIN} here", "go to the root of the checkout")
    if not folder.is_dir():
        return Finding("data", "not there yet", "run `nox -s data`")
    try:
        from skald_corpus.pin import verify
    except ImportError:
        return Finding("data", "there, not checked", _GET_ENVIRONMENT)
    try:
        verify(folder, pin)
    except SkaldError as error:
        return Finding("data", "not what data.dvc pins", str(error))
    return Finding("data", "as pinned by data.dvc")
