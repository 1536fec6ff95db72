"""Ends that a run is told of, or that befall one of its ranks: one line, the right code, and soon."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from threading import Thread

from _faults_lives import (
    N_STEPS,
    Commanded,
    Forked,
    Life,
    ended,
    last_step,
    made_plan,
    newest_whole,
    reached,
    result,
)
from _faults_plants import Loss, train_and_lose
from skald_process.stopping import CONTINUE, STOP_SIGNALS
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_RESUMABLE, SkaldError
from skald_trainer.launch import run_ranks

_MOST_SECONDS = 30.0
#: Enough that no run of a lost rank ends by itself.
_ENDLESS = 100_000
#: How rank 1 is lost, and what the error must say.
_LOSSES = {
    "is killed": ["rank 1 was killed by SIGKILL"],
    "leaves": ["rank 1 ended with code 7"],
    "raises": ["rank 1 failed: LookupError: planted on purpose"],
    "hangs": [
        "rank 0 stood still",
        "waits for those of other ranks",
        "rank 1 stood still",
        "linger",
    ],
}
_WATCHDOG_SECONDS = 5


def measures(folder: Path, corpus: Path) -> list[Measure]:
    """Measure both kinds of ends."""
    return [*_signals(folder, corpus), *_losses(folder, corpus)]


def _signals(folder: Path, corpus: Path) -> list[Measure]:
    rng, late, wrong = random.Random("signals"), list[int](), list[str]()
    for number in STOP_SIGNALS:
        # Starting the command takes long, and what it does is the same for each signal.
        for way in ("forked", "command-dp2") if number == signal.SIGTERM else ("forked",):
            out = folder / f"{way}-{number.name.lower()}"

            def start(way: str = way, out: Path = out) -> Life:
                log = folder / f"{out.name}.log"
                if way == "forked":
                    return Forked(made_plan(corpus), corpus, out, log)
                return Commanded(made_plan(corpus, out.name, dp=2), corpus, out, log)

            life = start()
            reached(life, out, rng.randint(1, N_STEPS // 2))
            # Frozen, so that no step is made between looking and telling.
            life.send(signal.SIGSTOP)
            time.sleep(0.05)
            before = last_step(out)
            life.send(number)
            life.send(signal.SIGCONT)
            code, said = ended(life), life.log.read_text()
            late.append(last_step(out) - before)
            saved = newest_whole(out)
            good = (
                code == EXIT_RESUMABLE
                and f"stopped by {number.name} after step {last_step(out)} of" in said
                and CONTINUE in said
                and "Traceback" not in said
                and saved is not None
                and int(saved.name[5:]) == last_step(out)
            )
            if not good:
                wrong.append(f"{out.name} (code {code}: {said[-300:]})")
            if ended(start()) != 0 or result(out) != result(folder / f"{way}-reference"):
                wrong.append(f"{out.name} continued otherwise")
    return [
        Measure(
            measure="signals that did not save, say so in one line, exit with 75 and continue alike",
            value=len(wrong), unit="", bound="= 0", holds=not wrong,
            detail="; ".join(wrong) or f"{len(late)} runs: SIGTERM, SIGUSR1, SIGINT; SIGTERM at dp = 2, too",
        ),
        Measure(
            measure="most steps that ended between a signal and the exit", value=max(late),
            unit="steps", bound="<= 1", holds=max(late) <= 1, detail=f"{late}",
        ),
    ]  # fmt: skip


def _losses(folder: Path, corpus: Path) -> list[Measure]:
    seconds, wrong = dict[str, float](), list[str]()
    for what, words in _LOSSES.items():
        patience = _WATCHDOG_SECONDS if what == "hangs" else 600
        plan = made_plan(corpus, n_steps=_ENDLESS, dp=2, watchdog_seconds=patience)
        loss, root = Loss(what, folder / f"struck-{what}"), folder / f"lost-{what}"
        struck_at = _watched(loss.struck, kill=what == "is killed")
        line, code = "nothing was raised", 0
        try:
            run_ranks(2, train_and_lose, plan.model_dump_json(), corpus, root, loss)
        except SkaldError as error:
            line, code = str(error), error.exit_code
        seconds[what] = round(time.monotonic() - struck_at[0], 1) if struck_at else 1e9
        right = code == (EXIT_RESUMABLE if what == "hangs" else 1)
        if not right or any(word not in line for word in words) or "closed" in line:
            wrong.append(f"{what} (code {code}): {line}")
    slowest = max(seconds.values())
    said = ", ".join(f"{what} {taken} s" for what, taken in seconds.items())
    return [
        Measure(
            measure="slowest end of all ranks after one was lost", value=slowest, unit="s",
            bound=f"<= {_MOST_SECONDS:.0f}", holds=slowest <= _MOST_SECONDS,
            detail=f"{said}; the watchdog's patience is {_WATCHDOG_SECONDS} s",
        ),
        Measure(
            measure="lost ranks whose own error was not the one that was told", value=len(wrong),
            unit="", bound="= 0", holds=not wrong, detail="; ".join(wrong) or ", ".join(_LOSSES),
        ),
    ]  # fmt: skip


def _watched(struck: Path, kill: bool) -> list[float]:
    """Kill the process that a loss struck, or leave it alone; the list gets the moment."""
    at: list[float] = []

    def wait() -> None:
        while not struck.is_file():
            time.sleep(0.01)
        at.append(time.monotonic())
        if kill:
            os.kill(int(struck.read_text()), signal.SIGKILL)

    Thread(target=wait, daemon=True).start()
    return at
