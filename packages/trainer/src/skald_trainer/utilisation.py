"""Model FLOP utilisation: what a run computes over what its devices could."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from skald_mup.counts import flops_per_token
from skald_specs.plan import Plan


class Peak(NamedTuple):
    """Dense matrix-product peaks of one torch device, in TFLOP/s; None: it has no such unit."""

    bfloat16: float
    tf32: float | None
    float32: float


#: By a pattern of the name that the driver gives; the first that is found counts. From the vendors'
#: data sheets, without sparsity (NVIDIA prints twice these for Hopper and Ada). A name that no row
#: describes has no peak: cards of special make, such as the 64 GB H100 of MareNostrum 5, have no public
#: data sheet; `execution.peak_tflops` is for them.
_PEAKS: tuple[tuple[str, Peak], ...] = (
    # NVIDIA A100 data sheet, 2021: all forms alike.
    (r"\bA100\b", Peak(312.0, 156.0, 19.5)),
    # NVIDIA A40 data sheet, 2021; L40S data sheet, 2023.
    (r"\bA40\b", Peak(149.7, 74.8, 37.4)),
    (r"\bL40S\b", Peak(362.0, 183.0, 91.6)),
    # NVIDIA H100 data sheet, 2024; the PCIe card: Hopper architecture white paper, table 3.
    (r"\bH100 NVL\b", Peak(835.5, 417.5, 60.0)),
    (r"\bH100 PCIe\b", Peak(756.0, 378.0, 51.2)),
    (r"\bH100 80GB HBM3\b", Peak(989.4, 494.7, 66.9)),
    # NVIDIA H200 data sheet, 2024; GH200 data sheet, 2023.
    (r"\bH200 NVL\b", Peak(835.5, 417.5, 60.0)),
    (r"\bH200\b", Peak(989.4, 494.7, 66.9)),
    (r"\bGH200\b", Peak(989.4, 494.7, 66.9)),
    # AMD data sheets: a torch device is one of the MI250X's two dies (383 TFLOP/s the pair).
    (r"\bMI250X\b", Peak(191.5, None, 47.9)),
    (r"\bMI300X\b", Peak(1307.4, 653.7, 163.4)),
    (r"\bMI300A\b", Peak(980.6, 490.3, 122.6)),
)

Precision = Literal["bfloat16", "tf32", "float32"]


def known_peak_tflops(device_name: str, precision: Precision) -> float | None:
    """Return a device's dense peak by its name.

    Args:
        device_name: As torch gives it.
        precision: What matrix products are computed in.

    Returns:
        TFLOP/s, or None for a device that the table does not describe: a slice of a card (MIG) is
        none of them.

    Source: the table's rows.
    """
    if "MIG" in device_name:
        return None
    for pattern, peak in _PEAKS:
        if re.search(pattern, device_name):
            value: float | None = getattr(peak, precision)
            return value
    return None


def peak_flops_per_second(plan: Plan, device: Literal["cpu", "cuda"]) -> float | None:
    """Return the peak of all devices of a run.

    Args:
        plan: Its `execution.peak_tflops` counts before the table.
        device: Where this process computes.

    Returns:
        FLOP/s, or None where it is not known; on a CPU it never is by itself.
    """
    given = plan.execution.peak_tflops
    if given is None and device == "cuda":
        import torch

        precision: Precision = "bfloat16"
        if plan.identity.dtype == "float32":
            highest = torch.get_float32_matmul_precision() == "highest"
            precision = "float32" if highest else "tf32"
        given = known_peak_tflops(torch.cuda.get_device_name(), precision)
    return None if given is None else given * 1e12 * plan.execution.world_size


def utilisation(plan: Plan, tokens_per_second: float, peak: float | None) -> float | None:
    """Return a speed as a share of the peak (MFU).

    Args:
        plan: Its shape says what a token costs.
        tokens_per_second: Of the whole run.
        peak: FLOP/s of all its devices, or None.

    Returns:
        A share, or None where the peak is not known. Work that is done twice (activation
        checkpointing) counts once.

    Source: arXiv 2204.02311, Appendix B; operations as `skald_mup.counts.flops_per_token` counts them.
    """
    return None if peak is None else flops_per_token(plan.identity.model) * tokens_per_second / peak
