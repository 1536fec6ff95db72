"""Measure how many small changes of the code the tests notice: `nox -s mutants -- GROUP`; no name: all.

Results go to build/mutants/GROUP.json; what is known from the last time is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tomllib
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

from mutants.children import in_child
from mutants.making import Mutant, mutants_of
from mutants.running import Verdict, run_batch
from mutants.testing import Survey

ROOT = Path(__file__).resolve().parents[2]
#: Share of mutants that a group's tests are to kill.
BOUND = 0.85
Row = dict[str, Any]


def expanded(patterns: list[str]) -> list[str]:
    """Return the files that patterns name, from the repository's root."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "__init__.py")


def drawn(mutants: list[Mutant], share: float, salt: str) -> list[Mutant]:
    """Return a share of the mutants, the same every time for a salt."""

    def place(mutant: Mutant) -> float:
        return int(hashlib.sha256(f"{salt}{mutant.id}".encode()).hexdigest()[:12], 16) / 16**12

    return [mutant for mutant in mutants if place(mutant) < share]


@cache
def _digest(path: str) -> str:
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()[:12]


def _state(mutant: Mutant, by: str, known: Survey, files: list[str]) -> list[str]:
    """Return what a verdict rests on: the module, and the test that killed or all that did not."""
    if by in known.tests:
        return [_digest(mutant.module), known.tests[by].source]
    return [_digest(mutant.module), *(_digest(file) for file in files)]


def run_group(name: str, batches: list[dict[str, list[str]]], share: float, salt: str) -> list[Row]:
    """Run a group's mutants, but for those whose verdict of the last time still stands.

    Returns:
        A row for each mutant of the draw.
    """
    folder = ROOT / "build" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / f"{name}.jsonl"
    last = {row["id"]: row for row in map(json.loads, _lines(journal))}
    asked: dict[str, Mutant] = {}
    for i, batch in enumerate(batches):
        modules, files = expanded(batch["modules"]), expanded(batch["tests"])
        every = [mutant for module in modules for mutant in mutants_of(ROOT, module)]
        here = drawn(every, share, salt)
        asked |= {mutant.id: mutant for mutant in here}
        chosen, tell = partial(_open, here, last, files), partial(_tell, journal, files)
        cache = folder / f"{name}-{i}.tests"
        in_child(partial(run_batch, ROOT, files, modules, cache, chosen, tell), 7200.0)
    rows = {row["id"]: row for row in map(json.loads, _lines(journal))}
    found = [rows[one] for one in asked if one in rows]
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def _open(
    here: list[Mutant], last: dict[str, Row], files: list[str], known: Survey
) -> list[Mutant]:
    """Return the mutants without a verdict that still stands."""
    for test, seconds in known.left_out.items():
        print(f"left out ({seconds} s): {test}", file=sys.stderr)
    return [
        one
        for one in here
        if one.id not in last
        or last[one.id]["state"] != _state(one, last[one.id]["by"], known, files)
    ]


def _tell(journal: Path, files: list[str], mutant: Mutant, found: Verdict, known: Survey) -> None:
    row = {**_facts(mutant), **found._asdict(), "state": _state(mutant, found.by, known, files)}
    with journal.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.is_file() else []


def _facts(mutant: Mutant) -> Row:
    names = ("id", "module", "place", "old", "new", "text")
    return {**{name: getattr(mutant, name) for name in names}, "line": mutant.lines[0]}


def score(rows: list[Row]) -> tuple[int, float, float]:
    """Return how many mutants were killed or ran out of time, their share, and half its interval."""
    killed = sum(row["how"] in ("killed", "timed out") for row in rows)
    share = killed / max(len(rows), 1)
    return killed, share, 1.96 * math.sqrt(share * (1 - share) / max(len(rows), 1))


def main() -> int:
    """Run the groups asked for; exit 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    groups = tomllib.loads((Path(__file__).parent / "groups.toml").read_text("utf-8"))
    parser.add_argument("groups", nargs="*", choices=[*groups, []], metavar="GROUP")
    parser.add_argument("--share", type=float, default=1.0, help="share of the mutants to draw")
    parser.add_argument("--salt", default="", help="another draw for another word")
    asked = parser.parse_args()
    short = False
    for name in asked.groups or groups:
        rows = run_group(name, groups[name], asked.share, asked.salt)
        behaviour = [row for row in rows if not row["text"]]
        killed, share, half = score(behaviour)
        cpu_s = sum(row["cpu_s"] for row in rows)
        words = score([row for row in rows if row["text"]])
        print(
            f"{name}: {killed} of {len(behaviour)} killed, {share:.1%} +- {half:.1%}; of words of errors "
            f"{words[0]} of {len(rows) - len(behaviour)}; {cpu_s:.0f} CPU seconds"
        )
        for module in sorted({row["module"] for row in behaviour}):
            hows = Counter(row["how"] for row in behaviour if row["module"] == module)
            print(f"  {module}: {dict(hows)}")
        short = short or share < BOUND
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
