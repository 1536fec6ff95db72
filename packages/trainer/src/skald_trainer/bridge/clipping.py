"""Gradient clipping whose factor does not depend on how a model is cut into stages.

nanotron sums the squares of the tensors' norms in fp32, in another order in every layout. The factor
then differs in its last bit, hence every update does, and in bf16 some weights round the other way
(measured: from the fourth step on losses were off by up to 8e-4 nats). Here squares are summed in
fp64, whose errors vanish when the sum is rounded.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import torch

from skald_trainer.bridge.tensors import speaks


def install() -> None:
    """Put this function in the place of nanotron's."""
    trainer: Any = importlib.import_module("nanotron.trainer")
    trainer.clip_grad_norm = clip_grad_norm


@torch.no_grad()
def clip_grad_norm(
    mp_pg: Any,
    named_parameters: Iterable[tuple[str, Any]],
    max_norm: float,
    grad_accumulator: Any,
) -> torch.Tensor:
    """Scale gradients to a global norm of at most `max_norm`, in place.

    Args:
        mp_pg: The group that holds one copy of the model.
        named_parameters: What this rank holds of it.
        max_norm: Largest norm, as the gradients are.
        grad_accumulator: Holder of fp32 gradients in mixed precision, or None.

    Returns:
        The norm before clipping, in fp32.
    """
    grads, counted = [], []
    for name, param in named_parameters:
        grad = param.grad if grad_accumulator is None else grad_accumulator.get_grad_buffer(name)
        grads.append(grad)
        if speaks(param):
            counted.append(grad)
    squares = torch.zeros(1, dtype=torch.float64, device=grads[0].device)
    if counted:
        squares += torch.stack(torch._foreach_norm(counted)).double().square().sum()
    if mp_pg.size() > 1:
        torch.distributed.all_reduce(squares, group=mp_pg)
    total = squares.sqrt().float().squeeze(0)
    torch._foreach_mul_(grads, clip_factor(total, max_norm))
    return total


def clip_factor(norm: torch.Tensor, max_norm: float) -> torch.Tensor:
    """Return what gradients of a norm are multiplied with, as torch's own clipping has it.

    Args:
        norm: The global norm before clipping, fp32, shape ().
        max_norm: The largest norm that is left as it is.

    Returns:
        At most 1, shape ().
    """
    return (max_norm / (norm + 1e-6)).clamp(max=1.0)
