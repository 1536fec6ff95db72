"""When, on what and with what this process runs: the one collector, for manifests and measured claims."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from skald_specs.circumstances import Circumstances

#: What results depend on most; whoever records a run names these.
LIBRARIES = ("torch", "nanotron", "lm-eval", "transformers", "tokenizers", "numpy", "dvc")


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
        cores=_cores(),
        memory_gb=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        gpus=_gpus(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        libraries=versions(LIBRARIES),
    )


def hardware() -> str:
    """Name processor, cores and cards of this machine in one line; equal cards once, with their number."""
    cards = Counter(_gpus())
    named = [f"{number} x {name}" for name, number in cards.items()]
    return ", ".join([_cpu(), f"{_cores()} cores", *named, platform.system()])


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


def _cores() -> int:
    """Return how many cores this process may use, which is fewer than there are in a job."""
    return len(os.sched_getaffinity(0))


def _gpus() -> tuple[str, ...]:
    try:
        said = _said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(said.splitlines())
