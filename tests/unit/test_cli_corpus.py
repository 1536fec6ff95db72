"""Data is taken only as it is pinned."""

import subprocess
import sys
from pathlib import Path

import pytest
from skald_cli.main import main
from skald_specs.decontamination import CLEAN_FILE, CleanSubset
from skald_specs.files import write_jsonl, write_yaml
from support_corpus import small_recipe, some_text, write_rows

DVC = Path(sys.executable).with_name("dvc")


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that DVC itself pinned."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("text/da/train.jsonl", "a\n"), ("text/é.txt", "b\n"), ("about.json", "{}")):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for words in (["init", "-q", "--no-scm"], ["add", "-q", "data"]):
        subprocess.run([str(DVC), *words], check=True, env={"DVC_NO_ANALYTICS": "1", "PATH": ""})
    return tmp_path / "data"


def generate() -> int:
    return main(["corpus", "generate", "--pin", "data.dvc"])


def test_what_dvc_pinned_is_taken_and_left_alone(pinned: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in pinned.rglob("*")}
    assert generate() == 0
    assert {path: path.stat().st_mtime_ns for path in pinned.rglob("*")} == before


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename"])
def test_anything_else_is_refused_with_its_remedy(
    pinned: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = pinned / "text" / "da" / "train.jsonl"
    if change == "edit":
        file.write_text("A\n")
    elif change == "add":
        (pinned / "extra").write_text("")
    elif change == "remove":
        file.unlink()
    else:
        file.rename(file.with_name("test.jsonl"))
    assert generate() == 2
    shown = capsys.readouterr().err
    assert shown.startswith("skald: data: differs from data.dvc") and shown.count("\n") == 1
    assert "nox -s data" in shown


def test_a_missing_pin_is_named(pinned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.dvc").unlink()
    assert generate() == 2
    assert "data.dvc: no such file" in capsys.readouterr().err


def test_a_corpus_is_searched_for_the_items_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_yaml(Path("r.yaml"), small_recipe().model_dump(mode="json"))
    for tag in ("da", "sv"):
        write_rows(tmp_path / "text" / tag / "a.jsonl", some_text(tag))
    words = ["corpus", "build", "r.yaml", "--source", "text", "--out"]
    assert main([*words, "without"]) == 0
    assert "not searched for evaluation items" in capsys.readouterr().out
    assert not Path("without", CLEAN_FILE).exists()

    texts = some_text("da")
    pair = {"key": "k", "phenomenon": "p", "bad": "noget helt andet end det der står"}
    rows = [{"id": str(n), "good": text, **pair} for n, text in enumerate(texts)]
    write_jsonl(Path("data/items/pairs/da.jsonl"), rows)
    assert main([*words, "with"]) == 0
    assert "of 200 evaluation items found in the training text" in capsys.readouterr().out
    found = CleanSubset.load(Path("with", CLEAN_FILE)).contaminated["skald_core_pairs_dan_Latn"]
    # Validation text has the others: a model does not see them.
    assert 100 < len(found) < 200

    before = Path("with", CLEAN_FILE).read_bytes()
    assert main([*words, "with", "--items", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("skald: nowhere: no such items.")
    assert Path("with", CLEAN_FILE).read_bytes() == before
