"""Families of shapes: ratios are kept, everything divides, nothing grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skald_mup.shrink import depth_family, widened, width_family
from skald_specs.errors import UserInputError
from skald_specs.parametrisation import BaseShape, Parametrisation
from skald_specs.shape import ModelShape


@st.composite
def shapes(draw):
    d_head, n_kv_heads = 2 * draw(st.integers(1, 64)), draw(st.integers(1, 8))
    n_heads = n_kv_heads * draw(st.integers(1, 8))
    return ModelShape(
        d_model=d_head * n_heads, n_layers=draw(st.integers(1, 60)), d_head=d_head,
        n_heads=n_heads, n_kv_heads=n_kv_heads, d_ff=draw(st.integers(1, 20_000)),
        vocab_size=draw(st.integers(2, 200_000)), seq_len=draw(st.integers(1, 8192)),
    )  # fmt: skip


def given_for(shape):
    return Parametrisation(
        rules="completep", depth_alpha=1.0,
        base=BaseShape(base_width=shape.d_model, base_d_head=shape.d_head, base_d_ff=shape.d_ff,
                       base_depth=shape.n_layers),
        weight_decay=0.0, eps=1e-12, hidden_std=0.1, embedding_std=1.0, output_std=0.1,
    )  # fmt: skip


@given(shape=shapes(), times=st.integers(1, 16))
def test_widening_keeps_the_ratios_and_comes_back(shape, times):
    wide = widened(shape, shape.d_model * times)
    assert (wide.n_heads, wide.n_kv_heads) == (shape.n_heads * times, shape.n_kv_heads * times)
    assert (wide.d_head, wide.d_ff) == (shape.d_head, shape.d_ff * times)
    assert widened(wide, shape.d_model) == shape
    tall = widened(shape, shape.d_model * times, scale_heads=True)
    assert (tall.n_heads, tall.d_head) == (shape.n_heads, shape.d_head * times)


@given(shape=shapes(), group=st.sampled_from([32, 64, 96]))
def test_a_study_is_small_and_keeps_heads_to_kv_heads(shape, group):
    widths = (group, 2 * group, 4 * group)
    ratio = shape.n_heads // shape.n_kv_heads
    try:
        family = width_family(shape, given_for(shape), widths)
    except UserInputError as error:
        # Only where even heads of two features do not divide.
        assert any(width % (2 * ratio) for width in widths), error
        return
    for width, small in zip(widths, family.shapes, strict=True):
        assert small.d_model == width
        assert small.n_heads == small.n_kv_heads * ratio
        assert small.d_head <= shape.d_head and small.vocab_size <= shape.vocab_size
        assert small.seq_len <= shape.seq_len and small.n_layers <= shape.n_layers
        assert small.d_ff == pytest.approx(shape.d_ff * width / shape.d_model, abs=1 + width / 32)
    assert family.parametrisation.base.base_d_head == family.shapes[0].d_head
    assert family.parametrisation.base.base_width == shape.d_model


def test_a_family_over_depth_has_its_base_at_the_shallowest():
    shape = ModelShape(
        d_model=4096, n_layers=32, d_head=128, n_heads=32, n_kv_heads=8, d_ff=14_336,
        vocab_size=100_096, seq_len=4096,
    )  # fmt: skip
    family = depth_family(shape, given_for(shape), (8, 2, 4), 32)
    assert [small.n_layers for small in family.shapes] == [2, 4, 8]
    assert family.parametrisation.base.base_depth == 2
    with pytest.raises(UserInputError, match="three different positive depths"):
        depth_family(shape, given_for(shape), (2, 2, 4), 32)
