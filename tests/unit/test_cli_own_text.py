"""The way on one's own text is made of commands that exist."""

from pathlib import Path

from skald_cli.main import build_parser
from skald_cli.own_text import RECIPE, commands
from skald_specs.recipe import Recipe
from support import ROOT


def test_every_command_parses_and_writes_to_its_own_folders() -> None:
    steps = commands(Path("text"), Path("items"))
    for words in steps:
        args = build_parser().parse_args(words)
        assert "own-text" in str(args.out)
    assert [words[0] for words in steps] == [
        "corpus", "plan", "train", "export", "evaluate", "report",
    ]  # fmt: skip


def test_the_items_are_looked_for_in_the_text() -> None:
    assert commands(Path("text"), Path("items"))[0][-2:] == ["--items", "items"]
    assert "--items" not in commands(Path("text"), None)[0]


def test_without_items_nothing_is_evaluated() -> None:
    steps = commands(Path("text"), None)
    assert "evaluate" not in [words[0] for words in steps] and "--suites" not in steps[-1]
    assert "--suites" in commands(Path("text"), Path("items"))[-1]


def test_the_recipe_shares_the_family_of_the_miniatures() -> None:
    own, mini = Recipe.load(ROOT / RECIPE), Recipe.load(ROOT / "recipes" / "mini-7.8b.yaml")
    assert own.parametrisation == mini.parametrisation
    assert own.budget.horizon_tokens == 300 * own.budget.global_batch_tokens
    assert len((ROOT / RECIPE).read_text(encoding="utf-8").splitlines()) <= 60
