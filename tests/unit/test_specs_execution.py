"""A layout that cannot compute its model is refused by name, and the nearest one that can is not."""

from __future__ import annotations

from typing import Any

import pytest
from skald_specs.execution import ExecutionRecipe
from skald_specs.shape import ModelShape

SHAPE = {
    "d_model": 48, "n_layers": 3, "d_head": 8, "n_heads": 6, "n_kv_heads": 6, "d_ff": 66,
    "vocab_size": 66, "seq_len": 18,
}  # fmt: skip
BATCH = 12


def check(shape: dict[str, Any], execution: dict[str, Any]) -> None:
    given = {
        "micro_batch_sequences": 1, "checkpoint_every_steps": 1, "validate_every_steps": 1,
        **execution,
    }  # fmt: skip
    ExecutionRecipe(**given).check_fits(ModelShape(**SHAPE | shape), BATCH)


@pytest.mark.parametrize(
    ("shape", "wrong", "told", "right"),
    [
        ({}, {"dp": 5}, "dp = 5 x micro_batch_sequences = 1", {"dp": 4}),
        ({}, {"dp": 3, "micro_batch_sequences": 3}, "batch of 12 sequences", {"dp": 3}),
        ({"n_heads": 5, "n_kv_heads": 1, "d_model": 40}, {"tp": 2}, "model.n_heads = 5", {}),
        ({"n_kv_heads": 3}, {"tp": 2}, "model.n_kv_heads = 3", {"tp": 3}),
        ({"d_ff": 65}, {"tp": 2}, "model.d_ff = 65", {}),
        ({"vocab_size": 67}, {"tp": 2}, "model.vocab_size = 67", {}),
        ({"seq_len": 17}, {"tp": 2, "tp_mode": "reduce_scatter"}, "model.seq_len = 17", {"tp": 2}),
        ({"seq_len": 17}, {"tp": 2, "tp_mode": "reduce_scatter_async"}, "seq_len = 17",
         {"tp": 1, "tp_mode": "reduce_scatter_async"}),
        ({}, {"pp": 4}, "execution.pp = 4 exceeds model.n_layers = 3", {"pp": 3}),
        ({}, {"pp": 3, "dp": 4, "micro_batch_sequences": 3}, "1f1b with pp = 3 needs 2 micro-batches",
         {"pp": 3, "dp": 4, "micro_batch_sequences": 3, "pp_schedule": "afab"}),
        ({}, {"pp": 3, "dp": 4, "micro_batch_sequences": 3}, "a rank has 1", {"pp": 3, "dp": 2,
         "micro_batch_sequences": 3}),
    ],
)  # fmt: skip
def test_a_layout_that_does_not_fit_is_named(
    shape: dict[str, Any], wrong: dict[str, Any], told: str, right: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=told):
        check(shape, wrong)
    check(shape, right)
