"""The import contracts hold, and notice what they forbid."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def check(cwd: Path, source: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(folder) for folder in sorted(source.glob("*/src")))
    return subprocess.run(
        [str(LINT), "--no-logo", "--no-cache", "--config", str(ROOT / ".importlinter")],
        cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_contracts_hold() -> None:
    done = check(ROOT, ROOT / "packages")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("skald_trainer/loader.py", "import nanotron", "nanotron comes in"),
        ("skald_harness/store/records.py", "import lm_eval", "lm_eval comes in"),
        ("skald_corpus/build.py", "import datatrove", "datatrove comes in"),
        ("skald_report/statistics/means.py", "import seaborn", "seaborn and matplotlib"),
        ("skald_planner/fitting/joint.py", "import torch", "torch-free part"),
        (
            "skald_planner/plans/schedule.py",
            "import skald_planner.fitting.joint",
            "rooms of the planner",
        ),
        ("skald_mup/rules.py", "import torch", "torch-free part"),
        ("skald_specs/units_planted.py", "import skald_mup.rules", "specs imports nothing"),
        ("skald_specs/files.py", "import skald_process.locks", "specs imports nothing"),
        ("skald_process/locks.py", "import skald_mup.rules", "process imports specs alone"),
        ("skald_specs/errors.py", "import skald_specs.files", "no cycles"),
        ("skald_trainer/loader.py", "import skald_cli.main", "trainer and harness import"),
    ],
)
def test_a_planted_import_is_noticed(tmp_path: Path, module: str, line: str, broken: str) -> None:
    packages = tmp_path / "packages"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "packages", packages, ignore=ignore)
    package, file = module.split("/", 1)
    target = next(packages.glob(f"*/src/{package}")) / file
    old = target.read_text(encoding="utf-8") if target.is_file() else ""
    target.write_text(f"{old}\n{line}\n", encoding="utf-8")
    done = check(tmp_path, packages)
    assert done.returncode != 0
    assert any(broken in row and "BROKEN" in row for row in done.stdout.splitlines()), done.stdout


def test_specs_process_and_planner_load_no_engine() -> None:
    code = (
        "import sys, pkgutil, importlib, skald_specs, skald_process, skald_planner\n"
        "for package in (skald_specs, skald_process, skald_planner):\n"
        "    for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(found.name)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "skald_planner" in loaded
    assert not loaded & {"torch", "nanotron", "lm_eval", "transformers", "seaborn", "matplotlib"}
