"""Runs steps beside each other: a log for each, a stamp for what passed, and an end to all on Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from _everything_steps import Step, ordered, startable
from pydantic import ValidationError
from skald_specs.files import write_json
from skald_specs.models import Spec

#: Of what was planned for a step; after that it hangs.
MOST_TIMES, LEAST_LIMIT_MINUTES = 4.0, 10.0
#: Between looks at the children, and until those that were asked to end are killed.
LOOK_SECONDS, PATIENCE_SECONDS = 0.2, 30.0

#: What nox and the cut network say at the end of a log, and a row of a table of claims that is not good.
_OF_OTHERS = re.compile(r"nox > |network cut: ")
_BAD_ROW = re.compile(r"  (NO|not measured)  ")


class Outcome(Spec):
    """What came of a step. `commit` is empty where the tree had changes: then it is no stamp."""

    name: str
    command: tuple[str, ...]
    commit: str
    code: int
    minutes: float
    cpu_minutes: float
    said: str = ""


class Interrupted(Exception):  # noqa: N818 - an end, not an error
    """Ctrl-C or SIGTERM; every child has ended."""


class _Running(NamedTuple):
    step: Step
    process: subprocess.Popen[bytes]
    began: float


class Runner:
    """Runs commands of steps in as many lanes as there are cores.

    `say` gets the lines for the reader; `folder` holds `NAME.log` and `NAME.json` of each step.
    """

    def __init__(
        self,
        folder: Path,
        cores: int,
        commit: str,
        command_of: Callable[[Step], Sequence[str]],
        say: Callable[[str], None] = print,
    ) -> None:
        self._folder, self._cores, self._commit = folder, cores, commit
        self._command_of, self._say = command_of, say
        self._began = time.monotonic()
        self._running: list[_Running] = []
        self._interrupted = False

    def known(self, step: Step) -> Outcome | None:
        """Return what came of a step if it has passed at this commit, by the same command: options and the cut count."""
        path = self._folder / f"{step.name}.json"
        try:
            outcome = Outcome.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        same = (outcome.commit, outcome.command) == (self._commit, tuple(self._command_of(step)))
        return outcome if self._commit and same and outcome.code == 0 else None

    def run(self, steps: Sequence[Step], passed: set[str]) -> list[Outcome]:
        """Run steps; whatever fails, the others that do not need it go on.

        Args:
            steps: What to run.
            passed: Names of steps that need not run again.

        Returns:
            What came of each that began.

        Raises:
            Interrupted: By Ctrl-C or SIGTERM.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        waiting, outcomes = ordered(steps), list[Outcome]()
        before = {
            number: signal.signal(number, self._interrupt)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            while waiting or self._running:
                if self._interrupted:
                    raise Interrupted
                at_work = [one.step for one in self._running]
                step = startable(waiting, at_work, passed, self._cores)
                if step is not None:
                    waiting.remove(step)
                    self._start(step)
                elif not self._running:
                    break
                else:
                    time.sleep(LOOK_SECONDS)
                    outcomes += self._ended()
                    passed |= {one.name for one in outcomes if one.code == 0}
        finally:
            for number in before:
                signal.signal(number, signal.SIG_IGN)
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        return outcomes

    def _interrupt(self, number: int, frame: object) -> None:
        # Raised here, it could come between the start of a child and the note of it.
        self._interrupted = True

    def _tell(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._say(f"[{minutes:3d}:{seconds:02d}] {text}")

    def _start(self, step: Step) -> None:
        (self._folder / f"{step.name}.json").unlink(missing_ok=True)
        log = self._folder / f"{step.name}.log"
        with log.open("wb") as stream:
            # A session of its own, so that an end reaches all that it has started.
            process = subprocess.Popen(
                self._command_of(step), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
            )  # fmt: skip
        self._running.append(_Running(step, process, time.monotonic()))
        self._tell(f"begins  {step.name} ({step.minutes:g} min planned; {log})")

    def _ended(self) -> list[Outcome]:
        found = []
        for one in list(self._running):
            pid, status, usage = os.wait4(one.process.pid, os.WNOHANG)
            minutes = (time.monotonic() - one.began) / 60
            limit = max(LEAST_LIMIT_MINUTES, MOST_TIMES * one.step.minutes)
            if not pid:
                if minutes > limit:
                    _signal(one, signal.SIGKILL)
                continue
            self._running.remove(one)
            one.process.returncode = os.waitstatus_to_exitcode(status)
            cpu = (usage.ru_utime + usage.ru_stime) / 60
            found.append(self._outcome(one, minutes, cpu, limit))
        return found

    def _outcome(self, one: _Running, minutes: float, cpu: float, limit: float) -> Outcome:
        name, code = one.step.name, int(one.process.returncode)
        log = self._folder / f"{name}.log"
        said = f"killed after {limit:g} minutes" if minutes > limit else _why(log) if code else ""
        outcome = Outcome(
            name=name, command=tuple(self._command_of(one.step)), commit=self._commit, code=code,
            minutes=round(minutes, 3), cpu_minutes=round(cpu, 3), said=said,
        )  # fmt: skip
        write_json(self._folder / f"{name}.json", outcome.model_dump(mode="json"))
        came = "passed " if code == 0 else "FAILED "
        why = f": {said}" if said else ""
        self._tell(f"{came} {name} in {minutes:.1f} min, {cpu:.1f} of processors{why}")
        return outcome

    def _end_all(self) -> None:
        for one in self._running:
            _signal(one, signal.SIGINT)
        until = time.monotonic() + PATIENCE_SECONDS
        for one in self._running:
            while one.process.poll() is None and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
            # What its end has left behind, too.
            _signal(one, signal.SIGKILL)
            one.process.wait()


def _signal(one: _Running, number: int) -> None:
    try:
        os.killpg(one.process.pid, number)
    except ProcessLookupError:
        return


def _why(log: Path) -> str:
    """Return the line of a log that says most about a failure: a row that does not hold, or the last one."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    own = [line.strip() for line in lines if line.strip() and not _OF_OTHERS.match(line)]
    rows = [line for line in own if _BAD_ROW.search(line)]
    return " ".join((rows or own or [""])[0 if rows else -1].split())[:200]
