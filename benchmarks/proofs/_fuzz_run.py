"""Running one reader on very many inputs: children one after the other, and a state that a later run goes on from."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from _fuzz_child import Child
from _fuzz_mutate import drawn_values
from _fuzz_target import Finding, Outcome, Target

#: Seconds of processor time that one input may take, and what it may wait beside.
LIMIT_S, WAIT_LIMIT_S = 2.0, 60.0
#: Inputs that one child takes, of each half.
CHUNK = 10_000
#: Different findings of one target after which it is given up.
MAX_FINDINGS = 40


def run_target(
    target: Target,
    inputs: int,
    state: Path | None = None,
    limit_s: float = LIMIT_S,
    wait_limit_s: float = WAIT_LIMIT_S,
    cover: bool = True,
) -> Outcome:
    """Give a target so many inputs in children, or what is left of them.

    Args:
        target: The reader.
        inputs: How many inputs it is to have had at the end.
        state: File of its outcome, from which a run that was interrupted goes on, unless the code
            that is loaded for the target has changed; None: begin anew and keep nothing.
        limit_s: Seconds of processor time that one input may take.
        wait_limit_s: Seconds on the clock that one input may take.
        cover: Whether every second input is guided by coverage, where atheris is installed.

    Returns:
        What was found.
    """
    drawn_values()  # here, so that no child has to draw them
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_memory_folder()))
    try:
        done = _read_state(state) or Outcome(target.name, "")
        if state is not None:
            # Only a child knows what code the target loads; the first one is given no inputs.
            probe = Child(target, folder, done, 0, (limit_s, wait_limit_s), cover).run()
            if probe.code != done.code:
                done = Outcome(target.name, probe.code)
        while (left := min(inputs - done.inputs, 2 * CHUNK)) > 0:
            if len(done.findings) >= MAX_FINDINGS:
                break
            done = _sum(
                done, Child(target, folder, done, left, (limit_s, wait_limit_s), cover).run()
            )
            if state is not None:
                state.parent.mkdir(parents=True, exist_ok=True)
                state.write_text(json.dumps(asdict(done), indent=1), encoding="utf-8")
        return done
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _read_state(state: Path | None) -> Outcome | None:
    if state is None or not state.is_file():
        return None
    value: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    found = tuple(Finding(**one) for one in value.pop("findings"))
    return Outcome(**value, findings=found)


def _sum(first: Outcome, second: Outcome) -> Outcome:
    known = {(one.kind, one.where) for one in first.findings}
    new = tuple(one for one in second.findings if (one.kind, one.where) not in known)
    return replace(
        first,
        inputs=first.inputs + second.inputs,
        harms=first.harms + second.harms,
        covered=first.covered + second.covered,
        returned=first.returned + second.returned,
        refused=first.refused + second.refused,
        cpu_s=first.cpu_s + second.cpu_s,
        slowest_s=max(first.slowest_s, second.slowest_s),
        findings=first.findings + new,
    )


def report_lines(outcome: Outcome) -> Iterator[str]:
    """Say what a target's findings are, a line each."""
    for one in outcome.findings:
        yield f"  {one.kind} {one.where}: {one.problem}"
