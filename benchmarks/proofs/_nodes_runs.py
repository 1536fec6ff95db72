"""One command on both hosts: a torchrun on each, what each said, and how each ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from _faults_lives import waited
from _nodes_hosts import Host
from skald_specs.claims import Measure

#: No command here lives longer.
_PATIENCE_SECONDS = 180.0
#: How long nodes look for one another, where they cannot meet.
MEETING_SECONDS = 10


class Node(NamedTuple):
    """A torchrun on a host."""

    host: Host
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> list[str]:
        """Return our own lines of its log, and the first of any traceback."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.startswith(("skald: ", "Traceback", "[rank"))]


class Ended(NamedTuple):
    """How a node ended: its exit code, how long after a moment, and what it said."""

    code: int
    seconds: float
    said: list[str]

    def one_line(self, *words: str) -> bool:
        """Whether one line, and torchrun's summary behind it at most, says these words."""
        first, *more = self.said or [""]
        summary = all(line.startswith("skald: node ") for line in more) and len(more) <= 1
        return summary and first.startswith("skald: ") and all(word in first for word in words)


def torchrun(
    node: int, words: Sequence[str], master: str = "node-a", port: int = 29500
) -> list[str]:
    """Return the command of one of two nodes, one rank on each."""
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(node)]
    options += ["--master-addr", master, "--master-port", str(port)]
    options += ["--rdzv-conf", f"timeout={MEETING_SECONDS + 50 * (master == 'node-a')}"]
    return [
        sys.executable,
        "-m",
        "skald_trainer.torchrun",
        *options,
        "-m",
        "skald_cli.main",
        *words,
    ]


def started(
    hosts: Sequence[Host], folder: Path, commands: Sequence[list[str]], **more: str
) -> list[Node]:
    """Start a command on each host; logs of the same folder are begun anew."""
    nodes = []
    for host, words in zip(hosts, commands, strict=True):
        log = folder / f"{host.name}.log"
        log.unlink(missing_ok=True)
        nodes.append(Node(host, host.start(words, log, **more), log))
    return nodes


def disturbed(
    nodes: Sequence[Node], ready: Callable[[], bool], disturb: Callable[[], None]
) -> float:
    """Wait for a moment in the life of nodes and disturb them; return when that was."""
    waited(lambda: ready() or any(node.process.poll() is not None for node in nodes))
    if not ready():
        raise RuntimeError(f"ended too early: {[node.said() for node in nodes]}")
    disturb()
    return time.monotonic()


def ended(nodes: Sequence[Node], since: float) -> list[Ended]:
    """Wait for the end of nodes.

    Args:
        nodes: Whom to wait for.
        since: Seconds are counted from here, by the monotonic clock.
    """
    found = []
    for node in nodes:
        code = node.process.wait(_PATIENCE_SECONDS)
        found.append(Ended(code, time.monotonic() - since, node.said()))
    return found


def lived(nodes: Sequence[Node]) -> None:
    """Wait until nodes have done what they were started for.

    Raises:
        RuntimeError: One failed; what all said.
    """
    ends = ended(nodes, time.monotonic())
    if any(end.code for end in ends):
        raise RuntimeError(
            f"{[end.code for end in ends]}: {[node.log.read_text()[-1500:] for node in nodes]}"
        )


def within(measure: str, end: Ended, bound: float, code: int, *words: str) -> Measure:
    """Return the measure of a node that had to end in time, with a code and a line.

    Args:
        measure: What happened to the other.
        end: How this one ended.
        bound: Seconds.
        code: The exit code.
        *words: What the line must say.
    """
    good = end.seconds <= bound and end.code == code and end.one_line(*words)
    return Measure(
        measure=measure, value=round(end.seconds, 1), unit="s", bound=f"<= {bound:g}", holds=good,
        detail=f"exit code {end.code}: {' / '.join(end.said) or 'nothing said'}",
    )  # fmt: skip


def same(measure: str, n_differing: int, detail: str) -> Measure:
    """Return the measure of files that had to be the same."""
    return Measure(
        measure=measure, value=n_differing, unit="", bound="= 0", holds=n_differing == 0,
        detail=detail,
    )  # fmt: skip
