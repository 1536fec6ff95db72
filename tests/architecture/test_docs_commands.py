"""Every command in the documents is one that exists; README and CI agree."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from skald_cli.main import build_parser
from support import ROOT
from support_docs import commands

#: Commands of other programs that documents may show, each with the reason why no test runs it.
OTHERS = {
    "dvc": "acts on a remote or a data folder of the reader's",
    "torchrun": "needs the processes of a scheduler; tests start ranks themselves",
    "sbatch": "submits to a cluster; tests run the scripts against a played one",
    "apptainer": "not in the environment; a test runs the definition's install part",
    "pre-commit": "optional tool, not in the environment",
    "git": "the reader's own work",
    "nvidia-smi": "needs a GPU",
    "lm_eval": "a test of the harness compares its scores with ours",
}
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("evals/**/*.md")]
    if path.name != "CHANGELOG.md"
)


def nox_sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("nox.session" in ast.unparse(mark) for mark in node.decorator_list)
    }


def problem_of(words: list[str]) -> str:
    """Say what is wrong with a command; nothing when it is sound."""
    program = Path(words[0]).name
    if program == "skald":
        try:
            build_parser().parse_args(words[1:])
        except SystemExit:
            return "the parser refuses it"
    elif program == "nox":
        asked = {words[i + 1] for i, word in enumerate(words[:-1]) if word == "-s"}
        return "" if asked and asked <= nox_sessions() else f"no session {asked - nox_sessions()}"
    elif program in ("python", "python3"):
        known = (["-m", "venv"], ["-m", "pip"], ["-m", "skald_cli.schemas"])
        return "" if words[1:3] in known else "an unknown use of python"
    elif program not in OTHERS:
        return "an unknown program"
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_exists(document: Path) -> None:
    for words in commands(document):
        assert problem_of(words) == "", f"{document.name}: {shlex.join(words)}"


def test_wrong_commands_are_noticed() -> None:
    assert problem_of(["skald", "train", "plan.yaml", "--base-lr", "1"])
    assert problem_of(["skald", "trian", "plan.yaml"])
    assert problem_of([".venv/bin/nox", "-s", "cylce"])
    assert problem_of(["curl", "https://example.org"])
    assert not problem_of(["skald", "train", "plan.yaml"])


def test_the_two_commands_stand_in_the_readme_and_ci_runs_the_second() -> None:
    start = "python3 -m venv .venv && .venv/bin/python -m pip install nox && .venv/bin/nox -s"
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert f"{start} cycle" in readme and f"{start} tests" in readme
    assert f"{start} tests" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def unnamed_sessions(page: str) -> set[str]:
    """Return the sessions that have no row in a page's table of them."""
    rows = (line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    named = {word.split()[0] for row in rows for word in re.findall(r"`([^`]+)`", row)}
    return nox_sessions() - named


def test_every_session_is_named_for_contributors() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert unnamed_sessions(page) == set()
    assert unnamed_sessions(page.replace("| `wheelhouse` |", "| |")) == {"wheelhouse"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_lines_lead_to_what_they_name(document: Path) -> None:
    links = re.findall(r"\[`(\w+)[^`]*`\]\(([^)#]+)#L(\d+)\)", document.read_text(encoding="utf-8"))
    for name, target, number in links:
        lines = (document.parent / target).read_text(encoding="utf-8").splitlines()
        assert re.search(rf"\b{name}\b", lines[int(number) - 1]), f"{name}: {target}#L{number}"
