"""A thread that stands still is noticed; one that is slow and gets on is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Queue

import pytest
from skald_trainer.watchdog import FIRST_STEP_SECONDS, Watchdog, group_timeout, where

SECONDS = 0.4


def _stand_still(seconds: float) -> None:
    time.sleep(seconds)


def test_a_starving_thread_is_named_with_its_stack(tmp_path: Path) -> None:
    said: Queue[str] = Queue()
    stacks = tmp_path / "run" / "watchdog.rank3.txt"
    dog = Watchdog(3, SECONDS, stacks, said.put)
    with dog.watching():
        dog.feed("step 7")
        _stand_still(2.5 * SECONDS)
    line = said.get_nowait()
    assert "rank 3 stood still for" in line and "in step 7" in line
    assert "stands in _stand_still at test_trainer_watchdog.py" in line
    assert str(stacks) in line
    assert "_stand_still" in stacks.read_text()


def test_a_slow_thread_that_gets_on_is_left_alone(tmp_path: Path) -> None:
    said: Queue[str] = Queue()
    dog = Watchdog(0, 5 * SECONDS, tmp_path / "stacks", said.put)
    with dog.watching():
        for step in range(8):
            dog.feed(f"step {step}")
            _stand_still(SECONDS)
    assert said.empty(), "fed for longer than its patience in all"
    assert not (tmp_path / "stacks").exists()


@pytest.mark.parametrize(("first_seconds", "bites"), [(60.0, False), (0.0, True)])
def test_before_the_first_feeding_it_is_more_patient(
    tmp_path: Path, first_seconds: float, bites: bool
) -> None:
    said: Queue[str] = Queue()
    with Watchdog(0, SECONDS, tmp_path / "stacks", said.put, first_seconds).watching():
        _stand_still(2.5 * SECONDS)
    assert said.empty() is not bites
    assert bites is False or "getting ready" in said.get_nowait()


def test_a_process_that_was_stopped_is_not_shot_when_it_wakes(tmp_path: Path) -> None:
    """Slurm suspends jobs by SIGSTOP; the time until SIGCONT is nobody's fault."""
    script = (
        "import os, sys, time; from pathlib import Path; from skald_trainer.watchdog import Watchdog\n"
        f"dog = Watchdog(0, 2.0, Path({str(tmp_path / 'stacks')!r}), lambda line: os._exit(9))\n"
        "with dog.watching():\n"
        "    for _ in range(3):\n"
        "        dog.feed('work'); print('fed', flush=True); time.sleep(0.5)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "fed\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_torch_is_more_patient_than_the_watchdog() -> None:
    for seconds in (2, 600, 7200):
        assert group_timeout(seconds).total_seconds() > max(seconds, FIRST_STEP_SECONDS)


def test_where_names_the_collective_and_its_caller() -> None:
    frame = sys._getframe()
    assert where(frame).startswith("stands in test_where_names_the_collective_and_its_caller")
    inside = {"here": None, "sys": sys}
    code = compile(
        "def all_reduce():\n    global here\n    here = sys._getframe()",
        "/x/torch/distributed/distributed_c10d.py", "exec",
    )  # fmt: skip
    exec(code, inside)
    inside["all_reduce"]()
    assert "waits for other ranks in all_reduce" in where(inside["here"])
    assert where(None) == "has ended"
