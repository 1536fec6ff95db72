"""The way on one's own text is made of commands that exist."""

import shutil
from pathlib import Path

import pytest
from skald_cli.main import build_parser
from skald_cli.own_text import CUT, RECIPE, commands, main, recipe_for
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a checkout with nothing but the recipe; return an empty folder of text."""
    monkeypatch.chdir(tmp_path)
    RECIPE.parent.mkdir()
    shutil.copy(ROOT / RECIPE, RECIPE)
    Path("text").mkdir()
    return Path("text")


def test_the_recipe_is_cut_to_the_languages_there_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("is", "da", ".hidden", "nn"):
        (folder / name).mkdir()
    before = RECIPE.read_bytes()
    assert recipe_for(folder) == CUT and RECIPE.read_bytes() == before
    own, cut = Recipe.load(RECIPE), Recipe.load(CUT)
    corpus = own.corpus.model_copy(update={"languages": ("da", "is")})
    mixture = {tag: own.mixture[tag] for tag in ("da", "is")}
    assert cut == own.model_copy(update={"corpus": corpus, "mixture": mixture})
    said = capsys.readouterr().out
    assert "without de, en, fo, nb, nl, sv; mixture: da 1, is 1" in said
    assert "note: text/nn is left out" in said
    written = CUT.read_bytes()
    assert recipe_for(folder) == CUT and CUT.read_bytes() == written
    for words in commands(folder, None, CUT)[:2]:
        assert str(CUT) in words and str(RECIPE) not in words


def test_a_folder_of_all_languages_takes_the_recipe_as_it_is(folder: Path) -> None:
    for name in (*Recipe.load(RECIPE).mixture, "nn"):
        (folder / name).mkdir()
    assert recipe_for(folder) == RECIPE and not CUT.exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["da", "ISL"], "text/ISL: unknown language 'ISL'. Did you mean 'is'?"),
        (["nn"], "has nn, and recipes/own-text.yaml has none of them. Set `languages: [nn]` and `mix"),
        ([], "text: holds no folder of a language"),
    ],
)  # fmt: skip
def test_text_that_would_be_left_out_is_refused(
    folder: Path, names: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in names:
        (folder / name).mkdir()
    assert main([str(folder)]) == 2
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1
    assert not CUT.exists()
