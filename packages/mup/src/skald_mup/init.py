"""Initial weights as a function of (seed, tensor name) alone, so that no layout changes them."""

from __future__ import annotations

import hashlib

import torch
from skald_specs.plan import PlanIdentity

from skald_mup.names import tensor_kind, tensor_shapes


def initial_tensor(identity: PlanIdentity, name: str) -> torch.Tensor:
    """Draw one unsharded tensor in fp32 on the CPU.

    Args:
        identity: The plan's identity: seed, shape and the standard deviation of each kind.
        name: Name of the tensor.

    Returns:
        Gains are one; matrices are normal with the rule's `init_std`.
    """
    shape = tensor_shapes(identity.model)[name]
    kind = tensor_kind(name)
    if identity.rules[kind].role == "vector":
        return torch.ones(shape)
    digest = hashlib.sha256(f"{identity.model_seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn(shape, generator=generator) * identity.rules[kind].init_std


def initial_weights(identity: PlanIdentity) -> dict[str, torch.Tensor]:
    """Draw all tensors of the plan's model."""
    return {name: initial_tensor(identity, name) for name in tensor_shapes(identity.model)}
