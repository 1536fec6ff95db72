"""Habits of the house that no linter checks."""

import ast
import os
import re
import tomllib
from pathlib import Path

import skald_specs
from support import ROOT

SOURCES = sorted(ROOT.glob("packages/*/src/**/*.py"))
PROJECTS = sorted(ROOT.glob("packages/*/pyproject.toml"))


def test_all_packages_carry_one_version() -> None:
    projects = [tomllib.loads(path.read_text(encoding="utf-8"))["project"] for path in PROJECTS]
    assert len(projects) == 9
    assert {project["version"] for project in projects} == {skald_specs.__version__}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skald_specs.__version__}\n" in citation
    assert all((path.parent / "src" / path.parent.name).parent.is_dir() for path in PROJECTS)
    assert all(list(path.parent.glob("src/*/py.typed")) for path in PROJECTS)


def test_every_module_is_one_room_with_a_docstring() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, f"{path}: split it"
        assert ast.get_docstring(ast.parse(text)), f"{path}: say what it knows"


def test_there_are_no_loose_ends() -> None:
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{path}:{number}"
            assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", line), where


def test_pins_are_complete_and_plain() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line) for line in lines)
    assert {"torch==2.13.0", "nanotron==0.4", "lm_eval==0.4.13"} <= set(lines)


def test_ci_runs_and_legal_files_are_there() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for name in ("LICENSE", "NOTICE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"):
        assert (ROOT / name).stat().st_size > 200, name
    assert "Unicode" in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_sessions_are_short() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno
            assert length <= 14, f"{node.name}: move the logic into a package"


def test_folders_of_the_house_exist() -> None:
    for folder in ("recipes", "evals/core", "reports", "docs/decisions", "docs/schemas"):
        assert (ROOT / Path(folder)).is_dir(), folder
