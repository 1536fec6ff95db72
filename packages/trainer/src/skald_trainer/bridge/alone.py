"""What a process group of one leaves out: nanotron talks to itself at every step.

Each shortcut looks at its group when it is called. In a group of one it gives what nanotron gives,
without collectives, pass-through autograd functions and walks over the model; in a larger one it
calls nanotron's own function.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F


class _Done:
    """The handle of a collective that had nothing to do."""

    def wait(self) -> None:
        """Return at once."""


def install() -> None:
    """Put the shortcuts in nanotron's modules; `patches.PATCHES` lists them as S rows."""
    for module, name, shortcut in (
        ("nanotron.distributed", "all_reduce", _all_reduce),
        ("nanotron.parallel.tensor_parallel.nn", "column_linear", _linear),
        ("nanotron.parallel.tensor_parallel.nn", "row_linear", _linear),
        ("nanotron.parallel.tensor_parallel.nn", "differentiable_all_reduce_sum", _identity),
        ("nanotron.trainer", "sync_gradients_across_dp", _sync_gradients),
        ("nanotron.trainer", "sync_tied_weights_gradients", _sync_ties),
        ("nanotron.parallel.pipeline_parallel.engine", "attach_pipeline_state_to_model", _attach),
    ):
        _replace(importlib.import_module(module), name, shortcut)
    block = importlib.import_module("nanotron.parallel.pipeline_parallel.block").PipelineBlock
    _replace(block, "forward", _run_block)


def _replace(owner: Any, name: str, shortcut: Callable[..., Any]) -> None:
    """Put `shortcut` in the place of a function, with that function as its first argument."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        return shortcut(original, *args, **kwargs)

    setattr(owner, name, replaced)


def _all_reduce(
    original: Callable[..., Any], tensor: torch.Tensor, *args: Any,
    group: Any = None, async_op: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    if group is None or group.size() > 1:
        return original(tensor, *args, group=group, async_op=async_op, **kwargs)
    # Sum, mean and maximum over one rank are that rank's tensor.
    return _Done() if async_op else None


def _linear(
    original: Callable[..., Any], input: torch.Tensor, weight: torch.Tensor, bias: Any,
    group: Any, **kwargs: Any,
) -> Any:  # fmt: skip
    if group.size() > 1:
        return original(input, weight, bias, group=group, **kwargs)
    return F.linear(input, weight, bias)


def _identity(original: Callable[..., Any], tensor: torch.Tensor, group: Any) -> Any:
    return original(tensor, group=group) if group.size() > 1 else tensor


def _sync_gradients(original: Callable[..., Any], dp_pg: Any, **kwargs: Any) -> None:
    if dp_pg.size() > 1:
        original(dp_pg=dp_pg, **kwargs)


def _sync_ties(original: Callable[..., Any], parallel_context: Any, **kwargs: Any) -> None:
    # Weights are tied within one model replica; inside one process they are one parameter.
    if parallel_context.mp_pg.size() > 1:
        original(parallel_context=parallel_context, **kwargs)


@contextmanager
def _attach(original: Callable[..., Any], model: Any, pipeline_state: Any) -> Iterator[None]:
    # Only a block of a longer pipeline reads the state.
    if getattr(model, "module", model).parallel_context.pp_pg.size() == 1:
        yield
        return
    with original(model=model, pipeline_state=pipeline_state):
        yield


def _run_block(original: Callable[..., Any], block: Any, **inputs: Any) -> dict[str, Any]:
    if block.p2p.pg.size() > 1:
        outputs: dict[str, Any] = original(block, **inputs)
        return outputs
    output = block.pp_block(**inputs)
    return output if isinstance(output, dict) else dict.fromkeys(block.module_output_keys, output)
