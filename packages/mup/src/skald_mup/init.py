"""Initial weights as a function of (seed, tensor name) alone, so that no layout changes them."""

from __future__ import annotations

import hashlib

import torch
from skald_specs.plan import PlanIdentity, TensorRule

from skald_mup.names import tensor_kind, tensor_shapes


def initial_tensor(identity: PlanIdentity, name: str) -> torch.Tensor:
    """Draw one unsharded tensor of a plan, in fp32 on the CPU.

    Args:
        identity: The plan's identity: seed, shape and the standard deviation of each kind.
        name: Name of the tensor.

    Returns:
        See `drawn`.
    """
    size = tensor_shapes(identity.model)[name]
    return drawn(name, size, identity.rules[tensor_kind(name)], identity.model_seed)


def drawn(name: str, size: tuple[int, ...], rule: TensorRule, seed: int) -> torch.Tensor:
    """Draw one tensor, in fp32 on the CPU.

    Args:
        name: Name of the tensor.
        size: Its unsharded shape.
        rule: Its rule.
        seed: Seed of the model.

    Returns:
        Ones for gains; otherwise normal entries with the rule's `init_std`.
    """
    if rule.role == "vector":
        return torch.ones(size)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn(size, generator=generator) * rule.init_std


def initial_weights(identity: PlanIdentity) -> dict[str, torch.Tensor]:
    """Draw all tensors of the plan's model."""
    return {name: initial_tensor(identity, name) for name in tensor_shapes(identity.model)}
