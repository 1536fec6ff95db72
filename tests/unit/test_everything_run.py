"""The run of everything with small commands: logs, stamps, failures, and an end to all of it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from _everything_run import Interrupted, Runner
from _everything_steps import Step


def step(name, code="pass", **more):
    return Step(name, "program", (code,), 0.01, **more)


def runner(folder, commit="c1", cores=2, said=None):
    said = [] if said is None else said
    return Runner(
        folder, cores, commit, lambda one: [sys.executable, "-c", *one.command], said.append
    )


def test_a_failure_stops_none_but_those_who_need_it(tmp_path):
    said = []
    steps = [
        step("bad", "print('well'); raise SystemExit('it broke')"), step("good", "print('here')"),
        step("user", needs=("bad",)), step("other", needs=("good",)),
    ]  # fmt: skip
    outcomes = {one.name: one for one in runner(tmp_path, said=said).run(steps, set())}
    assert {name: one.code for name, one in outcomes.items()} == {"bad": 1, "good": 0, "other": 0}
    assert outcomes["bad"].said == "it broke" and (tmp_path / "good.log").read_text() == "here\n"
    assert sum("begins" in line for line in said) == 3
    assert any("FAILED  bad" in line and "it broke" in line for line in said)


def test_a_row_that_does_not_hold_says_why(tmp_path):
    table = "measure  1  <= 0  NO  too much\\nother  1  <= 2  yes  \\nnox > Session failed"
    said = [
        one.said for one in runner(tmp_path).run([step("a", f"print('{table}'); exit(1)")], set())
    ]
    assert said == ["measure 1 <= 0 NO too much"]


def test_what_passed_is_known_at_the_same_commit_alone(tmp_path):
    good, bad = step("good"), step("bad", "raise SystemExit(3)")
    runner(tmp_path).run([good, bad], set())
    assert runner(tmp_path).known(good) is not None
    assert runner(tmp_path).known(bad) is None
    assert runner(tmp_path, "c2").known(good) is None
    assert runner(tmp_path, "").known(good) is None, "the tree has changes"
    assert runner(tmp_path).known(good._replace(command=("print()",))) is None
    (tmp_path / "good.json").write_text("{")
    assert runner(tmp_path).known(good) is None
    runner(tmp_path, "").run([good], set())
    assert runner(tmp_path, "").known(good) is None


def test_steps_share_the_cores_and_seconds_of_grandchildren_count(tmp_path):
    loop = "for i in range(8 * 10**6): pass"
    busy = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{loop}'])"
    nap, said = "import time; time.sleep(1)", []
    outcomes = runner(tmp_path, said=said).run(
        [step("a", nap), step("b", nap), step("c", busy)], set()
    )
    assert [line.split("] ")[1].split()[:2] for line in said][:2] == [
        ["begins", "a"],
        ["begins", "b"],
    ]
    cpu = {one.name: one.cpu_minutes * 60 for one in outcomes}
    assert cpu["c"] > cpu["a"] + 0.1


def test_an_interrupt_ends_all_and_leaves_no_stamp(tmp_path):
    child = "import os, time; os.system('sleep 60 & echo $! > %s'); time.sleep(60)" % (
        tmp_path / "pid"
    )
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        runner(tmp_path).run([step("long", child), step("never", needs=("long",))], set())
    assert time.monotonic() - began < 20
    assert not (tmp_path / "long.json").exists() and not (tmp_path / "never.log").exists()
    pid = (tmp_path / "pid").read_text().strip()
    while time.monotonic() - began < 30 and goes_on(pid):
        time.sleep(0.1)
    assert not goes_on(pid)


def goes_on(pid):
    """Say whether a process lives and is not just waiting to be buried."""
    said = subprocess.run(
        ["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()[:1] not in ("", "Z")
