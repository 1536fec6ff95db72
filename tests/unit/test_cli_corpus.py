"""Data is taken only as it is pinned."""

import subprocess
import sys
from pathlib import Path

import pytest
from skald_cli.main import main

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
