"""Per-tensor tables of every shape we stand for, as committed files.

A change here is a change of results: regenerate with `python tests/golden/test_mup_rules_golden.py`
and read the difference.
"""

import json
from pathlib import Path

import pytest
from skald_mup.rules import multipliers, tensor_rules
from skald_specs.files import read_json, write_json
from skald_specs.recipe import BaseShape, ModelShape, Parametrisation, Recipe

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("mup")
#: Learning rate for the tables of recipes that leave theirs to the sweep.
TABLE_LR = 0.004
NAMES = ["mini-proxy", "mini-2.6b", "mini-7.8b", "trustllm-7.8b", "trustllm-proxy-512"]


def public_shape(width):
    return ModelShape(
        d_model=width, n_layers=32, d_head=128, n_heads=width // 128, n_kv_heads=width // 512,
        d_ff=width * 7 // 2, vocab_size=100_096, seq_len=4096, rope_theta=500_000.0,
    )  # fmt: skip


def resolved(name):
    if name.startswith("mini"):
        recipe = Recipe.load(ROOT / "recipes" / f"{name}.yaml")
        shape, given, lr = recipe.model, recipe.parametrisation, TABLE_LR
    else:
        shape = public_shape(4096 if name.endswith("7.8b") else 512)
        given, lr = (
            Parametrisation(
                rules="mup",
                base=BaseShape(base_width=4096, base_depth=32, base_d_head=128, base_d_ff=14_336),
                decay="coupled", weight_decay=0.01, eps=1e-15,
                hidden_std=0.01, embedding_std=0.01, output_std=0.01,
            ),
            2.0**-8,
        )  # fmt: skip
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


@pytest.mark.parametrize("name", NAMES)
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
    target, proxy = (json.loads((FOLDER / f"{n}.json").read_text()) for n in NAMES[3:])
    assert proxy["rules"]["q_proj"]["lr"] / target["rules"]["q_proj"]["lr"] == 8
    assert proxy["rules"]["norm"] == target["rules"]["norm"]
    assert proxy["multipliers"]["output_mult"] == 8


if __name__ == "__main__":
    for table in NAMES:
        write_json(FOLDER / f"{table}.json", resolved(table))
