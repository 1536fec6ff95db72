"""Full tensors by name, out of a sharded trainer and back into it.

Works for every layout alike: each rank lays its own piece into a zero tensor of the full size and
the pieces are summed. Adding zeros is exact, so the result does not depend on the layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import Source
from skald_specs.checkpoint import MOMENTS
from skald_specs.shape import ModelShape
from torch import nn


def canonical_name(name: str) -> str:
    """Turn a nanotron parameter name into the plain model's."""
    return name.replace(".pp_block.", ".")


class Held(NamedTuple):
    """A parameter this rank holds (whole or a shard) and what the optimizer holds of it."""

    param: nn.Parameter
    state: dict[str, torch.Tensor]
    slice: tuple[int, int] | None


def held_tensors(trainer: Any) -> dict[str, Held]:
    """Index this rank's parameters and optimizer states by plain name.

    Args:
        trainer: A nanotron trainer.

    Returns:
        For each parameter of this rank its state (empty when another ZeRO rank holds it) and, with
        ZeRO, the flat range this rank's state covers.
    """
    optimizer, states = trainer.optimizer, {}
    offsets = getattr(optimizer, "param_name_to_dp_rank_offsets", None)
    base = optimizer.get_base_optimizer()
    for group in base.param_groups:
        for param in group["params"]:
            states[optimizer.id_to_name[id(param)]] = base.state.get(param, {})
    dp_rank = torch.distributed.get_rank(trainer.parallel_context.dp_pg)
    held = {}
    for name, param in trainer.unwrapped_model.get_named_params_with_correct_tied():
        flat = None
        if offsets is not None:
            start, end = offsets[name].get(dp_rank, (0, 0))
            flat = (int(start), int(end))
        held[canonical_name(name)] = Held(param, states.get(name, {}), flat)
    return held


def full_tensors(trainer: Any, shape: ModelShape, what: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every tensor whole, in fp32 on the CPU, on rank 0 (a collective: run it on all).

    Args:
        trainer: A nanotron trainer.
        shape: The decoder's shape.
        what: `weights`, or one of `MOMENTS`.

    Yields:
        Plain name and full tensor, in forward order; nothing on other ranks, which would otherwise
        hold a whole model each.
    """
    held, context = held_tensors(trainer), trainer.parallel_context
    dp_rank = torch.distributed.get_rank(context.dp_pg)
    masters = getattr(trainer.grad_accumulator, "parameters", None)
    device = next(trainer.unwrapped_model.parameters()).device
    for name, full_shape in tensor_shapes(shape).items():
        full = torch.zeros(full_shape, dtype=torch.float32, device=device)
        if name in held and speaks(held[name].param):
            piece = _local_piece(held[name], what, dp_rank, _master(masters, name, held[name]))
            if piece is not None:
                _place(full, held[name].param, piece)
        torch.distributed.reduce(full, dst=0, group=context.world_pg)
        if torch.distributed.get_rank() == 0:
            yield name, full.cpu()


def _master(masters: Any, name: str, held: Held) -> torch.Tensor | None:
    """Return the fp32 copy that mixed precision trains, where it covers the whole local tensor."""
    if masters is None:
        return None
    found = [m["fp32"] for key, m in masters.items() if canonical_name(key) == name]
    return found[0] if found else None


def _local_piece(
    held: Held, what: str, dp_rank: int, master: torch.Tensor | None
) -> torch.Tensor | None:
    source = (
        (master if master is not None else held.param.data)
        if what == "weights"
        else (held.state.get(what))
    )
    sliced = held.slice is not None and (what != "weights" or master is not None)
    if source is None or (not sliced and dp_rank != 0):
        return None
    if not sliced:
        return source.detach().float()
    assert held.slice is not None
    flat = torch.zeros(held.param.numel(), dtype=torch.float32, device=held.param.device)
    flat[held.slice[0] : held.slice[1]] = source.detach().reshape(-1).float()
    return flat.view(held.param.shape)


def speaks(param: Any) -> bool:
    """Whether this rank answers for a parameter: of several equal copies the first one does."""
    if not param.is_tied:
        return True
    # nanotron ties whatever tensor parallelism replicates, and the embedding to the readout.
    first: int = param.get_tied_info().global_ranks[0]
    return first == torch.distributed.get_rank()


def _place(full: torch.Tensor, param: Any, piece: torch.Tensor) -> None:
    if not param.is_sharded:
        full.copy_(piece)
        return
    for pair in param.get_sharded_info().local_global_slices_pairs:
        full[pair.global_slices] = piece[pair.local_slices]


def local_part(param: Any, full: torch.Tensor) -> torch.Tensor:
    """Cut this rank's shard out of a full tensor.

    Args:
        param: A nanotron parameter; says which slices this rank holds.
        full: The whole tensor.

    Returns:
        The shard in the full tensor's dtype, on the CPU; the full tensor itself where none is
        sharded.
    """
    if not param.is_sharded:
        return full
    local = torch.empty(param.shape, dtype=full.dtype)
    for pair in param.get_sharded_info().local_global_slices_pairs:
        local[pair.local_slices] = full[pair.global_slices]
    return local


@torch.no_grad()
def set_weights(model: Any, source: Source) -> None:
    """Fill a sharded model's parameters from full tensors by name.

    Args:
        model: A nanotron model, on any device and of any dtype.
        source: Gives a full tensor by the plain model's name (`canonical_name`); asked only for
            what this rank's pipeline stage holds.
    """
    for name, param in model.get_named_params_with_correct_tied():
        param.copy_(local_part(param, source(canonical_name(name))))


@torch.no_grad()
def set_state(trainer: Any, weights: Source, moments: Source, step: int) -> None:
    """Restore fp32 master weights and Adam's state after a resume.

    Args:
        trainer: A nanotron trainer whose parameters are already set.
        weights: Full weights by name, read where mixed precision keeps fp32 copies.
        moments: Full `exp_avg.<name>` and `exp_avg_sq.<name>`.
        step: Updates made so far.
    """
    base, optimizer = trainer.optimizer.get_base_optimizer(), trainer.optimizer
    by_name = held_tensors(trainer)
    for group in base.param_groups:
        for param in group["params"]:
            name = canonical_name(optimizer.id_to_name[id(param)])
            held = by_name[name]

            def cut(full: torch.Tensor, held: Held = held) -> torch.Tensor:
                local = local_part(held.param, full)
                return local if held.slice is None else local.reshape(-1)[slice(*held.slice)]

            if trainer.grad_accumulator is not None:
                param.data.copy_(cut(weights(name)).view(param.shape))
            # An array scalar on the CPU unless fused: torch's own layout of the state.
            on_device = group.get("fused") or group.get("capturable")
            base.state[param] = {
                "step": torch.tensor(float(step), device=param.device if on_device else "cpu"),
                **{
                    key: cut(moments(f"{key}.{name}")).to(param.device).view(param.shape).clone()
                    for key in MOMENTS
                },
            }
