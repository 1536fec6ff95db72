"""`skald mup coord-check` and `skald plan show` on shapes: verdicts, files, and one-line refusals."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from skald_cli.main import main
from support import ROOT

RECIPES = ROOT / "recipes"
FAST = ["--widths", "32", "64", "128", "--seeds", "1"]


def test_a_right_recipe_holds_and_leaves_tables_and_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(RECIPES / "mup-depth.yaml")
    words = ["mup", "coord-check", recipe, *FAST, "--depths", "2", "4", "8"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "mup-depth: holds" in shown
    assert "vocab_size 257 -> 256" in shown and "base_lr from the sweep -> " in shown
    folder = tmp_path / "mup-depth"
    slopes = pd.read_csv(folder / "slopes.csv")
    assert set(slopes["axis"]) == {"width", "depth"} and slopes["holds"].all()
    steps = pd.read_csv(folder / "coordinates.csv")["step"]
    assert (steps.min(), steps.max()) == (0, 5)
    for axis in ("width", "depth"):
        assert "<svg" in (folder / f"coordinates-{axis}.svg").read_text(encoding="utf-8")


def test_standard_parametrisation_exits_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (RECIPES / "mup-transfer.yaml").read_text(encoding="utf-8")
    (tmp_path / "sp.yaml").write_text(text.replace("rules: mup", "rules: sp"), encoding="utf-8")
    assert (
        main(["mup", "coord-check", str(tmp_path / "sp.yaml"), *FAST, "--out", str(tmp_path)]) == 1
    )
    shown = capsys.readouterr().out
    assert "does NOT hold" in shown and "NO" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--widths", "32", "64"],
            "--widths: 32 64: a slope needs three different positive widths",
        ),
        (["--widths", "32", "32", "64"], "--widths: 32 64: a slope needs three"),
        (["--widths", "33", "66", "99"], "Choose 32, or another multiple of 2"),
        (["--depths", "2", "4"], "--depths: 2 4: a slope needs three different positive depths"),
        (["--seeds", "0"], "--seeds: 0 is not a positive number"),
    ],
)
def test_a_check_that_makes_no_sense_is_one_line(
    tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = [] if "--widths" in words else ["--widths", "32", "64", "128"]
    recipe, out = str(RECIPES / "mup-transfer.yaml"), str(tmp_path / "out")
    seeds = [] if "--seeds" in words else ["--seeds", "1"]
    assert main(["mup", "coord-check", recipe, *fast, *seeds, *words, "--out", out]) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_table_of_the_largest_recipe_takes_under_two_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = time.process_time()
    assert main(["plan", "show", str(RECIPES / "trustllm-7.8b.yaml")]) == 0
    assert time.process_time() - start < 2
    shown = capsys.readouterr().out
    assert "n_params_total = 7,799,574,528" in shown
    assert "init_std      derived" in shown and "trustllm-envs" in shown


def test_any_sister_of_a_recipe_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(RECIPES / "trustllm-7.8b.yaml")
    assert main(["plan", "show", recipe, "--width", "512"]) == 0
    shown = capsys.readouterr().out
    assert "output_mult 8" in shown and "0.03125" in shown and "8e-15" in shown
    assert main(["plan", "show", recipe, "--depth", "16"]) == 2
    assert "depth does not transfer under rules 'trustllm'" in capsys.readouterr().err
    assert main(["plan", "show", recipe, "--width", "500"]) == 2
    assert (
        "500 is not a multiple of 512, 4 heads of d_head = 128 for each KV head. Choose 512, or"
        in capsys.readouterr().err
    )
