"""A configured remote is used for a missing data/, and for nothing else; DVC itself does the work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from skald_cli.main import main
from skald_cli.pull import pull_missing
from skald_specs.errors import UserInputError

QUIET = {"DVC_NO_ANALYTICS": "1"}


def dvc(root: Path, *words: str) -> None:
    command = [sys.executable, "-m", "dvc", *words]
    subprocess.run(command, cwd=root, check=True, env={**os.environ, **QUIET}, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a remote that has the data, and neither data nor cache."""
    root = tmp_path / "clone"
    for name in ("text/da/train.jsonl", "about.json"):
        file = root / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n")
    dvc(root, "init", "-q", "--no-scm")
    dvc(root, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    dvc(root, "add", "-q", "data")
    dvc(root, "push", "-q", "data.dvc")
    shutil.rmtree(root / "data")
    shutil.rmtree(root / ".dvc" / "cache")
    monkeypatch.chdir(root)
    return root


def test_a_missing_folder_comes_from_the_remote(clone: Path) -> None:
    assert pull_missing(clone)
    assert (clone / "data/text/da/train.jsonl").read_text() == "text/da/train.jsonl\n"
    assert main(["corpus", "generate", "--pin", "data.dvc"]) == 0
    # What is there is left alone, right or wrong.
    (clone / "data/about.json").write_text("mine")
    assert not pull_missing(clone)
    assert (clone / "data/about.json").read_text() == "mine"


def test_without_a_remote_nothing_is_pulled(clone: Path) -> None:
    dvc(clone, "remote", "remove", "store")
    assert not pull_missing(clone)
    assert not (clone / "data").exists()


def test_a_remote_without_the_data_is_named(clone: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")
    program = [sys.executable, "-m", "skald_cli.pull"]
    done = subprocess.run(program, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "dvc pull" in done.stderr and "skald corpus generate" in done.stderr
    with pytest.raises(UserInputError):
        pull_missing(clone)
