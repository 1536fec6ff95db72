"""What training changes, kept in memory and put back: weights, optimizer, and the guard's memory.

For one process, whose parameters and optimizer states are whole. The schedule and the order of the data
are functions of the step and need no keeping.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch


class Snapshot(NamedTuple):
    """Copies on the device they came from; see `taken`."""

    tensors: list[torch.Tensor]
    states: list[dict[str, torch.Tensor]]
    guard: dict[str, Any]


@torch.no_grad()
def taken(trainer: Any) -> Snapshot:
    """Copy the state of a one-process trainer between two steps."""
    base = trainer.optimizer.get_base_optimizer()
    return Snapshot(
        tensors=[tensor.detach().clone() for tensor in _trained(trainer)],
        states=[_copied(base.state.get(param, {})) for param in _params(base)],
        guard=trainer.guard.memory(),
    )


@torch.no_grad()
def put_back(trainer: Any, snapshot: Snapshot) -> None:
    """Set a trainer back to a snapshot of itself.

    Gradients are cleared: a step that was given up has left its own.

    Args:
        trainer: The one the snapshot was taken of: tensors are matched by their order.
        snapshot: What `taken` returned; it stays whole and can be put back again.
    """
    for tensor, kept in zip(_trained(trainer), snapshot.tensors, strict=True):
        tensor.copy_(kept)
    _set_states(trainer, snapshot.states)
    trainer.guard.restore(**snapshot.guard)
    trainer.optimizer.zero_grad()


def _set_states(trainer: Any, states: list[dict[str, torch.Tensor]]) -> None:
    """Set Adam's moments and count of updates; none before the first update."""
    base = trainer.optimizer.get_base_optimizer()
    for param, kept in zip(_params(base), states, strict=True):
        base.state.pop(param, None)
        if kept:
            base.state[param] = _copied(kept)


def _trained(trainer: Any) -> Iterator[torch.Tensor]:
    """Yield the model's parameters, and the fp32 copies that mixed precision trains."""
    model = list(trainer.unwrapped_model.parameters())
    yield from model
    own = {id(param) for param in model}
    base = trainer.optimizer.get_base_optimizer()
    yield from (param for param in _params(base) if id(param) not in own)


def _params(base: Any) -> Iterator[torch.Tensor]:
    for group in base.param_groups:
        yield from group["params"]


def _copied(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in state.items()}
