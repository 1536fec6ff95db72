"""SIGKILL at random moments, and inside the writing of checkpoints: the run continues as if nothing were."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from _faults_lives import (
    N_STEPS,
    Commanded,
    Forked,
    Life,
    ended,
    half_written,
    last_step,
    made_plan,
    newest_whole,
    reached,
    result,
    said,
    waited,
)
from skald_specs.claims import Measure
from skald_trainer.folder import RunFolder

KILLS, INSIDE, KILLS_OF_A_RUN = 50, 10, 5
#: Of those, kills of the real command's process group: as many at dp = 1, and at dp = 2.
KILLS_OF_COMMANDS = 2
_STARTS_IN_SECONDS = 0.6


class Killed(NamedTuple):
    """One kill: the way its process was started, when it came, and what the restart did."""

    way: str
    moment: str
    steps_lost: int
    from_newest: bool


def measures(folder: Path, corpus: Path) -> list[Measure]:
    """Kill, restart and compare."""
    rng = random.Random("faults")
    kills: list[Killed] = []
    differing: list[str] = []

    def tried(name: str, start: Callable[[Path, Path], Life], n_kills: int, wanted: str) -> None:
        reference = folder / f"{wanted}-reference"
        if not (RunFolder(reference).final).is_dir():
            assert ended(start(reference, folder / f"{wanted}.log")) == 0, "the undisturbed run"
        way = name.rpartition("-")[0] if name.startswith("forked") else name
        kills.extend(_killed_run(rng, way, start, folder / name, n_kills, _inside(kills)))
        if result(folder / name) != result(reference):
            differing.append(name)

    plan, number = made_plan(corpus), 0

    def fork(out: Path, log: Path) -> Life:
        return Forked(plan, corpus, out, log)

    assert ended(fork(folder / "forked-reference", folder / "forked.log")) == 0
    for dp in (1, 2):

        def command(out: Path, log: Path, dp: int = dp) -> Life:
            # The command's run folder has the plan's name.
            named = made_plan(corpus, out.name, dp=dp)
            return Commanded(named, corpus, out, log)

        # A fork and the command give the same bits; two ranks round otherwise.
        reference = "forked" if dp == 1 else "command-dp2"
        tried(f"command-dp{dp}", command, KILLS_OF_COMMANDS, reference)
    while (len(kills) < KILLS or _inside(kills) < INSIDE) and number < 4 * KILLS // KILLS_OF_A_RUN:
        left = max(KILLS - len(kills), INSIDE - _inside(kills))
        tried(f"forked-{number}", fork, min(KILLS_OF_A_RUN, left), "forked")
        number += 1
    ways, moments = (Counter(kill[i] for kill in kills) for i in (0, 1))
    lost = [kill.steps_lost for kill in kills]
    told = ", ".join(f"{count} {way}" for way, count in sorted(ways.items()))
    when = ", ".join(f"{count} {moment}" for moment, count in sorted(moments.items()))
    wrong = sum(not kill.from_newest for kill in kills)
    return [
        Measure(
            measure="SIGKILLs", value=len(kills), unit="", bound=f">= {KILLS}",
            holds=len(kills) >= KILLS, detail=f"{told}; {when}",
        ),
        Measure(
            measure="of those inside the writing of a checkpoint", value=_inside(kills), unit="",
            bound=f">= {INSIDE}", holds=_inside(kills) >= INSIDE,
            detail="its temporary folder was left behind",
        ),
        Measure(
            measure="restarts that did not continue from the newest whole checkpoint", value=wrong,
            unit="", bound="= 0", holds=wrong == 0,
            detail=f"at most {max(lost)} steps were made again, of {N_STEPS}",
        ),
        Measure(
            measure="runs whose weights, moments or curve differ from an undisturbed run's",
            value=len(differing), unit="", bound="= 0", holds=not differing,
            detail=f"{number + 2} runs; {', '.join(differing) or 'bit-identical'}",
        ),
    ]  # fmt: skip


def _inside(kills: list[Killed]) -> int:
    return sum(kill.moment == "while saving" for kill in kills)


def _killed_run(
    rng: random.Random,
    way: str,
    start: Callable[[Path, Path], Life],
    out: Path,
    n_kills: int,
    n_inside: int,
) -> list[Killed]:
    """Start a run, kill it as often as asked, and let it end."""
    kills: list[Killed] = []
    before, moment = 0, ""
    while True:
        # The kill before is judged by what this start does.
        expected = newest_whole(out)
        log = out.parent / f"{out.name}.log"
        life = start(out, log)
        if len(kills) + bool(moment) < n_kills:
            aim = rng.choice(["starting", "at work", "at work", "saving", "saving"])
            if n_inside + len(kills) < INSIDE and rng.random() < 0.3:
                aim = "saving"
            alive = _aimed(rng, life, out, aim)
            now = last_step(out)
            life.send(signal.SIGKILL)
        else:
            alive, now = False, 0
        code = ended(life)
        if way.startswith("command"):
            # Its ranks die with it, but one that is inside a rename ends that first.
            time.sleep(0.5)
        if moment:
            found = expected is None or _said_nothing_else(said(log), expected.name)
            at = int(expected.name[5:]) if expected else 0
            if not found:
                print(f"{out}: newest {expected}, but it said: {said(log)}", flush=True)
            kills.append(Killed(way, moment, max(0, before - at), found))
            moment = ""
        if not alive or code != -signal.SIGKILL:
            if code != 0:
                raise RuntimeError(f"{out}: ended with {code}: {said(log)}")
            return kills
        before, moment = now, "while saving" if half_written(out) else "at work or starting"


def _said_nothing_else(words: str, newest: str) -> bool:
    """Whether a start continued from a checkpoint, or was killed before it said from which."""
    return "continuing" not in words or f"continuing from {newest}" in words


def _aimed(rng: random.Random, life: Life, out: Path, aim: str) -> bool:
    """Wait for the moment of a kill; return whether the process still lives."""
    if aim == "starting":
        time.sleep(rng.uniform(0, _STARTS_IN_SECONDS))
        return life.code() is None
    here = last_step(out)
    if not reached(life, out, here + rng.randint(1, N_STEPS // KILLS_OF_A_RUN)):
        return False
    if aim == "saving":
        waited(lambda: half_written(out) or life.code() is not None)
    time.sleep(rng.uniform(0, 0.003 if aim == "saving" else 0.03))
    return life.code() is None
