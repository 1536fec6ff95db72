"""What holds of the rule table at every shape."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_mup.rules import KIND_ROWS, multipliers, tensor_rules
from skald_specs.recipe import BaseShape, ModelShape, Parametrisation

LRS = st.floats(1e-6, 1.0)


@st.composite
def shapes(draw):
    d_head = 2 * draw(st.integers(1, 64))
    n_kv_heads = draw(st.integers(1, 8))
    n_heads = n_kv_heads * draw(st.integers(1, 4))
    return ModelShape(
        d_model=d_head * n_heads, n_layers=draw(st.integers(1, 48)), d_head=d_head,
        n_heads=n_heads, n_kv_heads=n_kv_heads, d_ff=draw(st.integers(1, 20_000)),
        vocab_size=1024, seq_len=128,
    )  # fmt: skip


def base_of(shape):
    return BaseShape(
        base_width=shape.d_model,
        base_depth=shape.n_layers,
        base_d_head=shape.d_head,
        base_d_ff=shape.d_ff,
    )


@st.composite
def parametrisations(draw, base=None):
    size = st.integers(1, 8192)
    return Parametrisation(
        rules="mup",
        base=base
        or BaseShape(
            base_width=draw(size), base_depth=2, base_d_head=draw(size), base_d_ff=draw(size)
        ),
        decay=draw(st.sampled_from(["coupled", "independent"])),
        weight_decay=draw(st.floats(1e-6, 1.0)), eps=draw(st.floats(1e-15, 1e-8)),
        hidden_std=draw(st.floats(1e-3, 1.0)), embedding_std=draw(st.floats(1e-3, 1.0)),
        output_std=draw(st.floats(1e-3, 1.0)), output_mult=draw(st.floats(0.1, 10)),
    )  # fmt: skip


@given(shape=shapes(), lr=LRS, data=st.data())
def test_at_the_base_shape_every_rule_is_the_base_value(shape, lr, data):
    given_ = data.draw(parametrisations(base_of(shape)))
    for kind, rule in tensor_rules(shape, given_, lr).items():
        assert (rule.fan_in_mult, rule.lr, rule.eps) == (1, lr, given_.eps)
        if kind == "norm":
            assert (rule.init_std, rule.weight_decay) == (0, 0)
            continue
        decay = given_.weight_decay if given_.decay == "coupled" else given_.weight_decay / lr
        assert rule.weight_decay == decay
        branch = math.sqrt(2 * shape.n_layers) if KIND_ROWS[kind].ends_residual else 1
        std = {"embedding": given_.embedding_std, "lm_head": given_.output_std}
        assert rule.init_std == std.get(kind, given_.hidden_std / branch)
    values = multipliers(shape, given_)
    assert values.output_mult == given_.output_mult
    assert values.attn_scale == pytest.approx(shape.d_head**-0.5)


@given(shape=shapes(), given_=parametrisations(), lr=LRS)
def test_hidden_matrices_keep_their_invariants(shape, given_, lr):
    for kind, rule in tensor_rules(shape, given_, lr).items():
        if rule.role != "hidden":
            assert (rule.lr, rule.eps) == (lr, given_.eps)
            continue
        m = rule.fan_in_mult
        branch = math.sqrt(2 * shape.n_layers) if KIND_ROWS[kind].ends_residual else 1
        assert rule.lr * m == pytest.approx(lr)
        assert rule.eps * m == pytest.approx(given_.eps)
        assert rule.init_std * math.sqrt(m) * branch == pytest.approx(given_.hidden_std)


@given(shape=shapes(), given_=parametrisations(), lr=LRS)
def test_decay_a_step_is_the_same_for_every_width(shape, given_, lr):
    """Coupled: lr x weight_decay is the base's; independent: it is lambda whatever the lr."""
    rate = given_.weight_decay * (lr if given_.decay == "coupled" else 1)
    for kind, rule in tensor_rules(shape, given_, lr).items():
        expected = 0 if kind == "norm" else rate
        assert rule.lr * rule.weight_decay == pytest.approx(expected)


@given(shape=shapes(), given_=parametrisations(), lr=LRS, factor=st.floats(0.1, 10))
def test_only_independent_decay_ignores_the_learning_rate(shape, given_, lr, factor):
    one = tensor_rules(shape, given_, lr)["q_proj"]
    other = tensor_rules(shape, given_, lr * factor)["q_proj"]
    decays = one.lr * one.weight_decay, other.lr * other.weight_decay
    change = factor if given_.decay == "coupled" else 1
    assert decays[1] / decays[0] == pytest.approx(change)


@given(shape=shapes(), given_=parametrisations())
def test_output_multiplier_undoes_the_width(shape, given_):
    ratio = shape.d_model / given_.base.base_width
    assert multipliers(shape, given_).output_mult * ratio == pytest.approx(given_.output_mult)
