"""One folder with every wheel that the sessions install, for machines without a network.

`nox -s wheelhouse` runs this file by its path, before any environment exists: it knows the standard
library alone. It refuses to know which requirements there are; the noxfile does.

    wheelhouse/
      *.whl
      manifest.json   what it was gathered for, and the checksum of every wheel; written last
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

MANIFEST = "manifest.json"
_GATHER = "Run `nox -s wheelhouse` again where there is a network"


class WheelhouseError(Exception):
    """The folder cannot serve: one line with the remedy."""


def download_command(folder: Path, constraints: Path, requirements: list[str]) -> list[str]:
    """Return pip's command that brings requirements and all they need as wheels.

    `pip wheel` rather than `pip download`: a machine without a network could not build from source.

    Args:
        folder: Where the wheels go.
        constraints: The pins.
        requirements: As pip reads them.
    """
    words = ["-m", "pip", "wheel", "-q", "-c", str(constraints), "-w", str(folder)]
    return [sys.executable, *words, *requirements]


def gather(folder: Path, constraints: Path, pins: str, sets: list[list[str]]) -> None:
    """Fill a wheelhouse; an earlier one is replaced when the new one is whole.

    Args:
        folder: The wheelhouse.
        constraints: The pins.
        pins: Hash of all that decides which wheels are wanted.
        sets: Requirements that are installed together, one list for each environment.

    Raises:
        WheelhouseError: pip failed; its own words are above.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for requirements in sets:
        command = download_command(partial, constraints, requirements)
        if subprocess.run(command, check=False).returncode:
            raise WheelhouseError("pip could not bring every wheel; its reason is above")
    wheels = sorted(partial.glob("*.whl"))
    value = {
        "pins": pins,
        "machine": _machine(),
        "sha256": {wheel.name: _sha256(wheel) for wheel in wheels},
    }
    (partial / MANIFEST).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    size_mb = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    print(f"{folder}: {len(wheels)} wheels, {size_mb:,.0f} MB, for {_machine()}")


def check(folder: Path, pins: str) -> None:
    """Check that a wheelhouse was gathered for these pins and this machine, and is undamaged.

    Args:
        folder: The wheelhouse.
        pins: Hash of all that decides which wheels are wanted.

    Raises:
        WheelhouseError: It was not, or it is.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise WheelhouseError(f"{folder}: no wheelhouse ({MANIFEST} is missing). {_GATHER}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        machine, found_pins, sums = str(value["machine"]), value["pins"], dict(value["sha256"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise WheelhouseError(f"{path}: damaged. {_GATHER}") from None
    if machine != _machine():
        found = f"gathered for {machine[:80]!r}, this is {_machine()}"
        raise WheelhouseError(f"{folder}: {found}. {_GATHER}, with this Python")
    if found_pins != pins:
        raise WheelhouseError(f"{folder}: gathered for other pins than these. {_GATHER}")
    there = {wheel.name for wheel in folder.iterdir()}
    for name, expected in sums.items():
        if name not in there or _sha256(folder / name) != expected:
            raise WheelhouseError(f"{folder}: {name[:200]!r} is missing or damaged. {_GATHER}")


def _machine() -> str:
    """Return what a wheel's tags depend on."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version}, {platform.system()} {platform.machine()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(words: list[str]) -> int:
    """Run `gather FOLDER CONSTRAINTS PINS --set REQUIREMENT...` or `check FOLDER PINS`."""
    parser = argparse.ArgumentParser(prog="wheelhouse")
    verbs = parser.add_subparsers(dest="verb", required=True)
    gathering = verbs.add_parser("gather")
    gathering.add_argument("folder", type=Path)
    gathering.add_argument("constraints", type=Path)
    gathering.add_argument("pins")
    gathering.add_argument("--set", dest="sets", action="append", nargs="+", required=True)
    checking = verbs.add_parser("check")
    checking.add_argument("folder", type=Path)
    checking.add_argument("pins")
    args = parser.parse_args(words)
    try:
        if args.verb == "gather":
            gather(args.folder, args.constraints, args.pins, args.sets)
        else:
            check(args.folder, args.pins)
    except WheelhouseError as error:
        print(f"skald: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
