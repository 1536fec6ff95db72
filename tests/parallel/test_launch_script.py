"""A job script runs for real, its nodes on this machine: only Slurm's programs are played."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

# The proof of nodes makes the same ones.
from _nodes_hosts import CABLE, CannotMakeHostsError, two_hosts
from skald_cli.main import main
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.errors import EXIT_RESUMABLE
from skald_specs.files import sha256_file, write_yaml
from skald_trainer.train import train
from support_trainer import losses_of, tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

FAKE_SLURM = Path(__file__).parent / "fake_slurm"
N_STEPS = 120
#: Seconds for one start: four processes import torch, on a machine that may be busy.
_PATIENCE = 300


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A submit folder with one job script, and what Slurm was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "slurm.log"
        self.manifest = tiny_corpus(folder / "corpus")
        self.plan = tiny_plan(
            self.manifest, n_steps=N_STEPS, checkpoint_every_steps=20, validate_every_steps=60, dp=2
        )
        self.plan.save(folder / "plan.yaml")

    def script(self, out: str, **site: object) -> Path:
        """Write the script of a run of its own folder."""
        need = {"name": "here", "account_needed": False, "time": "00:10:00", "gpus_per_node": 0}
        write_yaml(self.folder / "here.yaml", need | {"cpus_per_process": 1} | site)
        path = self.folder / f"{out}.sbatch"
        words = ["launch", self.folder / "plan.yaml", "--site", self.folder / "here.yaml"]
        words += ["--script", path, "--corpus", self.folder / "corpus", "--out", self.folder / out]
        # Elsewhere than the checkout, whose Python the script would name relative to it.
        with chdir(self.folder):
            assert main([str(word) for word in words]) == 0
        return path

    def start(self, script: Path, **more: str) -> subprocess.Popen[str]:
        """Run a script as slurmd would."""
        kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
        slurm = {
            "PATH": f"{FAKE_SLURM}:{os.environ['PATH']}", "FAKE_SLURM_LOG": str(self.log),
            "SLURM_SUBMIT_DIR": str(self.folder), "SLURM_JOB_NODELIST": "localhost,localhost",
            "SLURM_JOB_ID": str(os.getpid()), "MASTER_PORT": str(free_port()), **more,
        }  # fmt: skip
        return subprocess.Popen(
            ["bash", str(script)], env=kept | slurm, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def disturbed(self, script: Path, disturb: Callable[[int], None], at_step: int) -> str:
        """Start a script and disturb it, given its process, once a step is logged."""
        process = self.start(script)
        metrics = self.folder / script.stem / "tiny" / "metrics.jsonl"
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            if metrics.is_file() and len(metrics.read_text().splitlines()) >= at_step:
                disturb(process.pid)
                break
            time.sleep(0.01)
        said, _ = process.communicate(timeout=_PATIENCE)
        assert not (self.folder / script.stem / "tiny" / "final").exists(), said
        return f"{said}\nexit code {process.returncode}"

    def requeued(self) -> list[str]:
        """Return what scontrol was asked for."""
        return self.log.read_text().splitlines() if self.log.is_file() else []


@contextmanager
def two_nodes(folder: Path) -> Iterator[tuple[str, dict[str, str], dict[str, object]]]:
    """Make two hosts joined by a cable, where that is permitted; else both nodes are this machine.

    Yields:
        What the hosts have in common, the environment of the played Slurm, and the site's values.
    """
    try:
        with two_hosts(folder) as hosts:
            enter = json.dumps([host.entering([]) for host in hosts])
            # The first node's name leads nowhere without the suffix, as on JUWELS Booster.
            slurm = {"FAKE_SLURM_HOSTS": enter, "SLURM_JOB_NODELIST": "node-,b"}
            network = {"GLOO_SOCKET_IFNAME": CABLE}
            yield "two hosts", slurm, {"host_suffix": "a-fast", "environment": network}
    except CannotMakeHostsError:
        yield "one machine", {}, {}


def ranks_of(script: int) -> list[int]:
    """Return the processes that torchrun started, below a script."""
    found, parents = [], {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
            parents[int(status.parent.name)] = int(words[1])
        except OSError:
            continue
    for pid in parents:
        above = [pid]
        while above[-1] in parents:
            above.append(parents[above[-1]])
        # Shell, srun, torchrun, rank.
        if len(above) > 3 and above[3] == script:
            found.append(pid)
    return sorted(found)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return Cluster(tmp_path_factory.mktemp("cluster"))


def test_a_node_of_two_ranks_that_save_is_resumable(tmp_path: Path) -> None:
    """torchrun ends the second rank as soon as the first has gone; that is no failure."""
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), n_steps=100_000, dp=2)
    plan.save(tmp_path / "plan.yaml")
    words = [
        "-m",
        "skald_trainer.torchrun",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(free_port()),
    ]
    words += ["-m", "skald_cli.main", "train", "plan.yaml", "--corpus", "corpus", "--out", "runs"]
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=tmp_path, env=kept, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    metrics, deadline = tmp_path / "runs" / "tiny" / "metrics.jsonl", time.monotonic() + _PATIENCE
    while not metrics.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    said, _ = process.communicate(timeout=_PATIENCE)
    assert process.returncode == EXIT_RESUMABLE, said
    assert said.count("stopped by SIGUSR1 after step") == 2, said


def test_two_nodes_give_the_bytes_of_one_machine_whatever_happens(cluster: Cluster) -> None:
    script = cluster.script("disturbed")

    def kill_a_rank(pid: int) -> None:
        ranks = ranks_of(pid)
        assert len(ranks) == 2
        os.kill(ranks[-1], signal.SIGKILL)

    said = cluster.disturbed(script, kill_a_rank, at_step=30)
    assert "exit code 1" in said and f"exit code {EXIT_RESUMABLE}" not in said, said
    assert "with code -9; the reason is above" in said, said
    assert cluster.requeued() == [], "what failed is not put back"

    def tell_the_shell(pid: int) -> None:
        os.kill(pid, signal.SIGUSR1)

    said = cluster.disturbed(script, tell_the_shell, at_step=70)
    assert "continuing from step_00000020" in said, said
    assert f"exit code {EXIT_RESUMABLE}" in said, said
    assert said.count("stopped by SIGUSR1 after step") == 2, said
    assert "Traceback" not in said, said
    assert cluster.requeued() == [f"requeue {os.getpid()}"], said

    with two_nodes(cluster.folder / "hosts") as (where, slurm, site):
        # The run moves to another site here: same folder, other hosts.
        moved = cluster.start(cluster.script("disturbed", **site), SLURM_RESTART_COUNT="1", **slurm)
        continued, _ = moved.communicate(timeout=_PATIENCE)
    assert moved.returncode == 0, f"{where}: {continued}"
    assert "continuing from step_" in continued
    assert len(cluster.requeued()) == 1, "a finished run is not put back"

    train(cluster.plan, cluster.folder / "corpus", cluster.folder / "whole")
    finals = [cluster.folder / "disturbed" / "tiny" / "final", cluster.folder / "whole" / "final"]
    assert sha256_file(finals[0] / MODEL_FILE) == sha256_file(finals[1] / MODEL_FILE)
    assert losses_of(finals[0] / "curve.jsonl") == losses_of(finals[1] / "curve.jsonl")
    assert len(losses_of(finals[0] / "curve.jsonl")) == N_STEPS
