"""What holds of the rule tables at every shape."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.tables import table_of
from skald_specs.parametrisation import RULES, BaseShape, Parametrisation
from skald_specs.shape import ModelShape

LRS = st.floats(1e-6, 1.0)


@st.composite
def shapes(draw):
    d_head = 2 * draw(st.integers(1, 64))
    n_kv_heads = draw(st.integers(1, 8))
    n_heads = n_kv_heads * draw(st.integers(1, 4))
    return ModelShape(
        d_model=d_head * n_heads, n_layers=draw(st.integers(1, 48)), d_head=d_head,
        n_heads=n_heads, n_kv_heads=n_kv_heads, d_ff=draw(st.integers(1, 20_000)),
        vocab_size=1024, seq_len=128, qk_norm=draw(st.booleans()),
        norm_gains=draw(st.booleans()),
    )  # fmt: skip


def base_of(shape):
    return BaseShape(
        base_width=shape.d_model,
        base_depth=shape.n_layers,
        base_d_head=shape.d_head,
        base_d_ff=shape.d_ff,
    )


@st.composite
def parametrisations(draw, base=None, names=tuple(RULES)):
    size, heads = st.integers(1, 8192), draw(st.integers(1, 64))
    rules = draw(st.sampled_from(names))
    return Parametrisation(
        rules=rules,
        base=base
        or BaseShape(
            base_width=heads * draw(st.integers(1, 128)), base_depth=draw(st.integers(1, 48)),
            base_d_head=heads, base_d_ff=draw(size),
        ),
        depth_alpha=draw(st.sampled_from([0.5, 1.0])) if rules == "completep" else None,
        decay=draw(st.sampled_from(["coupled", "independent"])),
        weight_decay=draw(st.floats(1e-6, 1.0)), eps=draw(st.floats(1e-15, 1e-8)),
        hidden_std=draw(st.floats(1e-3, 1.0)), embedding_std=draw(st.floats(1e-3, 1.0)),
        output_std=draw(st.floats(1e-3, 1.0)), output_mult=draw(st.floats(0.1, 10)),
        residual_mult=draw(st.floats(0.1, 10)), attn_mult=draw(st.floats(0.1, 10)),
    )  # fmt: skip


def table(given_):
    return table_of(given_.rules, given_.depth_alpha)


@given(shape=shapes(), lr=LRS, data=st.data())
def test_at_the_base_shape_every_table_is_standard_parametrisation_to_the_last_bit(shape, lr, data):
    """Weights, optimizer and forward pass are functions of these numbers, so they agree too."""
    asked = data.draw(parametrisations(base_of(shape)))
    standard = asked.model_copy(update={"rules": "sp", "depth_alpha": None})
    mine, plain = (tensor_rules(shape, p, lr) for p in (asked, standard))
    for kind, rule in mine.items():
        row = table(asked).rows[kind]
        branch = math.sqrt(2 * shape.n_layers) if row.branch_init else 1
        expected = plain[kind].model_copy(update={"init_std": plain[kind].init_std / branch})
        if row.role == "vector":
            expected = expected.model_copy(update={"weight_decay": rule.weight_decay})
        assert rule == expected
    assert multipliers(shape, asked) == multipliers(shape, standard)


@given(shape=shapes(), asked=parametrisations(names=("mup", "trustllm")), lr=LRS)
def test_hidden_matrices_keep_their_invariants_under_mup(shape, asked, lr):
    for kind, rule in tensor_rules(shape, asked, lr).items():
        if rule.role != "hidden":
            assert rule.lr == lr
            continue
        branch = math.sqrt(2 * shape.n_layers) if table(asked).rows[kind].branch_init else 1
        width = shape.d_model / asked.base.base_width
        assert rule.lr * rule.fan_in_mult == pytest.approx(lr)
        assert rule.eps * width == pytest.approx(asked.eps)
        assert rule.init_std * math.sqrt(rule.fan_in_mult) * branch == pytest.approx(
            asked.hidden_std
        )


@given(shape=shapes(), asked=parametrisations(), lr=LRS)
def test_decay_a_step_does_not_depend_on_the_width(shape, asked, lr):
    """Coupled: lr x weight_decay is the base's, but for sp, which knows no width, and the depth
    power of completep's lr, which its source leaves; independent: it is lambda whatever the lr."""
    depth = shape.n_layers / asked.base.base_depth
    for kind, rule in tensor_rules(shape, asked, lr).items():
        row = table(asked).rows[kind]
        if asked.decay == "independent":
            expected = asked.weight_decay
        else:
            expected = asked.weight_decay * lr * depth**row.lr.depth
        if row.weight_decay is None:
            expected = 0
        assert rule.lr * rule.weight_decay == pytest.approx(expected)


@given(shape=shapes(), asked=parametrisations(), lr=LRS, factor=st.floats(0.1, 10))
def test_only_independent_decay_ignores_the_learning_rate(shape, asked, lr, factor):
    one = tensor_rules(shape, asked, lr)["q_proj"]
    other = tensor_rules(shape, asked, lr * factor)["q_proj"]
    decays = one.lr * one.weight_decay, other.lr * other.weight_decay
    change = factor if asked.decay == "coupled" else 1
    assert decays[1] / decays[0] == pytest.approx(change)


@given(shape=shapes(), asked=parametrisations())
def test_multipliers_follow_width_and_depth(shape, asked):
    width = shape.d_model / asked.base.base_width
    depth = shape.n_layers / asked.base.base_depth
    values = multipliers(shape, asked)
    on_output = 1 if asked.rules.startswith("sp") else width
    assert values.output_mult * on_output == pytest.approx(asked.output_mult)
    alpha = asked.depth_alpha or 0
    assert values.residual_mult * depth**alpha == pytest.approx(asked.residual_mult)
    heads = shape.d_head / asked.base.base_d_head
    law = 0.5 if asked.rules.startswith("sp") else 1
    at_base = asked.attn_mult / math.sqrt(asked.base.base_d_head)
    assert values.attn_scale * heads**law == pytest.approx(at_base)


@given(shape=shapes(), asked=parametrisations(), lr=LRS, times=st.integers(1, 8))
def test_layout_and_kv_heads_have_no_part_in_the_rules(shape, asked, lr, times):
    """Only widths and depth enter: another number of KV heads, vocabulary or context changes none."""
    other = shape.model_copy(
        update={"n_kv_heads": 1, "vocab_size": 1024 * times, "seq_len": 128 * times}
    )
    assert tensor_rules(shape, asked, lr) == tensor_rules(other, asked, lr)
