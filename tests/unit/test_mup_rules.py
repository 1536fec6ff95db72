"""The rule table against the public recipe's numbers, and against the mistakes others shipped."""

import math
import subprocess
import sys

import pytest
from skald_mup.rules import KIND_ROWS, multipliers, tensor_rules
from skald_specs.plan import TENSOR_KINDS
from skald_specs.recipe import BaseShape, ModelShape, Parametrisation

HIDDEN = [kind for kind, row in KIND_ROWS.items() if row.role == "hidden"]


def trustllm(width: int) -> ModelShape:
    """The public family at any width: d_head 128, four queries to a key, d_ff 3.5 d_model."""
    return ModelShape(
        d_model=width, n_layers=32, d_head=128, n_heads=width // 128,
        n_kv_heads=width // 512, d_ff=width * 7 // 2, vocab_size=100_096, seq_len=4096,
        rope_theta=500_000.0,
    )  # fmt: skip


PUBLIC = Parametrisation(
    rules="mup",
    base=BaseShape(base_width=4096, base_depth=32, base_d_head=128, base_d_ff=14_336),
    decay="coupled", weight_decay=0.01, eps=1e-15,
    hidden_std=0.01, embedding_std=0.01, output_std=0.01,
)  # fmt: skip
BASE_LR = 2.0**-8


def test_every_kind_has_a_row_in_the_contract_order():
    assert tuple(KIND_ROWS) == TENSOR_KINDS
    assert tuple(tensor_rules(trustllm(512), PUBLIC, BASE_LR)) == TENSOR_KINDS


def test_trustllm_target_needs_no_multiplier():
    values = multipliers(trustllm(4096), PUBLIC)
    assert (values.emb_mult, values.residual_mult, values.output_mult) == (1, 1, 1)
    assert values.attn_scale == pytest.approx(128**-0.5, rel=1e-15)


def test_trustllm_proxy_of_width_512():
    rules = tensor_rules(trustllm(512), PUBLIC, BASE_LR)
    for kind in HIDDEN:
        assert rules[kind].lr == 8 * BASE_LR
        assert rules[kind].eps == pytest.approx(8e-15, rel=1e-15)
        assert rules[kind].weight_decay == 0.01 / 8
    for kind in ("embedding", "lm_head"):
        assert (rules[kind].lr, rules[kind].eps) == (BASE_LR, 1e-15)
        assert (rules[kind].weight_decay, rules[kind].init_std) == (0.01, 0.01)
    assert (rules["norm"].lr, rules["norm"].init_std, rules["norm"].weight_decay) == (BASE_LR, 0, 0)
    assert rules["q_proj"].init_std == pytest.approx(0.01 * math.sqrt(8))
    for kind in ("o_proj", "down_proj"):
        assert rules[kind].init_std == pytest.approx(0.01 * math.sqrt(8) / math.sqrt(64))
    assert multipliers(trustllm(512), PUBLIC).output_mult == 8


def test_each_tensor_has_its_own_fan_in():
    rounded = trustllm(512).model_copy(update={"d_ff": 1800})
    rules = tensor_rules(rounded, PUBLIC, BASE_LR)
    assert rules["down_proj"].fan_in_mult == 1800 / 14_336
    assert rules["down_proj"].lr == pytest.approx(BASE_LR * 14_336 / 1800)
    assert rules["gate_proj"].fan_in_mult == rules["o_proj"].fan_in_mult == 1 / 8


def test_attention_scale_follows_one_over_d_head():
    wide_heads = trustllm(4096).model_copy(update={"d_head": 256, "n_heads": 16})
    given = PUBLIC.model_copy(update={"attn_mult": 3.0})
    assert multipliers(wide_heads, given).attn_scale == pytest.approx(3 * math.sqrt(128) / 256)
    assert multipliers(wide_heads, PUBLIC).attn_scale != pytest.approx(256**-0.5, rel=0.1)


def test_grouped_queries_change_no_rule():
    grouped, full = trustllm(512), trustllm(512).model_copy(update={"n_kv_heads": 4})
    assert tensor_rules(grouped, PUBLIC, BASE_LR) == tensor_rules(full, PUBLIC, BASE_LR)


def test_the_output_matrix_has_a_standard_deviation_of_its_own():
    given = PUBLIC.model_copy(update={"embedding_std": 0.5, "output_std": 0.1})
    rules = tensor_rules(trustllm(512), given, BASE_LR)
    assert (rules["lm_head"].init_std, rules["embedding"].init_std) == (0.1, 0.5)


def test_rules_and_planner_need_no_torch():
    code = (
        "import sys, skald_mup.rules, skald_mup.counts, skald_planner.proxy, skald_planner.fit, "
        "skald_planner.show; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
