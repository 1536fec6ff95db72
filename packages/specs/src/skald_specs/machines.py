"""Devices and the machines made of them: peaks, memory, power, numbers of nodes. Facts with sources.

Knows what data sheets and centres state; what a run makes of it is the planner's and the trainer's.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple


class Peak(NamedTuple):
    """Dense matrix-product peaks of one torch device, in TFLOP/s; None: it has no such unit."""

    bfloat16: float
    tf32: float | None
    float32: float


Precision = Literal["bfloat16", "tf32", "float32"]

_A100 = Peak(312.0, 156.0, 19.5)
_GH200 = Peak(989.4, 494.7, 66.9)
_MI250X_DIE = Peak(191.5, None, 47.9)

#: By a pattern of the name that the driver gives; the first that is found counts. From the vendors'
#: data sheets, without sparsity (NVIDIA prints twice these for Hopper and Ada). A name that no row
#: describes has no peak: cards of special make, such as the 64 GB H100 of MareNostrum 5, have no public
#: data sheet; `execution.peak_tflops` is for them.
_PEAKS: tuple[tuple[str, Peak], ...] = (
    # NVIDIA A100 data sheet, 2021: all forms alike.
    (r"\bA100\b", _A100),
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
    (r"\bGH200\b", _GH200),
    # AMD data sheets: a torch device is one of the MI250X's two dies (383 TFLOP/s the pair).
    (r"\bMI250X\b", _MI250X_DIE),
    (r"\bMI300X\b", Peak(1307.4, 653.7, 163.4)),
    (r"\bMI300A\b", Peak(980.6, 490.3, 122.6)),
)


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


class Machine(NamedTuple):
    """A partition of a supercomputer, of one kind of node.

    A device is what torch sees. `memory_gib`: its memory, the driver's share included. `peak_tflops`: of one
    device, dense, bf16. `device_watts`: limit of the board, over its devices. `mfu`: share of the peak
    that training of a large dense model is expected to use while it runs. `standing`: of the peak;
    every `mfu` is assumed.
    """

    name: str
    device: str
    memory_gib: int
    peak_tflops: float
    devices_per_node: int
    device_watts: float
    n_nodes: int
    mfu: float
    standing: Literal["given", "assumed"]
    source: str


#: 38 to 43 % on up to 16,384 H100 (Llama 3 405B, arXiv 2407.21783, table 4).
_MFU = 0.40
#: 38 % at 22B and 36 % at 175B parameters on Frontier's MI250X (arXiv 2312.12705), rounded down.
_MFU_MI250X = 0.35

#: TrustLLM trained on the first two; JUPITER, Leonardo and LUMI are the other large ones of EuroHPC.
MACHINES: tuple[Machine, ...] = (
    Machine(
        "MareNostrum 5", "H100 64 GB", 64, 858.0, 4, 700.0, 1120, _MFU, "assumed",
        "bsc.es/supportkc/docs/MareNostrum5/overview: 1,120 nodes of 4 H100 64 GB HBM2; the centre "
        "gives 260 PFLOP/s for the partition in fp64, 58.0 TFLOP/s a device; times the H100 data "
        "sheet's ratio of bf16 to fp64 matrix products, 989.4 / 66.9; power: the H100 SXM's",
    ),
    Machine(
        "JUWELS Booster", "A100 40 GB", 40, _A100.bfloat16, 4, 400.0, 936, _MFU, "given",
        "apps.fz-juelich.de/jsc/hps/juwels/booster-overview.html: 936 nodes of 4 A100 40 GB; NVIDIA "
        "A100 SXM4 data sheet",
    ),
    Machine(
        "JUPITER", "GH200 96 GB", 96, _GH200.bfloat16, 4, 680.0, 6000, _MFU, "given",
        "apps.fz-juelich.de/jsc/hps/jupiter/configuration.html: 25 groups of 240 nodes with 4 GH200 "
        "96 GB, 680 W for GPU and CPU together, which may keep the GPU below NVIDIA's GH200 data sheet",
    ),
    Machine(
        "Leonardo", "A100 64 GB", 64, 358.0, 4, 440.0, 3456, _MFU, "assumed",
        "docs.hpc.cineca.it/hpc/leonardo.html: 3,456 nodes of 4 custom A100 64 GB; peak and power "
        "assumed: 124 multiprocessors (to be checked in arXiv 2307.16885) where the A100's 312 TFLOP/s have 108",
    ),
    Machine(
        "LUMI-G", "MI250X die 64 GB", 64, _MI250X_DIE.bfloat16, 8, 280.0, 2978, _MFU_MI250X, "given",
        "docs.lumi-supercomputer.eu/hardware/lumig: 2,978 nodes of 4 MI250X, each two devices of 64 "
        "GB; AMD Instinct MI250X data sheet (383 TFLOP/s and 560 W the pair)",
    ),
)  # fmt: skip
