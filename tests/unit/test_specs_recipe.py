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
        ("learning_rate", 0.1, r"unknown key `learning_rate`.*use one of: about, assumed, budget"),
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
        ("corpus.languages", ["da", "xx"], r"unknown language 'xx'; use one of da, de"),
        ("corpus.languages", ["da", "da"], r"a language is listed twice"),
        ("schedule.warmup_fraction", 0.8, r"warmup_fraction \+ decay_fraction is above 1"),
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
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(update: dict[str, Any], message: str) -> None:
    sweep = {"base_lrs": [0.1, 0.2, 0.4], "horizons_tokens": [2048], "seeds": [1]}
    assert Recipe.check(_changed("sweep", sweep), "here").sweep is not None
    with pytest.raises(UserInputError, match=message) as caught:
        Recipe.check(_changed("sweep", sweep | update), "here")
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
