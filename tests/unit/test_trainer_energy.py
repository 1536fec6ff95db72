"""Energy: counters that wrap, that are missing and that fail; absent where unread, never zero."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from skald_trainer.energy import (
    EnergyMeter,
    cpu_counters,
    gpu_counters,
    meter_of_rank,
    over_all_ranks,
)

RANGE_UJ = 1_000_000


def _alone(values: list[float]) -> list[float]:
    return values


def _domain(powercap: Path, folder: str, name: str, energy_uj: int) -> Path:
    path = powercap / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / "name").write_text(name + "\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    return path / "energy_uj"


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """Two packages; what lies in or over them must not count, the memory beside them must."""
    _domain(tmp_path, "intel-rapl:0", "package-0", 100_000)
    _domain(tmp_path, "intel-rapl:0:0", "core", 0)
    _domain(tmp_path, "intel-rapl:0:1", "dram", 0)
    _domain(tmp_path, "intel-rapl:1", "package-1", RANGE_UJ - 100_000)
    _domain(tmp_path, "intel-rapl:2", "psys", 0)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def test_rapl_counts_packages_and_memory_over_a_wrap(
    powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = meter_of_rank("cpu", 0, powercap)
    _domain(powercap, "intel-rapl:0", "package-0", 350_000)
    _domain(powercap, "intel-rapl:0:0", "core", 900_000)
    _domain(powercap, "intel-rapl:0:1", "dram", 50_000)
    # The kernel counts 0, 1, ... max_energy_range_uj, and then 0 again.
    _domain(powercap, "intel-rapl:1", "package-1", 49_999)
    _domain(powercap, "intel-rapl:2", "psys", 900_000)
    assert over_all_ranks(meter.taken(), _alone)["cpu"] == pytest.approx(0.25 + 0.05 + 0.15)
    # Twice around between two saves is seen where steps look in between.
    for energy_uj in (700_000, 200_000, 800_000, 350_000):
        now[0] += 5
        _domain(powercap, "intel-rapl:0", "package-0", energy_uj)
        meter.look()
    expected_uj = 350_000 + 500_001 + 600_000 + 550_001
    assert over_all_ranks(meter.taken(), _alone)["cpu"] == pytest.approx(expected_uj / 1e6)


def test_a_counter_that_only_root_may_read_is_absent(powercap: Path) -> None:
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert cpu_counters(powercap) is None, "one package is not the machine"
    assert cpu_counters(powercap / "nothing") is None
    meter = meter_of_rank("cpu", 0, powercap)
    assert over_all_ranks(meter.taken(), _alone) == {}


def test_a_counter_that_fails_midway_is_absent_from_then_on(powercap: Path) -> None:
    meter = meter_of_rank("cpu", 0, powercap)
    _domain(powercap, "intel-rapl:0", "package-0", 200_000)
    (powercap / "intel-rapl:1" / "energy_uj").rename(powercap / "away")
    assert over_all_ranks(meter.taken(), _alone) == {}
    (powercap / "away").rename(powercap / "intel-rapl:1" / "energy_uj")
    _domain(powercap, "intel-rapl:0", "package-0", 300_000)
    assert over_all_ranks(meter.taken(), _alone) == {}


def test_only_one_rank_of_a_machine_counts_its_cpus(
    powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = meter_of_rank("cpu", 1, powercap)
    monkeypatch.setenv("LOCAL_RANK", "0")
    first_of_second_machine = meter_of_rank("cpu", 4, powercap)
    _domain(powercap, "intel-rapl:0", "package-0", 200_000)
    assert second.taken() == {"gpu": 0.0, "cpu": 0.0}
    assert first_of_second_machine.taken()["cpu"] == pytest.approx(0.1)


def test_a_sum_over_ranks_that_lacks_one_is_absent() -> None:
    def summed(others: list[dict[str, float | None]]) -> Any:
        def total(values: list[float]) -> list[float]:
            of_others: list[list[float]] = []
            for taken in others:
                over_all_ranks(taken, lambda x: of_others.append(x) or x)  # type: ignore[func-returns-value]
            return [sum(column) for column in zip(values, *of_others, strict=True)]

        return total

    ours: dict[str, float | None] = {"gpu": 5.0, "cpu": 2.0}
    assert over_all_ranks(ours, summed([{"gpu": 7.0, "cpu": 0.0}])) == {"gpu": 12.0, "cpu": 2.0}
    assert over_all_ranks(ours, summed([{"gpu": None, "cpu": 0.0}])) == {"cpu": 2.0}
    assert over_all_ranks({"gpu": 0.0, "cpu": None}, summed([{"gpu": 0.0, "cpu": 0.0}])) == {}


class _FakeNvml(types.ModuleType):
    """What the counters touch of NVML; `has` names what this card and driver can do."""

    class NVMLError(Exception):
        """NVML's own."""

    def __init__(self, has: set[str]) -> None:
        super().__init__("pynvml")
        self.has, self.millijoules, self.milliwatts = has, 1_000_000, 300_000

    def nvmlInit(self) -> None:  # noqa: N802  # NVML's own names, here and below
        self._can("driver")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        assert uuid == "GPU-1234", "torch's number of a GPU is not NVML's"
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        self._can("energy")
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802
        self._can("power")
        return self.milliwatts

    def _can(self, what: str) -> None:
        if what not in self.has:
            raise self.NVMLError("Not Supported")


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "torch.cuda.get_device_properties", lambda index: types.SimpleNamespace(uuid="1234")
    )


@pytest.mark.usefixtures("one_gpu")
def test_nvml_counts_energy_or_integrates_power(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for can in ({"driver", "energy", "power"}, {"driver", "power"}):
        fake = _FakeNvml(can)
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        meter = EnergyMeter({"gpu": gpu_counters(0), "cpu": []})
        # From 300 W to 500 W over ten seconds, then 500 W for ten more.
        for milliwatts in (500_000, 500_000):
            now[0] += 10
            fake.milliwatts, fake.millijoules = milliwatts, fake.millijoules + 4_500_000
            meter.look()
        taken = over_all_ranks(meter.taken(), _alone)
        assert taken == {"gpu": pytest.approx(9000.0)}
        fake.has = {"driver"}
        assert over_all_ranks(meter.taken(), _alone) == {}


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("can", [set(), {"driver"}])
def test_a_gpu_that_cannot_be_read_is_absent(
    monkeypatch: pytest.MonkeyPatch, can: set[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _FakeNvml(can))
    assert gpu_counters(0) is None


@pytest.mark.usefixtures("one_gpu")
def test_without_the_package_a_gpu_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu_counters(0) is None
