"""One verb, interrupted as by Ctrl-C at moments of chance: what is then not as it should be.

It must end with one line and code 75 and leave nothing half-written or temporary, and the same command must
then make the same bytes. Each verb is the real command in a process group of its own.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skald_process.stopping import CONTINUE
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_DONE, EXIT_RESUMABLE
from skald_specs.files import sha256_file

#: A command ends in a fraction of that many times what it takes undisturbed, on however busy a machine.
_PATIENCE, _PATIENCE_SECONDS, _PATIENCE_UNDISTURBED_SECONDS = 5.0, 60.0, 900.0
#: Of one verb; a run that was done before the moment came does not count.
_MOST_TRIES = 8
#: What tells of one run alone: times, processes, and where it was stopped, which is where a checkpoint lies.
_OF_ONE_RUN = ("manifests", "metrics.jsonl", "origin.json", "checkpoints")
#: What of a report tells how long its stations took; its other tables hold every result.
TELLS_COST = ("index.html", "report.json", "cards", "cost.csv", "stations.csv")
_LOCK = ".lock"
#: What torch keeps in the system's folder, for the next process too.
_KEPT_BY_TORCH = "torchinductor_"
_COMMAND = "skald_cli.main"


class Verb(NamedTuple):
    """A command as one would type it in the world's folder.

    `n_moments`: how often it is interrupted, each time in another part of its run. `module`: what is run.
    `but`: names of files and folders that tell what this run alone took.
    """

    name: str
    words: str
    n_moments: int = 3
    module: str = _COMMAND
    but: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ended:
    """How a command ended, `seconds` after it began to listen; `temporary`: what it left in the system's folder."""

    code: int
    said: str
    seconds: float
    temporary: tuple[str, ...] = ()


def measured(verb: Verb, world: Path, folder: Path) -> Measure:
    """Interrupt a verb some times; the world grows by what its uninterrupted run wrote.

    Args:
        verb: The verb.
        world: What the verbs before it left.
        folder: Where its trials may lie.
    """
    rng, before = random.Random(verb.name), folder / "before"
    shutil.copytree(world, before, symlinks=True)
    whole = run(verb, world, patience_seconds=_PATIENCE_UNDISTURBED_SECONDS)
    # So small a coordinate check need not hold.
    sound = whole.code in (EXIT_DONE, EXIT_CLAIM_FAILED) and not whole.temporary
    wrong = [] if sound else [f"uninterrupted: {whole.code}, {whole.temporary}: {whole.said}"]
    shares, expected = list[float](), whole.seconds
    for number in range(0 if wrong else _MOST_TRIES):
        if len(shares) == verb.n_moments:
            break
        trial = folder / "trial"
        shutil.copytree(before, trial, symlinks=True)
        # What is done sooner than expected is met earlier next time.
        share = (len(shares) + rng.random()) / verb.n_moments * 0.95 ** (1 + number - len(shares))
        found = faults(verb, trial, world, whole, share * expected)
        if isinstance(found, float):
            # The undisturbed run had a slower machine.
            expected = min(expected, found)
        else:
            shares.append(share)
            wrong += [f"at {share:.2f}: {fault}" for fault in found]
        shutil.rmtree(trial)
    shutil.rmtree(before)
    if not wrong and len(shares) < verb.n_moments:
        wrong = [f"interrupted {len(shares)} times of {verb.n_moments}"]
    moments = ", ".join(f"{share:.2f}" for share in shares)
    return Measure(
        measure=f"faults after an interrupt, {verb.name}", value=len(wrong), unit="", bound="= 0",
        holds=not wrong,
        detail="; ".join(wrong)[:1000] or f"at {moments} of {whole.seconds:.1f} s",
    )  # fmt: skip


def faults(
    verb: Verb, trial: Path, world: Path, whole: Ended, after_seconds: float
) -> list[str] | float:
    """Interrupt a verb, run it again, and say what is not as it should be.

    Args:
        verb: The verb.
        trial: A copy of the world as the verb finds it.
        world: The world after an uninterrupted run.
        whole: How that ended.
        after_seconds: The moment.

    Returns:
        The faults; the seconds that the verb took where it was done before the moment came.
    """
    patience = max(_PATIENCE_SECONDS, _PATIENCE * whole.seconds)
    stopped = run(verb, trial, after_seconds, patience)
    if stopped.code == whole.code and CONTINUE not in stopped.said:
        return stopped.seconds
    return list(_faults(verb, trial, world, whole, stopped, patience))


def _faults(
    verb: Verb, trial: Path, world: Path, whole: Ended, stopped: Ended, patience: float
) -> Iterator[str]:
    lines = stopped.said.strip().splitlines()
    told = [line for line in lines if CONTINUE in line]
    if stopped.code != EXIT_RESUMABLE or len(told) != 1 or told != lines[-1:]:
        yield f"code {stopped.code}, last said {stopped.said[-300:]!r}"
    if "Traceback" in stopped.said:
        yield f"a traceback: {stopped.said[-600:]}"
    if left := [*sorted(_temporary(trial)), *stopped.temporary]:
        yield f"left behind: {', '.join(left[:3])}"
    again = run(verb, trial, patience_seconds=patience)
    if again.code != whole.code or again.temporary:
        yield f"again: code {again.code}, left {again.temporary}, said {again.said[-300:]!r}"
    elif differing := sorted(_contents(trial, verb.but) ^ _contents(world, verb.but)):
        yield f"other bytes: {', '.join(sorted({path for path, _ in differing})[:4])}"


def run(
    verb: Verb, folder: Path, after_seconds: float | None = None, patience_seconds: float = 900.0
) -> Ended:
    """Run a verb in a folder.

    Args:
        verb: The verb.
        folder: Where one would type it.
        after_seconds: When to press Ctrl-C, which its whole group gets, since it listens to signals:
            before, Python itself dies of one. None: never.
        patience_seconds: What then takes longer is killed.
    """
    words = [sys.executable, "-m", verb.module, *verb.words.split()]
    with tempfile.TemporaryDirectory(prefix="skald-") as scratch, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
            env={**os.environ, "TMPDIR": scratch},
        )  # fmt: skip
        _wait_until_it_listens(process)
        began = time.monotonic()
        try:
            if after_seconds is not None:
                try:
                    process.wait(after_seconds)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGINT)
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        seconds = time.monotonic() - began
        said.seek(0)
        names = sorted(path.name for path in Path(scratch).iterdir())
        left = tuple(name for name in names if not name.startswith(_KEPT_BY_TORCH))
        return Ended(process.returncode, said.read().decode(), seconds, left)


def _wait_until_it_listens(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process handles SIGUSR1, which Python does not: that is when ours are in force."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next(line for line in status.read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1:
            return
        time.sleep(0.001)


def _temporary(folder: Path) -> Iterator[str]:
    """Yield what our writers and tempfile name things that are not done; a lock stays."""
    for path in folder.rglob(".*"):
        if not path.name.endswith(_LOCK):
            yield str(path.relative_to(folder))


def _contents(folder: Path, but: Sequence[str]) -> set[tuple[str, str]]:
    """Return every file that follows from the inputs alone, with its hash."""
    apart = {*_OF_ONE_RUN, *but}
    return {
        (str(path.relative_to(folder)), sha256_file(path))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_LOCK)
        if apart.isdisjoint(path.relative_to(folder).parts)
    }
