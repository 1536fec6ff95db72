"""Bytes each GPU of a layout needs: parameters, gradients, optimizer, activations, and the peak.

Walks one rank through the passes of a step with the forms of `memory_states` and
`memory_activations`. Measures nothing. What comes between steps is left out: a validation pass keeps
nothing, and a checkpoint's tensors are gathered when no activations are there.
"""

from __future__ import annotations

from dataclasses import dataclass

from skald_specs.pipeline import pipeline_stages

from skald_planner.machine.memory_activations import Device, passing_bytes, saved_bytes
from skald_planner.machine.memory_states import (
    FP32,
    Setting,
    gradient_bytes,
    held_tensors,
    optimizer_bytes,
    parameter_bytes,
    part_of,
)


@dataclass(frozen=True)
class RankMemory:
    """Bytes of one rank.

    `gradient_bytes` are those that last from one micro-batch to the next, with DDP's buckets;
    `optimizer_bytes` has the fp32 copies of bf16 weights; `activation_bytes` is the most that autograd
    keeps at once. `peak_bytes` is the most that lives at once, passing tensors included: below the sum where
    gradients appear only as activations go.
    """

    stage: int
    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    peak_bytes: int


def passes(setting: Setting, stage: int) -> tuple[int, tuple[bool, ...]]:
    """Return micro-batches in flight at first, then the passes that decide the peak.

    Args:
        setting: The run.
        stage: Pipeline stage.

    Returns:
        Micro-batches whose activations are kept already, and passes in order; True is a forward
        one. Passes that only repeat earlier ones are left out.

    Source: nanotron 0.4, `pipeline_parallel.engine`: 1f1b runs pp - stage - 1 forward passes ahead;
        afab (also with one stage) runs all of them.
    """
    run, n_micro = setting.execution, setting.n_micro_batches
    ahead = n_micro if run.pp_schedule == "afab" else min(run.pp - stage - 1, n_micro)
    # After two of each the pattern repeats: gradients exist and as much is in flight.
    steady = (True, False) * min(n_micro - ahead, 2)
    return ahead, (*steady, *(False,) * min(ahead, 2))


def _gathering_bytes(setting: Setting, held: dict[str, int], device: Device) -> int:
    """Return the bytes that pass through when ZeRO-1's ranks share their new weights.

    On CUDA nanotron 0.4 (`distributed.all_gather_coalesced`) flattens all its slices into one, all
    weights into another, and NCCL gathers into a third. On a CPU ours goes tensor by tensor (C10 of
    `bridge.patches`). Standing: derived; measured on CPU, where it is no peak.
    """
    dp = setting.execution.dp
    if setting.execution.zero_stage == 0 or dp == 1:
        return 0
    whole = sum(held.values()) if device == "cuda" else max(held.values())
    slices = sum(-(-count // dp) for count in held.values()) if device == "cuda" else whole // dp
    return setting.element_bytes * ((2 if device == "cuda" else 1) * whole + slices)


def rank_memory(setting: Setting, stage: int, device: Device = "cuda") -> RankMemory:
    """Return the bytes of a stage's ranks (the first data-parallel one, which rounding favours least).

    Args:
        setting: The run.
        stage: Pipeline stage.
        device: Whose kernels compute.

    Returns:
        Bytes; the peak comes from walking forward and backward passes part by part.
    """
    shape = setting.shape
    parts = pipeline_stages(shape, setting.execution.pp)[stage]
    held = held_tensors(shape, setting.execution.tp, parts)
    by_part = dict.fromkeys(parts, 0)
    for name, count in held.items():
        by_part[part_of(name)] += count
    saved = {part: saved_bytes(setting, part, device) for part in parts}
    passing = {part: passing_bytes(setting, part, device) for part in parts}
    tables = 2 * FP32 * shape.seq_len * shape.d_head if any("layers" in p for p in parts) else 0
    per_micro_batch = sum(saved.values())
    parameters, optimizer = parameter_bytes(setting, held), optimizer_bytes(setting, held)
    gradients = gradient_bytes(setting, held)
    # Gradients in the dtype of training come with each backward pass: under bf16 they go into the
    # fp32 buffers at its end, in fp32 the first ones stay until the optimizer has stepped.
    lasting = gradients - (0 if setting.mixed else FP32 * sum(held.values()))
    ahead, following = passes(setting, stage)
    live = most_kept = ahead * per_micro_batch
    fresh, peak = 0, 0
    full = parameters if not setting.mixed else 0
    for forward in following:
        if forward:
            for part in parts:
                live += saved[part]
                peak = max(peak, live + fresh + passing[part])
            most_kept = max(most_kept, live)
            continue
        growing = setting.mixed or fresh < full
        for part in reversed(parts):
            peak = max(peak, live + fresh + passing[part])
            live -= saved[part]
            fresh += setting.element_bytes * by_part[part] if growing else 0
        peak = max(peak, live + fresh)
        fresh = 0 if setting.mixed else fresh
    # The step itself: no activations, all gradients, and under ZeRO-1 the weights once more.
    step = gradients - lasting + _gathering_bytes(setting, held, device)
    return RankMemory(
        stage=stage,
        parameter_bytes=parameters,
        gradient_bytes=gradients,
        optimizer_bytes=optimizer,
        activation_bytes=most_kept + tables,
        peak_bytes=parameters + optimizer + lasting + tables + max(peak, step),
    )


def worst_rank(setting: Setting, device: Device = "cuda") -> RankMemory:
    """Return the memory of the stage that needs most; see `rank_memory`.

    Args:
        setting: The run.
        device: Whose kernels compute.
    """
    stages = range(setting.execution.pp)
    return max(
        (rank_memory(setting, stage, device) for stage in stages), key=lambda m: m.peak_bytes
    )
