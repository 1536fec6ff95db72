"""How busy this machine is, and what programs took of it: one definition for every proof and benchmark."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import psutil
from skald_process.circumstances import cpu_seconds
from skald_specs.claims import Measure

#: Runnable processes, on average over a minute, above which a machine counts as busy.
BUSY_LOAD = 0.7


def is_busy() -> bool:
    """Say whether others compute here: then the clock tells of them, and CPU seconds judge."""
    return os.getloadavg()[0] > BUSY_LOAD


def children_cpu_seconds() -> float:
    """Return the CPU seconds of the children of this process that have ended, and of workers so far."""
    times = os.times()
    total = times.children_user + times.children_system
    for child in multiprocessing.active_children():
        used = psutil.Process(child.pid).cpu_times()
        total += used.user + used.system
    return total


def forget_peak() -> None:
    """Count the peak of resident memory from here on."""
    # 5 sets it back to what is resident now; see proc_pid_clear_refs(5).
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def resident_bytes() -> int:
    """Return the resident memory of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """Return the largest resident memory of this process alone, in bytes.

    `ru_maxrss` is inherited from the process that started it, and psutil knows no peak on Linux.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def time_of_proof(busy: bool, began: float, most_minutes: float) -> Measure:
    """Return what a proof took, on two cores, against its bound.

    Args:
        busy: Whether others computed here when it began: then half of the processor time is judged.
        began: `time.monotonic()` at its start.
        most_minutes: The bound.
    """
    minutes, cpu = (time.monotonic() - began) / 60, cpu_seconds() / 60
    told = f"{minutes:.1f} by the clock, {cpu:.1f} of processors"
    value = cpu / 2 if busy else minutes
    return Measure(
        measure="time of this proof on two cores",
        value=value,
        unit="minutes",
        bound=f"<= {most_minutes:g}",
        holds=value <= most_minutes,
        detail=f"{told}; half of the latter, as others compute here" if busy else told,
    )
