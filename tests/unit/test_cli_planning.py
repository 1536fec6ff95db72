"""What `skald plan` says of a table, a fit, a corpus or a width that will not do: where, and what to do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from skald_cli.main import main
from support import ROOT
from support_planner import GRID, run_table

RECIPES = ROOT / "recipes"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(name: str, **settings: object) -> pd.DataFrame:
    rows = run_table(np.random.default_rng(0), **settings)
    rows.to_csv(name, index=False)
    return rows


def test_a_table_that_cannot_be_fitted_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    table("two.csv", lrs=GRID[:2])
    assert main(["plan", "fit", "two.csv"]) == 2
    said = "skald: two.csv: no size, horizon and batch has three learning rates"
    assert capsys.readouterr().err.startswith(said)
    table("edge.csv", lrs=GRID[:3])
    assert main(["plan", "fit", "edge.csv"]) == 1
    assert capsys.readouterr().err.startswith("skald: edge.csv: at none of")


def test_a_fit_names_its_table_once_and_is_named_where_it_does_not_serve(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table("whole.csv")
    lost = pd.concat([rows, rows.tail(1).assign(lr=1.0, loss=np.nan)])
    (here / "sweep").mkdir()
    lost.to_csv("sweep/nan.csv", index=False)
    assert main(["plan", "fit", "sweep/nan.csv", "--out", "own/fit.json"]) == 0
    assert capsys.readouterr().out.startswith("sweep/nan.csv: 1 run has no finite loss")
    assert main(["plan", "show", "own/fit.json"]) == 0
    assert f"fit of {len(lost)} runs (sweep/nan.csv)" in capsys.readouterr().out
    recipe = str(RECIPES / "trustllm-2.6b.yaml")
    assert main(["plan", "predict", recipe, "--no-corpus", "--fit", "own/fit.json"]) == 2
    said = "the fit own/fit.json (of sweep/nan.csv) is of another family of recipes"
    assert said in capsys.readouterr().err


def test_what_is_missing_says_who_makes_it(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(RECIPES / "mini-proxy.yaml")
    for words, said in (
        (["plan", "predict", recipe], "corpus.json: no such file. Build it with `skald corpus build`"
                                      ", or plan with --no-corpus"),
        (["sweep", "run", recipe], "corpus.json: no such file. Build one with `skald corpus build`"),
        (["plan", "predict", recipe, "--no-corpus", "--fit", "none.json"],
         "none.json: no such file. Name the fit.json that `skald plan fit` wrote"),
    ):  # fmt: skip
        assert main(words) == 2
        assert said in capsys.readouterr().err


def test_a_width_names_its_recipe_and_key(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = RECIPES / "mini-proxy.yaml"
    assert main(["plan", "show", str(whole), "--width", "50"]) == 2
    assert "recipe mini-proxy: --width: 50 is not a multiple" in capsys.readouterr().err
    recipe = yaml.safe_load(whole.read_text())
    recipe["sweep"]["widths"] = [50]
    Path("odd.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["plan", "show", "odd.yaml"]) == 2
    assert "recipe mini-proxy: sweep.widths: 50 is not a multiple" in capsys.readouterr().err
