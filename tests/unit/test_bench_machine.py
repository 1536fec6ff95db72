"""What programs took of the machine is counted once for all: children, live workers, peaks."""

import multiprocessing
import subprocess
import sys
import time

import _machine
import pytest

_SPIN = "import time\nwhile time.process_time() < {seconds}: pass"


def spin(seconds):
    exec(_SPIN.format(seconds=seconds))


def test_seconds_of_children_count_when_they_have_ended_and_while_workers_live():
    before = _machine.children_cpu_seconds()
    subprocess.run([sys.executable, "-c", _SPIN.format(seconds=0.3)], check=True)
    ended = _machine.children_cpu_seconds()
    assert 0.25 < ended - before < 3

    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        pool.apply(spin, (0.3,))
        assert _machine.children_cpu_seconds() - ended > 0.25


def test_a_peak_is_remembered_until_it_is_forgotten():
    _machine.forget_peak()
    before = _machine.peak_bytes()
    held = bytearray(64 << 20)
    held[::4096] = b"1" * len(held[::4096])
    assert _machine.peak_bytes() - before > 48 << 20
    assert _machine.resident_bytes() <= _machine.peak_bytes()
    del held
    high = _machine.peak_bytes()
    _machine.forget_peak()
    assert _machine.peak_bytes() < high


@pytest.mark.parametrize(("load", "busy"), [(0.0, False), (0.7, False), (0.71, True)])
def test_a_machine_is_busy_above_the_load(monkeypatch, load, busy):
    monkeypatch.setattr(_machine.os, "getloadavg", lambda: (load, 9.0, 9.0))
    assert _machine.is_busy() is busy


def test_a_proof_is_judged_by_the_clock_where_nobody_else_computes(monkeypatch):
    monkeypatch.setattr(_machine, "cpu_seconds", lambda: 600.0)
    began = time.monotonic() - 240
    quiet = _machine.time_of_proof(False, began, 4.5)
    assert quiet.value == pytest.approx(4.0, abs=0.1) and quiet.holds is True
    busy = _machine.time_of_proof(True, began, 4.5)
    assert busy.value == 5.0 and busy.holds is False and "others compute here" in busy.detail
