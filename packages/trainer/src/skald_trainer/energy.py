"""What a run consumes, from the counters that the machine keeps: NVML for GPUs, RAPL for CPUs.

A counter that cannot be read gives no figure, never zero. Everything else that runs on the same device
is in its counter, too.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

#: By source, for the sums over ranks.
SOURCES = ("gpu", "cpu")
POWERCAP = Path("/sys/class/powercap")
#: Power is integrated between looks, and RAPL's counters wrap within minutes.
_SECONDS_BETWEEN_LOOKS = 1.0


class Counter(Protocol):
    """Grows by what a device consumes."""

    def joules(self) -> float:
        """Return joules since some fixed moment.

        Raises:
            OSError: It can no longer be read.
        """


class EnergyMeter:
    """Reads some counters of one machine.

    Args:
        counters: Of each source, those of this rank; None where one of them cannot be read.
    """

    def __init__(self, counters: dict[str, list[Counter] | None]) -> None:
        self._counters = counters
        self._since = {source: self._read(source) for source in counters}
        self._looked = time.monotonic()

    def look(self) -> None:
        """Follow the counters; call it at every step."""
        now = time.monotonic()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            for source in self._counters:
                self._read(source)

    def taken(self) -> dict[str, float | None]:
        """Return joules by source since the last call; None where they could not be read.

        A source that this rank does not answer for gives 0.
        """
        now = {source: self._read(source) for source in self._counters}
        before, self._since = self._since, now
        return {
            source: None if (end := now[source]) is None or (start := before[source]) is None
            else end - start
            for source in self._counters
        }  # fmt: skip

    def _read(self, source: str) -> float | None:
        counters = self._counters[source]
        if counters is None:
            return None
        try:
            return sum(counter.joules() for counter in counters)
        except OSError:
            self._counters[source] = None
            return None


def meter_of_rank(
    device: Literal["cpu", "cuda"], rank: int, powercap: Path = POWERCAP
) -> EnergyMeter:
    """Return the meter of what this rank answers for: its GPU, and on each machine one rank the CPUs.

    Args:
        device: Where this process computes.
        rank: This process; its place on this machine where no launcher gives another.
        powercap: The kernel's folder of RAPL counters.
    """
    here = int(os.environ.get("LOCAL_RANK", rank))
    return EnergyMeter(
        {
            "gpu": gpu_counters(here) if device == "cuda" else [],
            "cpu": cpu_counters(powercap) if here == 0 else [],
        }
    )


def over_all_ranks(
    taken: dict[str, float | None], total: Callable[[list[float]], list[float]]
) -> dict[str, float]:
    """Sum energy over ranks.

    Args:
        taken: See `EnergyMeter.taken`.
        total: Sums each value over all ranks (a collective).

    Returns:
        Joules by source, without those that some rank could not read or that no rank has.
    """
    values = [taken[source] for source in SOURCES]
    unreadable, joules = [float(v is None) for v in values], [v or 0.0 for v in values]
    sums = total([*joules, *unreadable])
    return {
        source: joules
        for source, joules, missing in zip(SOURCES, sums, sums[len(SOURCES) :], strict=False)
        if missing == 0 and joules > 0
    }


class RaplDomain:
    """One RAPL counter; it wraps at a value that the kernel tells.

    Args:
        folder: Its folder under the kernel's.

    Raises:
        OSError: It cannot be read; since 2020 the kernel lets only root.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last, self._total = int(self._path.read_text()), 0

    def joules(self) -> float:
        """See `Counter.joules`."""
        now = int(self._path.read_text())
        self._total += (now - self._last) % (self._range + 1)
        self._last = now
        return self._total / 1e6


def cpu_counters(powercap: Path) -> list[Counter] | None:
    """Return the counters of all CPU packages and of the memory, which the packages leave out.

    `psys` counts the packages again, `core` and `uncore` are parts of one.

    Args:
        powercap: The kernel's folder of RAPL counters.

    Returns:
        The counters, or None where there are none or one cannot be read.
    """
    counters: list[Counter] = []
    try:
        for folder in sorted(powercap.glob("intel-rapl:*")):
            name = (folder / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                counters.append(RaplDomain(folder))
    except (OSError, ValueError):
        return None
    return counters or None


class NvmlEnergy:
    """The energy counter of one NVIDIA GPU (Volta and later)."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self.joules()

    def joules(self) -> float:
        """See `Counter.joules`."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3
        except self._nvml.NVMLError as problem:
            raise OSError(str(problem)) from None


class NvmlPower:
    """The power of one NVIDIA GPU, integrated between looks, where it keeps no counter."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self._total, self._at, self._watts = 0.0, time.monotonic(), self._power()

    def _power(self) -> float:
        try:
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1e3
        except self._nvml.NVMLError as problem:
            raise OSError(str(problem)) from None

    def joules(self) -> float:
        """See `Counter.joules`."""
        now, watts = time.monotonic(), self._power()
        self._total += (now - self._at) * (watts + self._watts) / 2
        self._at, self._watts = now, watts
        return self._total


def gpu_counters(index: int) -> list[Counter] | None:
    """Return the counter of one GPU, found by its UUID: NVML numbers GPUs in its own way.

    Args:
        index: torch's number of it.

    Returns:
        The counter, or None where it cannot be read: no NVIDIA driver, no `nvidia-ml-py`, a slice of
        a card (MIG).
    """
    import torch

    try:
        nvml = importlib.import_module("pynvml")
    except ModuleNotFoundError:
        return None
    try:
        nvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(index).uuid
        handle = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except (nvml.NVMLError, AttributeError):
        return None
    for counter in (NvmlEnergy, NvmlPower):
        try:
            return [counter(nvml, handle)]
        except OSError:
            continue
    return None
