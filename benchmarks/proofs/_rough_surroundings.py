"""Surroundings that nobody tests on: odd paths and locales, no terminal, a wrong clock, tight limits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from _rough_chain import Machine, Told, commands, differing, half_written, lay_out, results
from skald_specs.claims import Measure

_ODD = "mín kód ø"
#: A descriptor more than the trainer needs on a quiet machine; the usual limit is 1024.
_FILES = 64
_CLOCK = '''"""Loaded before anything else: this machine's clock is wrong by `ROUGH_SHIFT_S` seconds."""

import os
import time

_shift = float(os.environ["ROUGH_SHIFT_S"])
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _shift
time.time_ns = lambda: _time_ns() + int(_shift * 1e9)
'''
#: To 1970 and back, to 2096: the clock jumps between any two stations.
_SHIFTS_S = (-1.75e9, 2.2e9, -1.75e9, 2.2e9, -1.0e9, 9.0e8)
_LONG_AGO_S, _FAR_AHEAD_S = 0.0, 4.0e9


def measures(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    """Run every station there, and compare what they come to with `wanted`."""
    return [*_odd(folder / _ODD, wanted), *_closed(folder / "closed", wanted),
            *_clock(folder / "clock", wanted)]  # fmt: skip


def judged(
    what: str, told: list[Told], out: Path, wanted: Mapping[str, str], detail: str
) -> list[Measure]:
    """Return what a chain must keep to: no failure, no traceback, no half-written file, the same bytes."""
    failed = [
        f"{one.words[0]}: {one.code}, {one.line}" for one in told if one.code or one.has_traceback
    ]
    other = differing(wanted, results(out, str(out)))
    rows = (
        ("commands that failed", failed),
        ("files half-written or with other bytes", [*half_written(out), *other]),
    )
    return [
        Measure(
            measure=f"{what}: {name}", value=len(found), unit="", bound="= 0", holds=not found,
            detail="; ".join(found[:5]) or f"of {n}; {detail}",
        )
        for (name, found), n in zip(rows, (len(told), len(wanted)), strict=True)
    ]  # fmt: skip


def _odd(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    lay_out(folder)
    (scratch := folder / "tímabundið hér").mkdir()
    variables = {
        "LC_ALL": "xx_YY", "LANG": None, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii", "HOME": None, "TMPDIR": str(scratch),
    }  # fmt: skip
    limit = ("prlimit", f"--nofile={_FILES}", "--") if shutil.which("prlimit") else ()
    machine = Machine(variables, limit, umask=0o077)
    told = [machine.run(folder, *words) for words in commands().values()]
    shared = [str(path) for path in (folder / "out").rglob("*") if path.stat().st_mode & 0o077]
    private = Measure(
        measure="umask 077: files that others may read", value=len(shared), unit="", bound="= 0",
        holds=not shared, detail="; ".join(shared[:5]) or "in all that the stations wrote",
    )  # fmt: skip
    return [private, *judged(
        "odd path, missing locale, no HOME, umask 077", told, folder / "out", wanted,
        f"in {_ODD!r}, ASCII streams, no terminal, {_FILES if limit else 'all'} open files",
    )]  # fmt: skip


def _closed(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    lay_out(folder)
    machine = Machine({"HOME": "/nonexistent"}, closed=True)
    told = [machine.run(folder, *words) for words in commands().values()]
    return judged(
        "closed standard output, unwritable HOME", told, folder / "out", wanted, "by `>&-`"
    )


def _clock(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    lay_out(folder)
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(_CLOCK, encoding="utf-8")
    told = []
    for words, shift in zip(commands().values(), _SHIFTS_S, strict=True):
        for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
            os.utime(path, 2 * ((_LONG_AGO_S, _FAR_AHEAD_S)[number % 2],))
        paths = os.pathsep.join((str(folder / "site"), os.environ.get("PYTHONPATH", "")))
        variables = {"PYTHONPATH": paths, "ROUGH_SHIFT_S": str(shift)}
        told.append(Machine(variables).run(folder, *words))
    return judged(
        "wrong clock, files of 1970 and 2096", told, folder / "out", wanted,
        "Python's clock jumps between stations",
    )  # fmt: skip
