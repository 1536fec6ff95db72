"""The same command twice at once: the second waits, or ends in one line, and nothing gets mixed.

The first is frozen while it holds what both want, so that they meet on any machine.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml
from _rough_chain import (
    NAME,
    Machine,
    Told,
    commands,
    differing,
    ended,
    half_written,
    lay_out,
    results,
)
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_RESUMABLE

_PATIENCE_SECONDS = 120.0


def measures(folder: Path, wanted: Mapping[str, str]) -> list[Measure]:
    """Let two commands meet, station by station."""
    lay_out(folder)
    machine, told = Machine(), list[str]()
    builds = [machine.start(folder, *commands()["corpus"]) for _ in range(2)]
    ends = [ended(process, ["corpus"]) for process in builds]
    wrong = [f"corpus: {end.code} {end.line}" for end in ends if end.code and not end.is_one_line]
    wrong += [] if 0 in [end.code for end in ends] else ["corpus: neither ended well"]
    machine.run(folder, *commands()["plan"])
    lock = folder / "out" / "runs" / NAME / "origin.json"
    wrong += _met(machine, folder, commands()["train"], lock.exists, told)
    machine.run(folder, *commands()["export"])
    store = folder / "out" / "eval-store"
    wrong += _met(
        machine, folder, commands()["evaluate"], lambda: any(store.glob("*/run.lock")), told
    )
    machine.run(folder, *commands()["report"])
    wrong += [*half_written(folder / "out"), *differing(wanted, results(folder / "out"))]
    row = Measure(
        measure="two trainings, evaluations, corpora at once: wrong ends and files", value=len(wrong),
        unit="", bound="= 0", holds=not wrong, detail="; ".join(wrong[:5]) or "; ".join(told),
    )  # fmt: skip
    return [row, _cycles(folder / "cycle", wanted)]


def _frozen(
    machine: Machine, folder: Path, words: Sequence[str], holds: Callable[[], bool], module: str
) -> tuple[Told, Told]:
    """Freeze a command while it holds something, run it again beside it, and let it go on."""
    first = machine.start(folder, *words, module=module)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        second = machine.run(folder, *words, module=module)
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    return ended(first, words), second


def _met(
    machine: Machine, folder: Path, words: Sequence[str], holds: Callable[[], bool], told: list[str]
) -> list[str]:
    done, second = _frozen(machine, folder, words, holds, "skald_cli.main")
    told.append(f"{words[0]}: {second.line}")
    wrong = [] if second.code == EXIT_RESUMABLE and second.is_one_line else [_end(second)]
    return wrong + ([_end(done)] if done.code else [])


def _end(told: Told) -> str:
    return f"{told.words[0]}: {told.code} {told.err.strip()[-200:]}"


def _cycles(folder: Path, wanted: Mapping[str, str]) -> Measure:
    """Two pipelines in one checkout: DVC's own lock refuses the second, and a third finds all done."""
    lay_out(folder)
    stages = {
        name: {
            "cmd": shlex.join([sys.executable, "-m", "skald_cli.main", *commands()[name]]),
            "deps": [*needs],
            "outs": [f"out/{out}"],
        }
        for name, (out, needs) in _STAGES.items()
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    machine, running = Machine(), folder / "out" / "runs" / NAME / "origin.json"
    made = machine.run(folder, "init", "--no-scm", module="dvc")
    first, second = _frozen(machine, folder, ["repro"], running.exists, "dvc")
    third = machine.run(folder, "repro", module="dvc")
    wrong = [_end(one) for one in (made, first, third) if one.code]
    wrong += (
        []
        if second.code and "is busy" in second.err and not second.has_traceback
        else [_end(second)]
    )
    wrong += [] if "up to date" in third.out else ["not all was done"]
    mine = {
        name: digest
        for name, digest in wanted.items()
        if name.startswith(("corpus/", "plan/", "runs/"))
    }
    wrong += differing(mine, results(folder / "out"))
    return Measure(
        measure="two cycles in one checkout at once: wrong ends and files", value=len(wrong), unit="",
        bound="= 0", holds=not wrong,
        detail="; ".join(wrong[:5]) or f"the second: {second.err.strip().splitlines()[0]}",
    )  # fmt: skip


#: A pipeline of the slowest stations before evaluation: what each writes, and what it reads.
_STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "corpus": ("corpus", ("recipe.yaml", "text")),
    "plan": ("plan", ("out/corpus",)),
    "train": ("runs", ("out/plan",)),
}
