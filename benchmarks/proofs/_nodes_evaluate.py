"""An evaluation shared out over two hosts: the bytes of one process, whichever host is lost."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from _nodes_hosts import Host, surroundings
from _nodes_runs import disturbed, ended, lived, same, started, torchrun, within
from skald_harness.running.ranks import SECONDS_BETWEEN_LOOKS
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_RESUMABLE

# Of the tests, which have no types; nodes.py knows where they are.
support_harness: Any = importlib.import_module("support_harness")

_ITEMS = 40
#: For what is left of the survivor's share, and for ending.
_SLACK_SECONDS = 90.0


def measures(hosts: tuple[Host, Host], folder: Path) -> list[Measure]:
    """Evaluate in one process, then on two hosts: undisturbed, one killed, the cable cut."""
    support_harness.write_inputs(folder)
    support_harness.write_items(folder / "items", n=_ITEMS)
    _, second = hosts
    whole = folder / "whole"
    whole.mkdir()
    with (folder / "whole.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "skald_cli.main", *_words(folder, whole)], cwd=whole,
            env=surroundings({}), stdout=log, stderr=log, timeout=180, check=True,
        )  # fmt: skip
    wanted, lines = _files(whole), _lines(whole)
    found: list[Measure] = []
    blows = [
        ("undisturbed", None, 0.0),
        ("node-b killed", second.kill_all, _SLACK_SECONDS),
        ("cable cut", second.unplug, _SLACK_SECONDS + 3 * SECONDS_BETWEEN_LOOKS),
    ]
    for name, strike, bound in blows:
        life = folder / name.replace(" ", "-")
        life.mkdir()
        commands = [torchrun(i, _words(folder, life)) for i in (0, 1)]
        if strike is not None:
            nodes = started(hosts, life, commands)
            moment = disturbed(nodes, partial(_has_begun, life), strike)
            ends = ended(nodes, moment)
            second.plug()
            for end, here, other in zip(
                ends, ("node-a", "node-b"), ("node-b", "node-a"), strict=True
            ):
                if strike == second.kill_all and here == "node-b":
                    continue
                words = (f"lost {other}", "its share is missing")
                measure = f"evaluation, {name}: {here} ends after"
                found.append(within(measure, end, bound, EXIT_RESUMABLE, *words))
        before = _lines(life)
        lived(started(hosts, life, commands))
        after = _lines(life)
        differing = {file for file, _ in wanted.items() ^ _files(life).items()}
        told = f"{after['rank-0']:,} answers by node-a, {after['rank-1']:,} by node-b"
        if before:
            told += f", {sum(before.values()):,} of them before"
        found.append(
            same(
                f"evaluation files of two hosts, {name}, unlike one process's", len(differing), told
            )
        )
        found.append(
            same(f"answers asked twice or never, {name}",
                 abs(sum(after.values()) - sum(lines.values())), f"of {sum(lines.values()):,}")
        )  # fmt: skip
    return found


def _words(folder: Path, life: Path) -> list[str]:
    exports = [str(folder / "exports" / name) for name in ("base-a", "base-b")]
    words = ["evaluate", *exports, "--suite", "core", "--items", str(folder / "items")]
    words += ["--languages", "da"]
    return [*words, "--corpus", str(folder / "corpus"), "--out", str(life / "out")]


def _files(life: Path) -> dict[str, bytes]:
    out = life / "out" / "core"
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def _has_begun(life: Path) -> bool:
    return _lines(life)["rank-1"] > 0


def _lines(life: Path) -> Counter[str]:
    """Count the answers of each rank in the store."""
    counts = Counter[str]()
    for part in (life / "out-store").rglob("rank-*.jsonl"):
        counts[part.stem] += part.read_bytes().count(b"\n")
    return counts
