"""When, on what and with what a program ran: for manifests of stations and for measured claims.

Never a DVC dependency and never in a fingerprint: the same result has other circumstances each time.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from skald_specs.models import Spec

_LIBRARIES = ("torch", "nanotron", "lm-eval", "dvc")


class Circumstances(Spec):
    """One run of a script.

    `date`: of its end, UTC. `load_at_start`: processes that wanted to run, mean of the minute before.
    `git_dirty` is None where there is no repository; `memory_gb` is that of the machine; `gpus` are
    names with the driver's version.
    """

    date: str
    arguments: tuple[str, ...]
    wall_seconds: float
    cpu_seconds: float
    load_at_start: float
    git_commit: str
    git_dirty: bool | None
    cpu: str
    cores: int
    memory_gb: float
    gpus: tuple[str, ...]
    system: str
    python: str
    libraries: dict[str, str]


def circumstances(load_at_start: float) -> Circumstances:
    """Return those of this process, from its start until now.

    Args:
        load_at_start: Load average of the last minute when it began.
    """
    commit, dirty = git_state()
    return Circumstances(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        arguments=tuple(sys.argv[1:]),
        wall_seconds=round(_age_seconds(), 1),
        cpu_seconds=round(cpu_seconds(), 1),
        load_at_start=round(load_at_start, 2),
        git_commit=commit,
        git_dirty=dirty,
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        gpus=_gpus(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries=versions(_LIBRARIES),
    )


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> tuple[str, bool | None]:
    """Return the commit of the working directory and whether anything is uncommitted there."""
    try:
        return _said("git", "rev-parse", "HEAD"), bool(_said("git", "status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", None


def _said(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=20
    ).stdout.strip()


def _age_seconds() -> float:
    """Return how long this process has lived: field 22 of proc_pid_stat(5), ticks since boot."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(names, 'unnamed CPU')}, {platform.machine()}"


def _gpus() -> tuple[str, ...]:
    try:
        said = _said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(said.splitlines())
