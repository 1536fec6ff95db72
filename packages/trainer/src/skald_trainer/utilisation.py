"""Model FLOP utilisation: what a run computes over what its devices could."""

from __future__ import annotations

from typing import Literal

from skald_mup.counts import flops_per_token
from skald_specs.machines import Precision, known_peak_tflops
from skald_specs.plan import Plan


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
