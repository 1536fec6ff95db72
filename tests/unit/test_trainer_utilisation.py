"""Utilisation: a known card's, a given one's, and none rather than a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest
from skald_mup.counts import flops_per_token
from skald_specs.machines import known_peak_tflops
from skald_trainer.utilisation import peak_flops_per_second, utilisation
from support_trainer import tiny_corpus, tiny_plan


@pytest.mark.parametrize(
    ("name", "bf16", "tf32"),
    [
        ("NVIDIA A100-SXM4-40GB", 312.0, 156.0),
        ("NVIDIA A100 80GB PCIe", 312.0, 156.0),
        ("NVIDIA A40", 149.7, 74.8),
        ("NVIDIA H100 80GB HBM3", 989.4, 494.7),
        ("NVIDIA H100 PCIe", 756.0, 378.0),
        ("NVIDIA H100 NVL", 835.5, 417.5),
        ("NVIDIA H200", 989.4, 494.7),
        ("NVIDIA GH200 120GB", 989.4, 494.7),
        ("AMD Instinct MI250X", 191.5, None),
        # Not in the table, in it under another make, and slices of a card: no figure.
        ("NVIDIA A4000", None, None),
        ("NVIDIA H100 64GB HBM2", None, None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, None),
        ("NVIDIA GeForce RTX 4090", None, None),
    ],
)
def test_peaks_are_those_of_the_data_sheets(
    name: str, bf16: float | None, tf32: float | None
) -> None:
    assert known_peak_tflops(name, "bfloat16") == bf16
    assert known_peak_tflops(name, "tf32") == tf32


def test_utilisation_is_operations_over_the_peak_of_all_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tiny_corpus(tmp_path)
    plan = tiny_plan(manifest, dtype="bfloat16", dp=2)
    assert peak_flops_per_second(plan, "cpu") is None
    assert utilisation(plan, 1e6, None) is None
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA A100-SXM4-40GB")
    peak = peak_flops_per_second(plan, "cuda")
    assert peak == 2 * 312e12
    at_peak = peak / flops_per_token(plan.identity.model)
    assert utilisation(plan, at_peak / 2, peak) == pytest.approx(0.5)
    # fp32 without tensor cores, unless torch is told to round; and what the plan says goes first.
    monkeypatch.setattr("torch.get_float32_matmul_precision", lambda: "highest")
    assert peak_flops_per_second(tiny_plan(manifest), "cuda") == 19.5e12
    monkeypatch.setattr("torch.get_float32_matmul_precision", lambda: "high")
    assert peak_flops_per_second(tiny_plan(manifest), "cuda") == 156e12
    for device in ("cpu", "cuda"):
        assert peak_flops_per_second(tiny_plan(manifest, peak_tflops=0.5, tp=2), device) == 1e12
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Some Other Card")
    assert peak_flops_per_second(plan, "cuda") is None
