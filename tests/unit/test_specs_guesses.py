"""What a mistyped name may have meant, and what it cannot have meant."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from skald_cli.main import main
from skald_specs.guesses import near, near_path, offer
from skald_specs.languages import BY_TAG
from support import ROOT


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("trian", ["train", "plan"], ["train"]),
        ("jbw", ["jwb", "generic-slurm"], ["jwb"]),
        ("dn", BY_TAG, ["da"]),
        ("EUROLLM-1.7b", ["EuroLLM-1.7B", "EuroLLM-9B"], ["EuroLLM-1.7B"]),
        ("zzzz", ["train", "plan"], []),
        ("", ["train"], []),
        ("anything", [], []),
    ],
)
def test_the_nearest_name(word: str, known: list[str], meant: list[str]) -> None:
    assert near(word, known) == meant


def test_the_order_of_what_there_is_does_not_matter() -> None:
    known = ["mini-7.8b", "mini-2.6b", "mini-proxy"]
    assert near("mini-7.6b", known, 3) == near("mini-7.6b", known[::-1], 3) == known[1::-1]


def test_what_is_no_name_costs_nothing() -> None:
    start = time.process_time()
    assert near("a" * 1_000_000, ["a" * 1_000_000]) == []
    assert time.process_time() - start < 0.1


def test_an_offer_names_the_nearest_and_all() -> None:
    assert offer("cor", ["core", "ud"]) == "Did you mean 'core'? Use one of: core, ud"
    assert offer("zzz", ["core", "ud"]) == "Use one of: core, ud"
    assert offer("zzz", []) == "Use one of: there are none here"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("recipes/mini-7.8.yaml", "recipes/mini-7.8b.yaml"),
        ("recipe/mini-7.8.yaml", "recipes/mini-7.8b.yaml"),
        ("recipes/mini-7.8b", "recipes/mini-7.8b.yaml"),
        ("recipes/mini-7.8b.yaml", None),
        ("recipes/nothing-like-it.yaml", None),
        ("a\0b", None),
        ("x" * 5000, None),
    ],
)
def test_the_nearest_path(typed: str, meant: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert near_path(Path(typed)) == (None if meant is None else Path(meant))


#: What was typed, and the guess that must stand in the one line that answers it.
MISTYPED = [
    (["plan", "show", "recipes/mini-7.8.yaml"], "Did you mean recipes/mini-7.8b.yaml?"),
    (["plan", "predict", "mini-7.8b"], "Did you mean recipes/mini-7.8b.yaml?"),
    (["sweep", "run", "mini-prox"], "Did you mean recipes/mini-proxy.yaml?"),
    (["corpus", "build", "source/fineweb2.yaml"], "Did you mean sources/fineweb-2.yaml?"),
    (["plan", "fit", "recipes/x.csv", "--columns", "recipes/column/steplaw.yaml"],
     "Did you mean recipes/columns/steplaw.yaml?"),
    (["mup", "coord-check", "recipes/mup-dept.yaml"], "Did you mean recipes/mup-depth.yaml?"),
    (["report", "compare", "reports/referenc", "reports/reference"],
     "Did you mean reports/reference/report.json?"),
    (["launch", "x.yaml", "--site", "marenostrum"], "Did you mean 'marenostrum5'?"),
    (["evals", "list", "--suite", "cor"], "Did you mean 'core'?"),
    (["evals", "list", "--language", "dn"], "Did you mean 'da'?"),
    (["corpus", "build", "recipes/mini-proxy.yaml", "--stage", "qality"],
     "did you mean 'quality'?"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), MISTYPED, ids=lambda value: " ".join(value)[:40])
def test_every_verb_guesses(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    try:
        code = main(words)
    except SystemExit as stopped:  # the parser's own
        code = int(str(stopped.code))
    shown = capsys.readouterr().err
    assert (code, shown.count("\n")) == (2, 1)
    assert said in shown


def test_a_path_that_nobody_typed_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The corpus that is missing is the default one; a folder with a name like it means nothing.
    (tmp_path / "artifacts" / "corpora").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "predict", str(ROOT / "recipes" / "mini-7.8b.yaml")]) == 2
    assert "Did you mean" not in capsys.readouterr().err
