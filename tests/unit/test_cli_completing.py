"""Completion, asked of a real shell as it asks when somebody presses Tab."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from skald_cli.completing import _how, actions
from skald_cli.main import build_parser
from support import ROOT

#: What bash does at Tab: the words and the place of the cursor in, the candidates out.
_TAB = """
source "$1"; shift
complete -p skald >&2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_skald
printf '%s\\n' "${COMPREPLY[@]}"
"""


def _code(shell: str) -> str:
    words = [sys.executable, "-m", "skald_cli.main", "completion", shell]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    file = tmp_path_factory.mktemp("completion") / "skald.bash"
    file.write_text(_code("bash"), encoding="utf-8")
    return file


def tab(code: Path, *words: str, where: Path = ROOT) -> list[str]:
    """Return what is offered for the last word."""
    done = subprocess.run(
        ["bash", "--norc", "-c", _TAB, "bash", str(code), "skald", *words],
        cwd=where, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "-F _shtab_skald skald" in done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tr"], ["train"]),
        (["plan", "p"], ["predict"]),
        (["corpus", "build", "recipes/mini-7"], ["recipes/mini-7.8b.yaml"]),
        (["corpus", "build", "--sta"], ["--stage"]),
        (["corpus", "build", "--stage", "qua"], ["quality"]),
        (["evaluate", "--suite", "c"], ["core"]),
        (["evaluate", "--languages", "d"], ["da", "de"]),
        (["launch", "--site", "j"], ["jwb"]),
        (["evaluate", "--models", "EuroLLM-1.7B-I"], ["EuroLLM-1.7B-Instruct"]),
        (["completion", "b"], ["bash"]),
    ],
)
def test_bash_offers_what_there_is(code: Path, words: list[str], expected: list[str]) -> None:
    assert tab(code, *words) == expected


def test_bash_offers_nothing_where_nothing_fits(code: Path, tmp_path: Path) -> None:
    assert tab(code, "zzz") == []
    assert tab(code, "evaluate", "--suite", "c", where=tmp_path) == []


def test_zsh_reads_its_code(tmp_path: Path) -> None:
    text = _code("zsh")
    assert "_skald_suites() {" in text and "compdef _shtab_skald" in text
    if shutil.which("zsh") is None:
        pytest.skip("no zsh here")
    (tmp_path / "_skald").write_text(text, encoding="utf-8")
    subprocess.run(["zsh", "-n", str(tmp_path / "_skald")], check=True)


def test_every_argument_that_is_a_path_is_completed() -> None:
    named = {"--out", "--corpus", "--recipe", "--resume", "--engine", "--items", "--plan"}
    found = {
        word
        for action in actions(build_parser())
        if (how := _how(action)) and how["zsh"] == "_files"
        for word in action.option_strings
    }
    assert named <= found
    assert not {"--seed", "--workers", "--suite", "--prompt"} & found
