"""A run over two hosts: the bytes of one host, whichever of them is killed or loses its cable."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import NamedTuple

from _faults_lives import Commanded, last_step, made_corpus, made_plan, newest_whole, result, waited
from _nodes_hosts import Host, surroundings
from _nodes_runs import Node, disturbed, ended, lived, same, started, torchrun, within
from skald_cli.main import main as skald
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_CLAIM_FAILED, EXIT_RESUMABLE
from skald_specs.files import write_yaml

FAKE_SLURM = Path(__file__).parents[2] / "tests" / "parallel" / "fake_slurm"
WATCHDOG_SECONDS = 10
#: Beyond the watchdog's patience: the other ranks' lines, torchrun's own looks, a busy machine.
_SLACK_SECONDS = 20.0


def measures(hosts: tuple[Host, Host], folder: Path) -> list[Measure]:
    """Train on one host, on two by the job script, and on two that are disturbed; compare."""
    corpus = made_corpus(folder)
    plan = made_plan(corpus, "one-host", dp=2, watchdog_seconds=WATCHDOG_SECONDS)
    whole = folder / "one-host"
    life = Commanded(plan, corpus, whole, folder / "one-host.log")
    found = _disturbed(hosts, folder, corpus)
    if waited(life.code, lambda code: code is not None) != 0:
        raise RuntimeError(life.log.read_text()[-1500:])
    scripted = _by_script(hosts, folder, corpus)
    wanted = result(whole)
    for name, out in (("disturbed", folder / "disturbed"), ("by the job script", scripted)):
        pairs = zip(("weights", "moments", "curve"), result(out), wanted, strict=True)
        differing = [what for what, ours, theirs in pairs if ours != theirs]
        found.append(
            same(f"files of two hosts, {name}, unlike one host's", len(differing),
                 ", ".join(differing) or "weights, Adam's moments and curve: the same bytes")
        )  # fmt: skip
    return found


class _Blow(NamedTuple):
    """What a run suffers when it has logged a step, and how its nodes have to end of it."""

    at: int
    what: str
    strike: Callable[[], None]
    ends: dict[int, tuple[int, tuple[str, ...]]]


def _disturbed(hosts: tuple[Host, Host], folder: Path, corpus: Path) -> list[Measure]:
    """Kill a node, cut the cable, kill the first node; start both again each time, to the end."""
    out, logs, (first, second) = folder / "disturbed", folder / "nodes", hosts
    plan = made_plan(corpus, out.name, dp=2, watchdog_seconds=WATCHDOG_SECONDS)
    plan.save(folder / "disturbed.yaml")
    words = ["train", str(folder / "disturbed.yaml"), "--corpus", str(corpus), "--out", str(folder)]
    logs.mkdir()
    blows = [
        _Blow(20, "node-b killed", second.kill_all, {0: (EXIT_CLAIM_FAILED, ("lost", "node-b"))}),
        _Blow(50, "cable cut", second.unplug, {
            0: (EXIT_RESUMABLE, ("no answer from node-b",)),
            1: (EXIT_RESUMABLE, ("no answer from node-a",)),
        }),
        _Blow(80, "node-a killed", first.kill_all, {1: (EXIT_CLAIM_FAILED, ("lost", "node-a"))}),
    ]  # fmt: skip
    found: list[Measure] = []
    wrong: list[str] = []
    expected: Path | None = None

    def again() -> list[Node]:
        return started(hosts, logs, [torchrun(i, words) for i in (0, 1)])

    def continued(nodes: list[Node]) -> None:
        if (
            expected is not None
            and f"continuing from {expected.name}" not in nodes[0].log.read_text()
        ):
            wrong.append(expected.name)

    for blow in blows:
        nodes = again()
        moment = disturbed(nodes, partial(_has_reached, out, blow.at), blow.strike)
        ends = ended(nodes, moment)
        second.plug()
        for number, (code, said) in blow.ends.items():
            name = f"{blow.what}: {hosts[number].name} ends after"
            found.append(within(name, ends[number], WATCHDOG_SECONDS + _SLACK_SECONDS, code, *said))
        continued(nodes)
        expected = newest_whole(out)
    nodes = again()
    lived(nodes)
    continued(nodes)
    told = f"of {len(blows)}; {', '.join(wrong) or 'nothing that was whole is lost'}"
    return [
        *found,
        same("starts that did not continue from the newest whole checkpoint", len(wrong), told),
    ]


def _has_reached(out: Path, step: int) -> bool:
    return last_step(out) >= step


def _by_script(hosts: tuple[Host, Host], folder: Path, corpus: Path) -> Path:
    """Run the script that `skald launch` writes, only Slurm's programs played; return the run's folder."""
    plan = made_plan(corpus, "scripted", dp=2, watchdog_seconds=WATCHDOG_SECONDS)
    plan.save(folder / "scripted.yaml")
    # No interface is named, and node-a's own name leads to its loopback.
    site = {
        "name": "here",
        "account_needed": False,
        "time": "00:10:00",
        "gpus_per_node": 0,
        "cpus_per_process": 1,
    }
    write_yaml(folder / "here.yaml", site)
    script = folder / "scripted.sbatch"
    words = ["launch", folder / "scripted.yaml", "--site", folder / "here.yaml", "--script", script]
    # Elsewhere than the checkout, whose Python the script would name relative to it.
    with chdir(folder):
        if skald([str(word) for word in [*words, "--corpus", corpus, "--out", folder]]) != 0:
            raise RuntimeError("skald launch failed")
    slurm = {
        "PATH": f"{FAKE_SLURM}:{os.environ['PATH']}", "FAKE_SLURM_LOG": str(folder / "slurm.log"),
        "FAKE_SLURM_HOSTS": json.dumps([host.entering([]) for host in hosts]),
        "SLURM_SUBMIT_DIR": str(folder), "SLURM_JOB_NODELIST": ",".join(h.name for h in hosts),
        "SLURM_JOB_ID": "7",
    }  # fmt: skip
    with (folder / "scripted.log").open("w") as log:
        done = subprocess.run(
            ["bash", str(script)],
            env=surroundings(slurm),
            stdout=log,
            stderr=log,
            timeout=180,
            check=False,
        )
    if done.returncode:
        raise RuntimeError((folder / "scripted.log").read_text()[-1500:])
    return folder / "scripted"
