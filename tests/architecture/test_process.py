"""Nothing in skald_process can reach a result, so no stage of DVC depends on it.

It knows no format that stations pass on, makes none of its own, and what tells of time, machine or
commit is for those who record a run, not for a station.
"""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator

import pytest
import skald_process
import yaml
from pydantic import BaseModel
from skald_trainer.origin import _CODE
from support import ROOT

SOURCES = sorted(ROOT.glob("packages/process/src/skald_process/*.py"))
#: Errors, files, and the records that are outside every result.
SPECS = {
    f"skald_specs.{name}" for name in ("circumstances", "claims", "errors", "files", "manifest")
}
#: What a station may take; the rest measures the process.
FOR_STATIONS = {
    f"skald_process.{name}" for name in ("hosts", "locks", "progress", "screens", "stopping")
}
STATIONS = ("corpus", "mup", "planner", "trainer", "harness", "report")


def imported(text: str) -> Iterator[str]:
    """Yield the modules that a text imports, inside functions too; names from a package as modules."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in ("skald_process", "skald_specs"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def strange(text: str) -> list[str]:
    """Return the imports that a module of skald_process may not have."""
    return [
        name
        for name in imported(text)
        if name not in SPECS and name.partition(".")[0] not in ("skald_process", *sys.stdlib_module_names)
    ]  # fmt: skip


def measuring(text: str) -> list[str]:
    """Return the imports from skald_process that a station may not have."""
    return [
        name
        for name in imported(text)
        if name.startswith("skald_process") and name not in FOR_STATIONS
    ]


def test_it_reads_nothing_that_stations_pass_on() -> None:
    assert SOURCES
    assert {path.name: strange(path.read_text(encoding="utf-8")) for path in SOURCES} == {
        path.name: [] for path in SOURCES
    }


@pytest.mark.parametrize(
    "line",
    ["from skald_specs.plan import Plan", "from skald_specs import recipe", "import torch", "import numpy as np"],
)  # fmt: skip
def test_an_import_that_could_reach_a_result_is_seen(line: str) -> None:
    assert strange(f"def late():\n    {line}\n")


def test_it_makes_no_format() -> None:
    for found in pkgutil.iter_modules(skald_process.__path__, "skald_process."):
        module = importlib.import_module(found.name)
        own = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and v.__module__ == module.__name__
        ]
        assert not [one for one in own if issubclass(one, BaseModel)], found.name


def test_a_station_takes_nothing_that_differs_from_run_to_run() -> None:
    for station in STATIONS:
        for path in (ROOT / "packages" / station / "src").rglob("*.py"):
            assert not measuring(path.read_text(encoding="utf-8")), path
    assert measuring("from skald_process.circumstances import git_state")
    assert measuring("from skald_process import recording") and measuring("import skald_process")
    assert not measuring("from skald_process import hosts")


def test_neither_a_stage_nor_a_run_folder_is_stale_when_it_changes() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert not [dep for stage in stages.values() for dep in stage["deps"] if "process" in dep]
    compiled = (ROOT / "packages/cli/src/skald_cli/pipelining.py").read_text(encoding="utf-8")
    assert "packages/specs/src" in compiled and "packages/process" not in compiled
    assert "skald_process" not in _CODE
