"""What holds of the decoder at every shape: its counts, its initial weights, its folding."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skald_mup.counts import n_params_non_embedding, n_params_total
from skald_mup.fold import fold, plain_multipliers
from skald_mup.init import initial_weights
from skald_mup.model import Decoder
from skald_mup.names import tensor_kind, tensor_shapes
from skald_mup.rules import tensor_rules
from skald_specs.parametrisation import BaseShape, Parametrisation
from skald_specs.plan import Multipliers, PlanIdentity
from skald_specs.shape import ModelShape

OPTIONS = ("tie_embeddings", "qk_norm", "norm_gains")
PUBLIC = ModelShape(
    d_model=4096, n_layers=32, d_head=128, n_heads=32, n_kv_heads=8, d_ff=14_336,
    vocab_size=100_096, seq_len=4096,
)  # fmt: skip


@st.composite
def shapes(draw: st.DrawFn, largest: int = 64) -> ModelShape:
    d_head, n_kv_heads = 2 * draw(st.integers(1, largest // 4)), draw(st.integers(1, 3))
    n_heads = n_kv_heads * draw(st.integers(1, 3))
    return ModelShape(
        d_model=d_head * n_heads, n_layers=draw(st.integers(1, 4)), d_head=d_head,
        n_heads=n_heads, n_kv_heads=n_kv_heads, d_ff=draw(st.integers(1, 3 * largest)),
        vocab_size=draw(st.integers(2, 4 * largest)), seq_len=8,
        **{option: draw(st.booleans()) for option in OPTIONS},
    )  # fmt: skip


def _identity(shape: ModelShape, **changes: Any) -> PlanIdentity:
    """Return the part of an identity that initialisation and folding read."""
    parametrisation = Parametrisation(
        rules="mup",
        base=BaseShape(
            base_width=shape.d_model, base_d_head=shape.d_head, base_d_ff=shape.d_ff
        ),
        weight_decay=0.0, eps=1e-8, hidden_std=0.2, embedding_std=0.5, output_std=0.3,
    )  # fmt: skip
    return PlanIdentity.model_construct(
        **{"model": shape, "rules": tensor_rules(shape, parametrisation, 0.01), "model_seed": 1}
        | changes
    )


def _built(shape: ModelShape) -> Decoder:
    with torch.device("meta"):
        return Decoder(shape, plain_multipliers(shape))


@given(shape=shapes())
@settings(max_examples=50, deadline=None)
def test_the_closed_form_the_list_and_the_built_model_count_the_same(shape: ModelShape) -> None:
    sizes = {name: math.prod(size) for name, size in tensor_shapes(shape).items()}
    built = {name: p.numel() for name, p in _built(shape).named_parameters()}
    assert built == sizes
    assert n_params_total(shape) == sum(sizes.values())
    vocabulary = {"embedding", "lm_head"}
    assert n_params_non_embedding(shape) == sum(
        size for name, size in sizes.items() if tensor_kind(name) not in vocabulary
    )


@given(shape=shapes(), option=st.sampled_from(OPTIONS))
def test_each_option_changes_the_count_by_what_it_adds(shape: ModelShape, option: str) -> None:
    on, off = (n_params_total(shape.model_copy(update={option: x})) for x in (True, False))
    added = {
        "tie_embeddings": -shape.vocab_size * shape.d_model,
        "qk_norm": 2 * shape.n_layers * shape.d_head * shape.norm_gains,
        "norm_gains": (2 * shape.n_layers + 1) * shape.d_model
        + 2 * shape.n_layers * shape.d_head * shape.qk_norm,
    }
    assert on - off == added[option]


def test_the_public_shape_is_built_and_counted_at_once() -> None:
    start = time.process_time()
    built = sum(p.numel() for p in _built(PUBLIC).parameters())
    seconds = time.process_time() - start
    assert built == n_params_total(PUBLIC) == 7_799_574_528
    assert seconds < 2


@given(shape=shapes(16), other=shapes(16), seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_initial_weights_depend_on_seed_and_name_alone(
    shape: ModelShape, other: ModelShape, seed: int
) -> None:
    """Two models share every tensor that has the same name and size in both."""
    narrow = {"d_model": shape.d_model, "d_head": shape.d_head, "n_heads": shape.n_heads}
    other = other.model_copy(
        update={**narrow, "n_kv_heads": shape.n_kv_heads, "vocab_size": shape.vocab_size}
    )
    ours, theirs = (initial_weights(_identity(s, model_seed=seed)) for s in (shape, other))
    shared = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    assert "embed.tokens.weight" in shared
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)
    again = initial_weights(_identity(shape, model_seed=seed + 1))
    drawn = [name for name in ours if not name.endswith("norm.weight") and ours[name].numel() > 4]
    assert not any(torch.equal(ours[name], again[name]) for name in drawn)
    flat = {name: ours[name].flatten()[:4] / ours[name].std() for name in drawn}
    firsts = [tuple(values.tolist()) for values in flat.values()]
    assert len(set(firsts)) == len(firsts), "two names draw the same numbers"


FACTORS = st.floats(0.05, 20)
MULTIPLIERS = st.builds(
    Multipliers, emb_mult=FACTORS, attn_scale=FACTORS, residual_mult=FACTORS, output_mult=FACTORS
)


@given(shape=shapes(16), multipliers=MULTIPLIERS, seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_folding_leaves_the_logits_alone(
    shape: ModelShape, multipliers: Multipliers, seed: int
) -> None:
    identity = _identity(shape, multipliers=multipliers)
    torch.manual_seed(seed)
    weights = {
        name: (tensor + 0.3 * torch.randn_like(tensor)).double()
        for name, tensor in initial_weights(identity).items()
    }
    ids_BT = torch.randint(0, shape.vocab_size, (2, shape.seq_len))
    original = Decoder(shape, multipliers).double()
    original.load_weights(weights)
    folded = fold(identity, weights)
    plain = Decoder(folded.shape, plain_multipliers(shape)).double()
    plain.load_weights(folded.weights)
    with torch.no_grad():
        expected_BTV, got_BTV = original(ids_BT), plain(ids_BT)
    # fp64, so that only a wrong fold is larger; the rotary tables are fp32 in both.
    torch.testing.assert_close(got_BTV, expected_BTV, rtol=1e-9, atol=1e-9)


@given(shape=shapes(16))
@settings(max_examples=20, deadline=None)
def test_what_needs_no_folding_keeps_every_bit_and_gets_gains(shape: ModelShape) -> None:
    even = shape.model_copy(update={"d_head": 16, "d_model": 16 * shape.n_heads})
    identity = _identity(even, multipliers=plain_multipliers(even))
    weights = initial_weights(identity)
    folded = fold(identity, weights)
    assert folded.shape == even.model_copy(update={"norm_gains": True})
    sizes = {name: tuple(tensor.shape) for name, tensor in folded.weights.items()}
    assert sizes == tensor_shapes(folded.shape)
    assert all(torch.equal(folded.weights[name], tensor) for name, tensor in weights.items())
