"""Per-tensor tables of every shape we stand for, as committed files.

A change here is a change of results: regenerate with `python tests/golden/test_mup_rules_golden.py`
and read the difference.
"""

import json
from pathlib import Path

import pytest
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.shrink import widened
from skald_specs.files import read_json, write_json
from skald_specs.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("mup")
#: Learning rate for the tables of recipes that leave theirs to the sweep.
TABLE_LR = 0.004
#: Every shipped recipe, and the proxy the public one was tuned on.
NAMES = [
    "mini-proxy", "mini-2.6b", "mini-7.8b", "trustllm-7.8b", "trustllm-2.6b", "trustllm-proxy-512",
    "mup-transfer", "mup-depth", "own-text", "gpu-time-transfer", "next-larger",
    "next-larger-optimal",
]  # fmt: skip
#: Every table at one shape off its base in width, depth, heads and feed-forward width, with all kinds
#: of tensor, under the coupled decay: no shipped recipe has all of them.
TABLES = ["table-mup", "table-completep", "table-trustllm", "table-sp", "table-sp_per_layer"]
OFF_BASE = {
    "d_model": 1536, "n_layers": 24, "d_head": 192, "n_heads": 8, "n_kv_heads": 8, "d_ff": 1800,
    "qk_norm": True,
}  # fmt: skip


def resolved(name):
    if name in TABLES:
        return resolved_table(name.removeprefix("table-"))
    proxy = name == "trustllm-proxy-512"
    recipe = Recipe.load(ROOT / "recipes" / f"{'trustllm-7.8b' if proxy else name}.yaml")
    shape = widened(recipe.model, 512) if proxy else recipe.model
    given, lr = recipe.parametrisation, recipe.optimizer.base_lr
    lr = TABLE_LR if lr == "sweep" else lr
    return written(shape, given, lr)


def resolved_table(rules):
    recipe = Recipe.load(ROOT / "recipes" / "trustllm-7.8b.yaml")
    alpha = 0.5 if rules == "completep" else None
    changes = {"rules": rules, "depth_alpha": alpha, "decay": "coupled"}
    given = recipe.parametrisation.model_copy(update=changes)
    return written(recipe.model.model_copy(update=OFF_BASE), given, TABLE_LR)


def written(shape, given, lr):
    rules = tensor_rules(shape, given, lr)
    return {
        "base_lr": lr,
        "rules": {kind: rule.model_dump(mode="json") for kind, rule in rules.items()},
        "multipliers": multipliers(shape, given).model_dump(mode="json"),
    }


def flat(node, path=""):
    if isinstance(node, dict):
        return {k: v for key, item in node.items() for k, v in flat(item, f"{path}/{key}").items()}
    return {path: node}


@pytest.mark.parametrize("name", NAMES + TABLES)
def test_table_is_the_committed_one(name):
    expected, got = flat(read_json(FOLDER / f"{name}.json")), flat(resolved(name))
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        good = (
            value == got[key]
            if isinstance(value, str)
            else got[key] == pytest.approx(value, rel=1e-12, abs=0)
        )
        assert good, f"{key}: {got[key]} differs from {value}"


def test_the_public_pair_differs_by_the_ratio_alone():
    target, proxy = (
        json.loads((FOLDER / f"{name}.json").read_text())
        for name in ("trustllm-7.8b", "trustllm-proxy-512")
    )
    assert proxy["rules"]["q_proj"]["lr"] / target["rules"]["q_proj"]["lr"] == 8
    assert proxy["rules"]["block_norm"] == target["rules"]["block_norm"]
    assert proxy["multipliers"]["output_mult"] == 8


def test_every_recipe_has_a_table():
    assert {path.stem for path in (ROOT / "recipes").glob("*.yaml")} <= set(NAMES)


if __name__ == "__main__":
    for table in NAMES + TABLES:
        write_json(FOLDER / f"{table}.json", resolved(table))
