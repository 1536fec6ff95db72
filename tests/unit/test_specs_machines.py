"""The table of machines: every number has a source, and custom chips are marked as what they are."""

import pytest
from skald_specs.machines import MACHINES, known_peak_tflops


def machine(name):
    return next(machine for machine in MACHINES if machine.name == name)


def test_the_machines_and_their_devices():
    nodes = {m.name: (m.memory_gib, m.devices_per_node, m.n_nodes) for m in MACHINES}
    assert nodes == {
        "MareNostrum 5": (64, 4, 1120),
        "JUWELS Booster": (40, 4, 936),
        "JUPITER": (96, 4, 6000),
        "Leonardo": (64, 4, 3456),
        "LUMI-G": (64, 8, 2978),
    }


def test_a_peak_is_the_data_sheets_or_assumed():
    """Chips of special make have none; a device with a data sheet takes its peak from there."""
    known = {m.name: known_peak_tflops(f"NVIDIA {m.device}", "bfloat16") for m in MACHINES}
    for m in MACHINES:
        if m.standing == "given":
            assert m.peak_tflops == known[m.name]
        assert len(m.source) > 60
        assert 0 < m.mfu < 0.5
    assert known["MareNostrum 5"] is None
    assert {m.name for m in MACHINES if m.standing == "assumed"} == {"MareNostrum 5", "Leonardo"}


def test_custom_peaks_follow_from_what_centres_state():
    assert machine("MareNostrum 5").peak_tflops == pytest.approx(
        260e3 / (1120 * 4) * 989.4 / 66.9, rel=1e-3
    )
    assert machine("Leonardo").peak_tflops == pytest.approx(312 * 124 / 108, rel=1e-3)
    # 304 PFLOP/s in fp64 are listed for its Booster; the A100's fp64 matrix products reach 19.5.
    assert 3456 * 4 * 19.5 * machine("Leonardo").peak_tflops / 312 == pytest.approx(304e3, rel=0.03)
