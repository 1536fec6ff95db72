"""The mutation runner: what it changes, and that it tells a tested line from an untested one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

pytest.importorskip("mutmut", reason="the group `mutants` is not installed")
sys.path.append(str(ROOT / "benchmarks"))

from mutants.making import mutants_of

MODULE = '''"""A module."""

from functools import lru_cache
from typing import Literal

Kind = Literal["a", "b"]
LIMIT = 3


@lru_cache
def doubled(number: int) -> int:
    """Double."""
    return number * 2


def untested(number: int) -> int:
    return number - 1


def checked(number: int) -> int:
    if number > LIMIT:
        raise ValueError("too many")
    return doubled(number)
'''
TEST = """
from toy_module import checked, doubled


def test_checked():
    assert [checked(i) for i in (0, 2, 3)] == [0, 4, 6]
    try:
        checked(4)
    except ValueError:
        return
    raise AssertionError
"""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "toy_module.py").write_text(MODULE)
    (tmp_path / "test_toy.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npythonpath = src\nmarkers =\n  slow\n  parallel\n  real_text\n"
    )
    return tmp_path


def test_operators_apply_where_a_change_could_show(toy: Path) -> None:
    found = list(mutants_of(toy, "src/toy_module.py"))
    changes = {(one.place, one.old, one.new) for one in found}
    assert ("doubled", "number * 2", "number / 2") in changes, "decorated functions too"
    assert ("", "3", "4") in changes, "and constants"
    assert not any('"a"' in one.old for one in found), "types alone are left"
    words = [one for one in found if one.text]
    assert words and all("too many" in one.old for one in words)
    assert len({one.id for one in found}) == len(found)
    # An import is no place for a change, and what is left compiles.
    assert all(one.lines[0] > 5 and one.source() for one in found)


#: In a process of its own: collecting tests inside a test would meet this one's capture.
SCRIPT = """
from pathlib import Path
from mutants.children import in_child
from mutants.making import mutants_of
from mutants.running import run_batch

root = Path.cwd()
every = [one for one in mutants_of(root, "src/toy_module.py") if not one.text]

def tell(mutant, found, known):
    with open("verdicts", "a") as out:
        out.write(f"{mutant.place}|{mutant.old}|{mutant.new}|{found.how}\\n")

run_batch(root, ["test_toy.py"], ["src/toy_module.py"], root / "cache", lambda known: every, tell)
"""


def test_a_tested_line_kills_and_an_untested_one_does_not(toy: Path) -> None:
    path = os.pathsep.join([str(ROOT / "benchmarks"), str(toy / "src"), *sys.path])
    command = [sys.executable, "-c", SCRIPT]
    subprocess.run(command, check=True, cwd=toy, env={**os.environ, "PYTHONPATH": path})
    journal = toy / "verdicts"
    verdicts = set(journal.read_text().splitlines())
    assert verdicts >= {
        "|3|4|killed",
        "doubled|number * 2|number / 2|killed",
        "checked|> LIMIT|>= LIMIT|killed",
        "untested|number - 1|number + 1|not covered",
    }
    assert "|LIMIT = 3|LIMIT = None|killed" in verdicts
    assert len(verdicts) == len({tuple(line.split("|")[:3]) for line in verdicts})
