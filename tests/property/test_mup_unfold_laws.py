"""Dividing multipliers out of published weights and folding them in again gives the weights back."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_mup.fold import fold, unfolding
from skald_mup.names import tensor_shapes
from skald_specs.plan import Multipliers, PlanIdentity
from skald_specs.shape import ModelShape

FIELDS = ("emb_mult", "attn_scale", "residual_mult", "output_mult")


def _identity(tied: bool, qk_norm: bool, numbers: list[float], d_head: int = 4) -> PlanIdentity:
    shape = ModelShape(
        d_model=2 * d_head, n_layers=2, d_head=d_head, n_heads=2, n_kv_heads=1, d_ff=12,
        vocab_size=16, seq_len=8, tie_embeddings=tied, qk_norm=qk_norm,
    )  # fmt: skip
    multipliers = Multipliers.model_validate(dict(zip(FIELDS, numbers, strict=True)))
    return PlanIdentity.model_construct(model=shape, multipliers=multipliers)


def _weights(shape: ModelShape, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(s, generator=generator) for n, s in tensor_shapes(shape).items()}


def _round_trip(
    identity: PlanIdentity, weights: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    source = unfolding(identity, weights.__getitem__)
    return fold(identity, {name: source(name) for name in weights}).weights


@given(
    tied=st.booleans(),
    qk_norm=st.booleans(),
    numbers=st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_any_multipliers(tied: bool, qk_norm: bool, numbers: list[float], seed: int) -> None:
    """To one rounding in fp32; to the bit for what is published in bf16."""
    identity = _identity(tied, qk_norm, numbers)
    weights = _weights(identity.model, seed)
    back = _round_trip(identity, weights)
    for name, tensor in weights.items():
        torch.testing.assert_close(back[name], tensor, rtol=2**-23, atol=0, msg=name)
    published = {name: tensor.bfloat16() for name, tensor in weights.items()}
    back = _round_trip(identity, published)
    for name, tensor in published.items():
        assert torch.equal(back[name].bfloat16(), tensor), name


@given(
    tied=st.booleans(),
    qk_norm=st.booleans(),
    powers=st.lists(st.integers(-8, 8), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_powers_of_two(tied: bool, qk_norm: bool, powers: list[int], seed: int) -> None:
    """To the bit in fp32."""
    identity = _identity(tied, qk_norm, [math.ldexp(1, power) for power in powers])
    weights = _weights(identity.model, seed)
    back = _round_trip(identity, weights)
    assert all(torch.equal(back[name], tensor) for name, tensor in weights.items())


def test_unfolding_does_something() -> None:
    identity = _identity(False, False, [2.0, 2.0, 2.0, 2.0])
    weights = _weights(identity.model, 0)
    source = unfolding(identity, weights.__getitem__)
    changed = {n.split(".", 2)[-1] for n, t in weights.items() if not torch.equal(source(n), t)}
    assert changed == {
        "weight", "attn.q_proj.weight", "attn.o_proj.weight", "mlp.down_proj.weight",
    }  # fmt: skip
