"""Two hosts that were started wrongly: one line on each that cannot go on, in time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import skald_mup
from _faults_lives import made_corpus, made_plan
from _nodes_hosts import Host
from _nodes_runs import MEETING_SECONDS, Ended, ended, started, torchrun, within
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_USER_INPUT

#: Importing torch on a busy machine, and ending.
_SLACK_SECONDS = 90.0
_TAKEN = """
import socket, time
taken = socket.create_server(("", 29500))
print("taken", flush=True)
time.sleep(600)
"""


def measures(hosts: tuple[Host, Host], folder: Path) -> list[Measure]:
    """Start two nodes wrongly in one way after another."""
    corpus = made_corpus(folder)
    for number, n_steps in enumerate((120, 60)):
        made_plan(corpus, "wrong", dp=2, n_steps=n_steps).save(folder / f"{number}.yaml")
    first, _ = hosts

    def train(plan: int) -> list[str]:
        words = ["train", str(folder / f"{plan}.yaml"), "--corpus", str(corpus)]
        return [*words, "--out", str(folder / "runs")]

    def tried(name: str, commands: dict[int, list[str]], **more: str) -> list[Ended]:
        logs = folder / name
        logs.mkdir()
        chosen = [hosts[i] for i in commands]
        return ended(started(chosen, logs, list(commands.values()), **more), time.monotonic())

    found: list[Measure] = []

    def measured(what: str, end: Ended, bound: float, *words: str) -> None:
        bound += _SLACK_SECONDS
        found.append(within(f"{what}: ends after", end, bound, EXIT_USER_INPUT, *words))

    (end,) = tried("nowhere", {1: torchrun(1, train(0), master="10.77.0.9")})
    measured("an address where nobody is", end, MEETING_SECONDS, "--master-addr", "10.77.0.9")
    (end,) = tried("no-name", {1: torchrun(1, train(0), master="node-z")})
    measured("a name that nobody has", end, 0, "--master-addr", "node-z", "node-b")
    (end,) = tried("interface", {1: torchrun(1, train(0))}, GLOO_SOCKET_IFNAME="ib7")
    measured("an interface that is not there", end, 0, "GLOO_SOCKET_IFNAME", "ib7", "fast0")
    words = first.entering([sys.executable, "-c", _TAKEN])
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "taken\n"
        (end,) = tried("port", {0: torchrun(0, train(0))})
        first.kill_all()
    measured("a port that another program has", end, 0, "--master-port", "29500")
    both = {i: torchrun(i, train(i)) for i in (0, 1)}
    for host, end in zip(hosts, tried("plan", both), strict=True):
        measured(
            f"nodes of other plans, {host.name}", end, 0, "rank 1 on node-b", "has another plan"
        )
    other_code = _changed_copy(folder / "checkout")
    both[1] = ["env", f"PYTHONPATH={other_code}", *torchrun(1, train(0))]
    for host, end in zip(hosts, tried("code", both), strict=True):
        measured(f"nodes of other code, {host.name}", end, 0, "rank 1 on node-b", "has other code")
    return found


def _changed_copy(folder: Path) -> str:
    """Copy one package and change it by a comment; return the PYTHONPATH that has it first."""
    copy = shutil.copytree(Path(skald_mup.__file__).parent, folder / "skald_mup")
    with (copy / "rules.py").open("a", encoding="utf-8") as rules:
        rules.write("# Another commit.\n")
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
