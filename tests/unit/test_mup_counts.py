"""Counts against the published figure and against a list of tensors written out by hand."""

import pytest
from skald_mup.counts import flops_per_token, n_params_non_embedding, n_params_total
from skald_specs.shape import ModelShape

PUBLIC = ModelShape(
    d_model=4096, n_layers=32, d_head=128, n_heads=32, n_kv_heads=8, d_ff=14_336,
    vocab_size=100_096, seq_len=4096,
)  # fmt: skip


def test_the_published_count():
    assert n_params_total(PUBLIC) == 7_799_574_528


def test_the_family_at_2048_with_40_layers():
    update = {"d_model": 2048, "n_layers": 40, "n_heads": 16, "n_kv_heads": 4, "d_ff": 7168}
    assert n_params_total(PUBLIC.model_copy(update=update)) == 2_591_197_184


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_counts_equal_a_written_out_list(n_kv_heads):
    shape = ModelShape(
        d_model=48, n_layers=3, d_head=12, n_heads=4, n_kv_heads=n_kv_heads, d_ff=168,
        vocab_size=1024, seq_len=128,
    )  # fmt: skip
    block = [48 * 48, 48 * 12 * n_kv_heads, 48 * 12 * n_kv_heads, 48 * 48, 3 * 48 * 168, 48, 48]
    assert n_params_non_embedding(shape) == 3 * sum(block) + 48
    assert n_params_total(shape) == 3 * sum(block) + 48 + 2 * 1024 * 48


def test_flops_count_the_output_matrix_and_attention():
    n_matrix = 7_799_574_528 - 100_096 * 4096
    assert flops_per_token(PUBLIC) == 6 * n_matrix + 12 * 32 * 4096 * 4096
    longer = PUBLIC.model_copy(update={"seq_len": 8192})
    assert flops_per_token(longer) - flops_per_token(PUBLIC) == 12 * 32 * 4096 * 4096
