"""Names, first weights and folding, tensor by tensor and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from skald_mup.fold import fold, folding, plain_multipliers, unfolding
from skald_mup.init import drawn, initial_tensor, initial_weights
from skald_mup.names import tensor_kind, tensor_shapes
from skald_specs.plan import Multipliers, PlanIdentity, TensorRule
from skald_specs.shape import ModelShape
from support_planner import corpus_for, recipe
from support_trainer import tiny_plan

SHAPE = ModelShape(
    d_model=16, n_layers=2, d_head=4, n_heads=4, n_kv_heads=2, d_ff=24, vocab_size=32, seq_len=8,
    qk_norm=True,
)  # fmt: skip
MULTIPLIERS = Multipliers(emb_mult=3.0, attn_scale=5.0, residual_mult=7.0, output_mult=11.0)
#: Of the first query projection under seed 1, standard deviation 0.5.
FROZEN = [-1.0660993, -0.0033754208, 0.40201521, -0.078667708]
BLOCK = {
    "attn_norm.weight": ("block_norm", (16,)),
    "attn.q_proj.weight": ("q_proj", (16, 16)),
    "attn.k_proj.weight": ("k_proj", (8, 16)),
    "attn.v_proj.weight": ("v_proj", (8, 16)),
    "attn.q_norm.weight": ("qk_norm", (4,)),
    "attn.k_norm.weight": ("qk_norm", (4,)),
    "attn.o_proj.weight": ("o_proj", (16, 16)),
    "mlp_norm.weight": ("block_norm", (16,)),
    "mlp.gate_proj.weight": ("gate_proj", (24, 16)),
    "mlp.up_proj.weight": ("up_proj", (24, 16)),
    "mlp.down_proj.weight": ("down_proj", (16, 24)),
}


def identity_of(**changes: object) -> PlanIdentity:
    plan = tiny_plan(corpus_for(recipe("mini-proxy")))
    update = {"model": SHAPE.model_copy(update=changes), "multipliers": MULTIPLIERS}
    return plan.identity.model_copy(update=update)


def test_every_tensor_has_its_kind_and_shape_in_forward_order() -> None:
    expected = {"embed.tokens.weight": ("embedding", (32, 16))}
    for layer in range(2):
        expected |= {f"layers.{layer}.{leaf}": about for leaf, about in BLOCK.items()}
    expected |= {
        "head.norm.weight": ("final_norm", (16,)),
        "head.linear.weight": ("lm_head", (32, 16)),
    }
    found = tensor_shapes(SHAPE)
    assert list(found) == list(expected)
    assert {name: (tensor_kind(name), size) for name, size in found.items()} == expected
    for name in ("layers.0.attn.x.weight", "attn.q_proj", "head"):
        with pytest.raises(KeyError):
            tensor_kind(name)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"qk_norm": False}, {"attn.q_norm.weight", "attn.k_norm.weight"}),
        ({"tie_embeddings": True}, {"head.linear.weight"}),
        (
            {"norm_gains": False},
            {"attn_norm.weight", "mlp_norm.weight", "attn.q_norm.weight", "attn.k_norm.weight",
             "head.norm.weight"},
        ),
    ],
)  # fmt: skip
def test_a_shape_lacks_what_it_does_without(changes: dict[str, bool], gone: set[str]) -> None:
    whole, found = tensor_shapes(SHAPE), tensor_shapes(SHAPE.model_copy(update=changes))
    missing = {name for name in whole if name not in found}
    assert {name.split(".", 2)[2] if "layers" in name else name for name in missing} == gone
    assert {name: whole[name] for name in found} == found


@pytest.mark.parametrize("qk_norm", [True, False])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("gains", [True, False])
def test_folding_multiplies_each_tensor_by_its_own_number(
    qk_norm: bool, tied: bool, gains: bool
) -> None:
    identity = identity_of(qk_norm=qk_norm, tie_embeddings=tied, norm_gains=gains)
    weights = {name: torch.full(size, 2.0) for name, size in tensor_shapes(identity.model).items()}
    by_hand = {
        "embed.tokens.weight": 3.0,
        "head.norm.weight": 11 / 3 if tied else 11.0,
        "attn.q_norm.weight" if qk_norm else "attn.q_proj.weight": 5.0 * math.sqrt(4),
        "attn.o_proj.weight": 7.0,
        "mlp.down_proj.weight": 7.0,
    }
    shape, tensor = folding(identity, weights.__getitem__)
    assert shape == identity.model.model_copy(update={"norm_gains": True})
    folded = fold(identity, weights)
    assert folded.shape == shape and list(folded.weights) == list(tensor_shapes(shape))
    for name, size in tensor_shapes(shape).items():
        times = by_hand.get(name.split(".", 2)[2] if "layers" in name else name, 1.0)
        before = 2.0 if name in weights else 1.0
        for found in (tensor(name), folded.weights[name]):
            assert torch.allclose(found.double(), torch.full(size, before * times).double())
        assert folded.weights[name].dtype == torch.float32
    if gains:
        back = unfolding(identity, folded.weights.__getitem__)
        assert all(torch.allclose(back(name), weights[name]) for name in weights)
        assert all(back(name).dtype == torch.float32 for name in weights)


def test_a_plain_model_has_the_standard_attention_scale_and_no_other_multiplier() -> None:
    assert plain_multipliers(SHAPE) == Multipliers(
        emb_mult=1.0, attn_scale=0.5, residual_mult=1.0, output_mult=1.0
    )
    assert fold(
        identity_of(), {n: torch.ones(s) for n, s in tensor_shapes(SHAPE).items()}
    ).decoder()


def test_first_weights_are_those_that_finished_runs_began_with() -> None:
    """Frozen: other weights are another result under the same plan fingerprint."""
    rule = TensorRule(role="hidden", fan_in_mult=1, init_std=0.5, lr=1, eps=1, weight_decay=0)
    found = drawn("layers.0.attn.q_proj.weight", (2, 2), rule, 1)
    assert found.flatten().tolist() == pytest.approx(FROZEN, rel=1e-6)
    assert found.dtype == torch.float32
    for name, size, seed in (("layers.1.attn.q_proj.weight", (2, 2), 1),
                             ("layers.0.attn.q_proj.weight", (2, 2), 2)):  # fmt: skip
        assert not torch.equal(drawn(name, size, rule, seed), found)
    twice = rule.model_copy(update={"init_std": 1.0})
    assert torch.equal(drawn("layers.0.attn.q_proj.weight", (2, 2), twice, 1), 2 * found)
    gain = rule.model_copy(update={"role": "vector"})
    assert drawn("head.norm.weight", (3,), gain, 1).tolist() == [1, 1, 1]


def test_each_tensor_is_drawn_by_the_rule_of_its_kind_and_by_its_name_alone() -> None:
    identity = identity_of()
    rules = identity.rules | {"qk_norm": identity.rules["final_norm"]}
    identity = identity.model_copy(update={"rules": rules})
    weights = initial_weights(identity)
    assert list(weights) == list(tensor_shapes(SHAPE))
    for name, size in tensor_shapes(SHAPE).items():
        expected = drawn(name, size, rules[tensor_kind(name)], identity.model_seed)
        assert torch.equal(weights[name], expected)
        assert torch.equal(initial_tensor(identity, name), expected)
