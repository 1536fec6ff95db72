"""Recipes: what is incoherent is refused in one line that names field, value, rule and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from skald_specs.errors import UserInputError
from skald_specs.recipe import Recipe
from support import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def _changed(path: str, value: Any) -> dict[str, Any]:
    """Return the larger miniature's recipe with one field changed, by dotted path."""
    recipe = yaml.safe_load((ROOT / "recipes" / "mini-7.8b.yaml").read_text(encoding="utf-8"))
    node = recipe
    *folders, leaf = path.split(".")
    for folder in folders:
        node = node[folder]
    node[leaf] = value
    return recipe


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_and_is_short(path: Path) -> None:
    assert Recipe.load(path).name == path.stem
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_the_unchanged_recipe_is_accepted() -> None:
    assert Recipe.check(_changed("name", "same"), "here").name == "same"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("learning_rate", 0.1, r"unknown key `learning_rate`.*Use one of: about, assumed, budget"),
        ("model.d_modl", 96, r"unknown key `model\.d_modl`.*d_model"),
        ("budget.horizon_tokens", -5, r"`budget\.horizon_tokens` = -5: Input should be greater"),
        ("budget.horizon_tokens", 512, r"horizon_tokens = 512 is below one batch of 1024"),
        ("budget.global_batch_tokens", 1000, r"1000 is not a multiple of seq_len = 128"),
        ("model.d_model", 190, r"n_heads x d_head = 192 differs from d_model = 190"),
        ("model.n_kv_heads", 5, r"n_heads = 16 is not a multiple of n_kv_heads = 5"),
        ("execution.tp", 3, r"model\.n_heads = 16 is not divisible by execution\.tp = 3"),
        ("execution.dp", 3, r"8 sequences does not divide into dp = 3"),
        ("execution.pp", 4, r"execution\.pp = 4 exceeds model\.n_layers = 3"),
        ("model.vocab_size", 512, r"vocab_size = 512 is smaller than the tokenizer's 2048"),
        ("model.tied_embeddings", True, r"unknown key `model\.tied_embeddings`"),
        ("model.n_layers", 4, r"n_layers = 4 differs.*base_depth = 3: depth does not transfer"),
        ("parametrisation.rules", "mu-p", r"`parametrisation\.rules` = 'mu-p'.*'mup', 'completep'"),
        ("parametrisation.rules", "completep", r"completep' need depth_alpha = 1\.0 .* not None"),
        (
            "parametrisation.depth_alpha",
            1.0,
            r"depth_alpha = 1\.0 has no meaning under rules 'mup'",
        ),
        ("parametrisation.base.base_width", 190, r"base_width = 190 does not divide into heads"),
        ("assumed", ["model.layers"], r"assumed names 'model\.layers', which is no key"),
        (
            "mixture",
            {"da": 1.0},
            r"mixture and corpus\.languages differ in de, en, fo, is, nb, nl, sv",
        ),
        ("corpus.languages", ["da", "xx"], r"unknown language 'xx'. Use one of: da, de"),
        ("corpus.languages", ["da", "da"], r"a language is listed twice"),
        ("parametrisation.eps", 0, r"`parametrisation\.eps` = 0: Input should be greater than 0"),
        ("parametrisation.eps", float("nan"), r"`parametrisation\.eps`"),
        ("dtype", "float16", r"`dtype` = 'float16'"),
        ("name", "../escape", r"`name` = '\.\./escape'"),
    ],
)
def test_an_incoherent_recipe_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserInputError, match=message) as caught:
        Recipe.check(_changed(path, value), "recipes/mine.yaml")
    assert str(caught.value).startswith("recipes/mine.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rules": "completep", "depth_alpha": 1.0, "base": {"base_depth": None}},
         r"rules 'completep' scale depth and need base\.base_depth"),
        ({"rules": "completep", "depth_alpha": 0.7}, r"1\.0 \(CompleteP\) or 0\.5.*not 0\.7"),
        ({"rules": "sp", "tie": True}, r"tie_embeddings: rules 'sp' give .* untie them"),
        ({"rules": "sp_per_layer", "base": {"base_d_head": 24}},
         r"d_head = 12 differs from .*base_d_head = 24: heads keep their width under"),
    ],
)  # fmt: skip
def test_rules_and_shape_must_go_together(changes: dict[str, Any], message: str) -> None:
    recipe = _changed("name", "same")
    block = recipe["parametrisation"]
    recipe["model"]["tie_embeddings"] = changes.pop("tie", False)
    block["base"] |= changes.pop("base", {})
    block |= changes
    with pytest.raises(UserInputError, match=message) as caught:
        Recipe.check(recipe, "recipes/mine.yaml")
    assert "\n" not in str(caught.value)


def test_depth_and_tied_embeddings_are_accepted_where_the_rules_carry_them() -> None:
    recipe = _changed("model.n_layers", 6)
    recipe["model"]["tie_embeddings"] = True
    recipe["parametrisation"] |= {"rules": "completep", "depth_alpha": 1.0}
    assert Recipe.check(recipe, "here").model.n_layers == 6


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"base_lrs": [0.1, 0.2, 0.1]}, r"`sweep`.*base_lrs lists 0\.1 twice; list it once"),
        ({"seeds": [1, 1]}, r"`sweep`.*seeds lists 1 twice"),
        ({"seeds": [-1]}, r"`sweep\.seeds\.0` = -1: Input should be greater than or equal to 0"),
        ({"horizons_tokens": [2048, 2048]}, r"`sweep`.*horizons_tokens lists 2048 twice"),
        ({"horizons_tokens": [512]}, r"sweep\.horizons_tokens has 512, below one batch of 1024"),
        ({"widths": [96, 96]}, r"widths lists 96 twice"),
        ({"global_batches_tokens": [512, 512]}, r"global_batches_tokens lists 512 twice"),
        (
            {"global_batches_tokens": [500]},
            r"a batch of 500 tokens, not a multiple of seq_len = 128",
        ),
        (
            {"global_batches_tokens": [512, 4096]},
            r"horizons_tokens has 2048, below one batch of 4096; use horizons of at least the largest",
        ),
        ({"more": [{"base_lr": 0.1, "global_batch_tokens": 100}]}, r"a batch of 100 tokens"),
        ({"more": [{"base_lr": -0.1}]}, r"`sweep\.more\.0\.base_lr` = -0\.1"),
        (
            {"more": [{"base_lr": 0.2}]},
            r"sweep has the run base_lr = 0\.2, width = 192, .*_tokens = 1024, seed = 1 twice",
        ),
        (
            # 0.1 x (512 / 1024)^1: what a run of `more` says outright.
            {
                "global_batches_tokens": [512],
                "lr_batch_exponent": 1.0,
                "more": [{"base_lr": 0.05, "global_batch_tokens": 512}],
            },
            r"base_lr = 0\.05, width = 192, global_batch_tokens = 512, seed = 1 twice",
        ),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(update: dict[str, Any], message: str) -> None:
    sweep = {"base_lrs": [0.1, 0.2, 0.4], "horizons_tokens": [2048], "seeds": [1]}
    recipe = _changed("sweep", sweep)
    recipe["schedule"] = {"kind": "wsd", "warmup_fraction": 0.1, "decay_fraction": 0.3}
    assert Recipe.check(recipe, "here").sweep is not None
    with pytest.raises(UserInputError, match=message) as caught:
        Recipe.check(recipe | {"sweep": sweep | update}, "here")
    assert "\n" not in str(caught.value)


def test_a_sweep_lists_its_runs() -> None:
    """Rates follow the batch to four digits; at the recipe's own batch they are as written."""
    sweep = {
        "base_lrs": [0.10001, 0.2, 0.4], "horizons_tokens": [81920], "widths": [96, 192],
        "global_batches_tokens": [512, 1024], "lr_batch_exponent": 0.5,
        "more": [{"base_lr": 0.2, "global_batch_tokens": 512, "seed": 3}],
    }  # fmt: skip
    recipe = Recipe.check(_changed("sweep", sweep), "here")
    assert recipe.sweep is not None
    runs = recipe.sweep.runs(192, 1024)
    assert len(runs) == 2 * 2 * 3 + 1
    assert [run.base_lr for run in runs[:6]] == [0.07072, 0.1414, 0.2828, 0.10001, 0.2, 0.4]
    assert (runs[-1].width, runs[-1].global_batch_tokens, runs[-1].base_lr) == (192, 512, 0.2)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"warmup_fraction": 0.8}, r"warmup_fraction \+ decay_fraction is above 1"),
        ({}, r"give one of warmup_fraction and warmup_tokens, not both"),
        ({"warmup_tokens": 8192, "warmup_fraction": 0.1}, r"give one of .*, not both"),
        ({"warmup_tokens": -1}, r"`schedule\.warmup_tokens` = -1"),
        (
            {"warmup_tokens": 2_000_000},
            r"warmup_tokens = 2000000 and a decay of \d+ tokens do not fit budget\.horizon_tokens",
        ),
        (
            {"warmup_tokens": 8192},
            r"warmup_tokens = 8192 and a decay of 3072 tokens do not fit sweep\.horizons_tokens = 10240",
        ),
    ],
)
def test_a_warmup_is_a_share_or_tokens_and_has_room(schedule: dict[str, Any], message: str) -> None:
    recipe = _changed("sweep", {"base_lrs": [0.1, 0.2, 0.4], "horizons_tokens": [10240, 20480]})
    recipe["schedule"] = {"kind": "wsd", "decay_fraction": 0.3, "warmup_tokens": 7168}
    assert Recipe.check(recipe, "here").schedule.warmup_tokens == 7168
    recipe["schedule"] = {"kind": "wsd", "decay_fraction": 0.3, **schedule}
    with pytest.raises(UserInputError, match=message) as caught:
        Recipe.check(recipe, "here")
    assert "\n" not in str(caught.value)


def test_a_mistyped_key_is_named_as_it_was_written() -> None:
    recipe = _changed("model.d_modl", 96)
    del recipe["model"]["d_model"]
    with pytest.raises(
        UserInputError, match=r"unknown key `model\.d_modl` \(and 1 more\).*d_model"
    ):
        Recipe.check(recipe, "here")


def test_a_missing_key_is_named() -> None:
    recipe = _changed("name", "same")
    del recipe["budget"]
    with pytest.raises(UserInputError, match=r"here: missing key `budget`\. Add it"):
        Recipe.check(recipe, "here")


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: a\n  about: [\n")
    with pytest.raises(UserInputError, match=r"broken\.yaml:2: not YAML"):
        Recipe.load(path)
