"""The rule tables against the public recipe's numbers, and against the mistakes others shipped."""

import math
import subprocess
import sys

import pytest
from skald_mup.names import tensor_kinds
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.shrink import widened
from skald_mup.tables import BRANCH_ENDS, GAINS, HIDDEN, SAME, completep, table_of
from skald_specs.parametrisation import RULES, BaseShape, Parametrisation
from skald_specs.plan import TENSOR_KINDS
from support_planner import recipe

PUBLIC = recipe("trustllm-7.8b")
TARGET, GIVEN, BASE_LR = PUBLIC.model, PUBLIC.parametrisation, PUBLIC.optimizer.base_lr
PROXY = widened(TARGET, 512)
NAMES = [*RULES]


def given(rules: str, **changes: object) -> Parametrisation:
    """The public recipe's values under another table."""
    update = {"rules": rules, "depth_alpha": 1.0 if rules == "completep" else None, **changes}
    return Parametrisation.model_validate(GIVEN.model_dump() | update)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_has_a_row_and_every_column_a_source(name: str) -> None:
    table = table_of(name, 1.0 if name == "completep" else None)
    assert tuple(table.rows) == TENSOR_KINDS
    assert set(table.basis) == {"init_std", "lr", "eps", "weight_decay", "multipliers"}
    assert all(basis.source for basis in table.basis.values())


@pytest.mark.parametrize("name", NAMES)
def test_what_recipes_are_told_of_a_table_is_what_the_table_does(name: str) -> None:
    """`RULES` in specs and the tables are two files; they may not disagree."""
    table = table_of(name, 1.0 if name == "completep" else None)
    powers = [table.output_mult, table.residual_mult]
    for row in table.rows.values():
        powers += [row.init_std, row.lr, row.eps, row.weight_decay or SAME]
    assert any(power.depth for power in powers) == RULES[name].scales_depth
    embedding, head = table.rows["embedding"], table.rows["lm_head"]
    same_values = (embedding.init_std, embedding.lr) == (head.init_std, head.lr)
    assert not RULES[name].ties_embeddings or same_values


def test_trustllm_target_needs_no_multiplier() -> None:
    values = multipliers(TARGET, GIVEN)
    assert (values.emb_mult, values.residual_mult, values.output_mult) == (1, 1, 1)
    assert values.attn_scale == 1 / math.sqrt(128)


def test_trustllm_proxy_of_width_512() -> None:
    rules = tensor_rules(PROXY, GIVEN, BASE_LR)
    for kind in HIDDEN:
        assert rules[kind].lr == 8 * BASE_LR
        assert rules[kind].eps == 8e-15
        assert rules[kind].weight_decay == 0.01 / 8
    for kind in ("embedding", "lm_head", "block_norm", "final_norm"):
        assert (rules[kind].lr, rules[kind].eps) == (BASE_LR, 1e-15)
        assert rules[kind].weight_decay == 0.01
    assert rules["embedding"].init_std == rules["lm_head"].init_std == 0.01
    assert rules["q_proj"].init_std == pytest.approx(0.01 * math.sqrt(8))
    for kind in BRANCH_ENDS:
        assert rules[kind].init_std == pytest.approx(0.01 * math.sqrt(8) / math.sqrt(64))
    assert multipliers(PROXY, GIVEN).output_mult == 8


def test_tables_differ_where_their_sources_do() -> None:
    """eps and decay of embedding, readout and gains: one table per source, none mixed."""
    mup, trust = (tensor_rules(PROXY, given(name), BASE_LR) for name in ("mup", "trustllm"))
    for kind in ("embedding", "lm_head", "final_norm"):
        assert (mup[kind].eps, trust[kind].eps) == (8e-15, 1e-15)
    assert (mup["block_norm"].weight_decay, trust["block_norm"].weight_decay) == (0, 0.01)
    assert mup["o_proj"].init_std == mup["q_proj"].init_std > trust["o_proj"].init_std


def test_standard_parametrisation_has_one_learning_rate_and_no_multiplier() -> None:
    for name, hidden_lr in (("sp", BASE_LR), ("sp_per_layer", 8 * BASE_LR)):
        rules, values = tensor_rules(PROXY, given(name), BASE_LR), multipliers(PROXY, given(name))
        assert {rules[kind].lr for kind in HIDDEN} == {hidden_lr}
        assert rules["embedding"].lr == BASE_LR
        assert rules["lm_head"].lr == hidden_lr
        assert rules["lm_head"].init_std == pytest.approx(0.01 * math.sqrt(8))
        assert (values.output_mult, values.residual_mult) == (1, 1)


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_completep_divides_branches_by_depth(alpha: float) -> None:
    deep = TARGET.model_copy(update={"n_layers": 128})
    asked = given("completep", depth_alpha=alpha)
    rules, values = tensor_rules(deep, asked, BASE_LR), multipliers(deep, asked)
    assert values.residual_mult == 4**-alpha
    assert rules["q_proj"].lr == rules["block_norm"].lr == BASE_LR * 4 ** (alpha - 1)
    assert rules["embedding"].lr == rules["final_norm"].lr == rules["lm_head"].lr == BASE_LR
    assert {rule.eps for rule in rules.values()} == {1e-15 * 4**-alpha}
    assert rules["o_proj"].init_std == rules["q_proj"].init_std, "no division by sqrt(2 L)"


def test_each_tensor_has_its_own_fan_in() -> None:
    rounded = PROXY.model_copy(update={"d_ff": 1800})
    rules = tensor_rules(rounded, GIVEN, BASE_LR)
    assert rules["down_proj"].fan_in_mult == 1800 / 14_336
    assert rules["down_proj"].lr == pytest.approx(BASE_LR * 14_336 / 1800)
    assert rules["gate_proj"].fan_in_mult == rules["o_proj"].fan_in_mult == 1 / 8


@pytest.mark.parametrize(("name", "exponent"), [("mup", 1.0), ("completep", 1.0), ("sp", 0.5)])
def test_attention_scale_follows_its_formula(name: str, exponent: float) -> None:
    """Slopes of five steps cannot see this one (docs/mup.md), so the formula is held here."""
    wide_heads = TARGET.model_copy(update={"d_head": 256, "n_heads": 16})
    scale = multipliers(wide_heads, given(name, attn_mult=3.0)).attn_scale
    assert scale == pytest.approx(3 / math.sqrt(128) * 2**-exponent)
    mutant = completep(1.0).changed(attn_d_head=-0.5 if exponent == 1 else -1.0)
    assert multipliers(wide_heads, given(name, attn_mult=3.0), mutant).attn_scale != scale


def test_kv_heads_change_no_rule() -> None:
    full = PROXY.model_copy(update={"n_kv_heads": 4})
    assert tensor_rules(PROXY, GIVEN, BASE_LR) == tensor_rules(full, GIVEN, BASE_LR)


def test_kinds_follow_the_shape() -> None:
    assert set(TENSOR_KINDS) - set(tensor_kinds(TARGET)) == {"qk_norm"}
    tied = TARGET.model_copy(update={"tie_embeddings": True, "qk_norm": True})
    assert set(TENSOR_KINDS) - set(tensor_kinds(tied)) == {"lm_head"}
    bare = TARGET.model_copy(update={"norm_gains": False, "qk_norm": True})
    assert set(TENSOR_KINDS) - set(tensor_kinds(bare)) == set(GAINS)


def test_a_changed_table_leaves_the_others_alone() -> None:
    table = table_of("mup")
    mutant = table.changed(("down_proj",), lr=SAME)
    assert mutant.rows["down_proj"].lr == SAME != table.rows["down_proj"].lr
    assert {k: v for k, v in mutant.rows.items() if k != "down_proj"} == {
        k: v for k, v in table.rows.items() if k != "down_proj"
    }


def test_a_base_must_be_a_shape_that_could_be_built() -> None:
    with pytest.raises(ValueError, match=r"base_width = 100 does not divide into heads of .* 16"):
        BaseShape(base_width=100, base_d_head=16, base_d_ff=400)


def test_rules_and_planner_need_no_torch() -> None:
    code = (
        "import sys, skald_mup.rules, skald_mup.counts, skald_mup.shrink, skald_planner.plans.proxy, "
        "skald_planner.fitting.transfer, skald_planner.display.show; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
