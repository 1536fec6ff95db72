"""docs/schemas/ is what the models say, and the recipes in the repository are what it allows."""

import json

from skald_cli.schemas import FORMATS, schemas
from skald_specs.params import Params
from skald_specs.recipe import Recipe
from support import ROOT

FOLDER = ROOT / "docs" / "schemas"


def test_the_committed_schemas_are_generated() -> None:
    generated = schemas()
    assert len(generated) == len(FORMATS)
    assert sorted(generated) == sorted(path.name for path in FOLDER.iterdir())
    for name, schema in generated.items():
        committed = json.loads((FOLDER / name).read_text(encoding="utf-8"))
        assert committed == schema, f"{name}: run `python -m skald_cli.schemas docs/schemas`"


def test_unknown_keys_are_forbidden_throughout() -> None:
    recipe = schemas()["recipe.schema.json"]
    assert recipe["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in recipe["$defs"].values())


def test_recipes_and_params_are_sound() -> None:
    recipes = {path.stem: Recipe.load(path) for path in sorted(ROOT.glob("recipes/*.yaml"))}
    assert all(stem == recipe.name for stem, recipe in recipes.items())
    params = Params.load(ROOT / "params.yaml")
    family = [recipes[name] for name in (params.sweep, *params.baselines)]
    assert family[0].sweep is not None
    assert all(recipe.corpus == family[0].corpus for recipe in family)
    assert all(recipe.parametrisation == family[0].parametrisation for recipe in family)
    assert all(len(path.read_text().splitlines()) <= 60 for path in ROOT.glob("recipes/*.yaml"))
