"""Evaluations that are killed at random moments, and evaluations on two ranks: the bytes of one life.

A life is a fork of this process, which has imported everything, so that a kill costs a second and not
a cold start; it runs the station as the command does.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skald_harness.running.evaluate import evaluate
from skald_harness.scoring import chunks
from skald_specs.claims import Measure

# Of the tests, which have no types; evaluate.py knows where they are.
support_harness: Any = importlib.import_module("support_harness")

KILLS, WRITE_KILLS = 30, 5
EXPORTS = ("base-a", "base-b")
#: Requests of a network's unit: few, so that a task has several and a kill may come between them.
_UNIT = 8
_PATIENCE_SECONDS = 120.0


def measures(folder: Path) -> list[Measure]:
    """Kill, resume and compare; then share the work out over two ranks."""
    chunks.UNIT_REQUESTS = _UNIT
    support_harness.write_inputs(folder)
    began = time.perf_counter()
    lived(folder, folder / "whole")
    seconds = time.perf_counter() - began
    wanted, n_answers = results(folder / "whole"), len(answers(folder / "whole"))
    rng, moments = random.Random("evaluate"), Counter[str]()
    differing: list[int] = []
    n_lost, n_twice = 0, 0
    while sum(moments.values()) < KILLS:
        number = sum(moments.values())
        life = folder / f"killed-{number}"
        if not killed(folder, life, rng.uniform(0.02, 1.0) * seconds):
            # It was done before the kill came.
            shutil.rmtree(life)
            continue
        before = answers(life)
        moments[_moment(life, len(before), n_answers)] += 1
        if number % 3 == 0:
            killed(folder, life, rng.uniform(0.02, 0.7) * seconds)
        lived(folder, life)
        after = answers(life)
        differing += [number] if results(life) != wanted else []
        n_lost += len(before - after)
        n_twice += len(after) - len({place for place, _ in after}) + _n_lines(life) - n_answers
    writes = _killed_in_writing(folder, rng, wanted)
    planted = _planted(folder, wanted)
    return [
        _none("killed and resumed evaluations whose bytes differ from an undisturbed one's",
              len(differing), f"{KILLS} kills, {_listed(moments)}"),
        _none("evaluations killed while results were written whose bytes differ", writes,
              f"{WRITE_KILLS} kills of evaluations that had every answer"),
        _none("answers that a kill lost after they were stored", n_lost, f"of {n_answers:,} each"),
        _none("answers scored twice", n_twice, "lines beyond one for each request, over all lives"),
        _none("planted other answers that the comparison misses", planted, "one digit, new checksum"),
        *_ranks(folder, n_answers),
    ]  # fmt: skip


def _life(folder: Path, life: Path) -> int:
    """Start an evaluation in a fork and return its process id."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        life.mkdir(exist_ok=True)
        log = os.open(life / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        exports = [folder / "exports" / name for name in EXPORTS]
        done = evaluate(exports, ["core"], life / "out", folder / "items", folder / "corpus")
        code = 70 if done is None else done.exit_code
        sys.stdout.flush()
    finally:
        # Nothing of the parent's may run twice.
        os._exit(code)


def lived(folder: Path, life: Path) -> None:
    """Evaluate to the end."""
    (_, status) = os.waitpid(_life(folder, life), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError((life / "log").read_text()[-2000:])


def killed(folder: Path, life: Path, seconds: float) -> bool:
    """Kill an evaluation after some time; return whether it was still at work."""
    process = _life(folder, life)
    time.sleep(min(seconds, _PATIENCE_SECONDS))
    os.kill(process, signal.SIGKILL)
    (_, status) = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def results(life: Path) -> dict[str, bytes]:
    """Return every file of an evaluation."""
    out = life / "out" / "core"
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


def answers(life: Path) -> set[tuple[tuple[str, str, int], str]]:
    """Return the answers of a store whose lines are whole, as ((key, item, question), line)."""
    return {
        ((record["run_key"], record["item_id"], record["index"]), line)
        for line in _lines(life)
        if (record := json.loads(line)["record"])
    }


def _lines(life: Path) -> Iterator[str]:
    for path in sorted((life / "out-store").rglob("rank-*.jsonl")):
        # What stands behind the last line feed was torn.
        yield from path.read_bytes().decode("utf-8", "replace").split("\n")[:-1]


def _n_lines(life: Path) -> int:
    return sum(1 for _ in _lines(life))


def _moment(life: Path, n: int, n_all: int) -> str:
    if n == n_all:
        return "after the last answer"
    torn = any(
        not path.read_bytes().endswith(b"\n")
        for path in (life / "out-store").rglob("rank-*.jsonl")
        if path.stat().st_size
    )
    if torn:
        return "inside a line"
    return "between answers" if n else "before the first answer"


def _killed_in_writing(folder: Path, rng: random.Random, wanted: dict[str, bytes]) -> int:
    """Kill evaluations that need only write their results; return how many resume to other bytes."""
    began = time.perf_counter()
    life = shutil.copytree(folder / "whole", folder / "written")
    shutil.rmtree(life / "out")
    lived(folder, life)
    seconds, differing, n = time.perf_counter() - began, 0, 0
    while n < WRITE_KILLS:
        shutil.rmtree(life / "out", ignore_errors=True)
        if killed(folder, life, rng.uniform(0.3, 1.0) * seconds):
            n += 1
            # Either nothing or a whole result is there, and the next life mends it.
            differing += (life / "out" / "core").exists() and results(life) != wanted
            lived(folder, life)
            differing += results(life) != wanted
    return differing


def _planted(folder: Path, wanted: dict[str, bytes]) -> int:
    """Change one stored answer with its checksum; return 1 if the results are the same."""
    life = shutil.copytree(folder / "whole", folder / "planted")
    shutil.rmtree(life / "out")
    path = sorted((life / "out-store").rglob("rank-*.jsonl"))[0]
    lines = path.read_text(encoding="utf-8").split("\n")
    whole = json.loads(lines[0])
    record, known = whole["record"], whole["known"]
    record["logprob_nats"] -= 1e-3
    body = json.dumps(record, sort_keys=True, ensure_ascii=False)
    told = f'{known}", "record": {body}'
    lines[0] = f'{{"crc32": "{zlib.crc32(told.encode()):08x}", "known": "{told}}}'
    path.write_text("\n".join(lines), encoding="utf-8")
    lived(folder, life)
    return int(results(life) == wanted)


def _ranks(folder: Path, n_answers: int) -> list[Measure]:
    """Evaluate by the command under torchrun on two ranks, and go on with what they left on one."""
    words = [
        "evaluate", *(str(folder / "exports" / name) for name in EXPORTS), "--suite", "core",
        "--items", str(folder / "items"), "--corpus", str(folder / "corpus"), "--out", "out",
    ]  # fmt: skip
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    # torchrun leaves a rank one thread and a lone process has all: neither may show.
    free = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    two = folder / "two"
    two.mkdir()
    with (two / "log").open("w") as log:
        subprocess.run(
            [sys.executable, *torchrun, "-m", "skald_cli.main", *words],
            cwd=two, env=free, stdout=log, stderr=log, check=True, timeout=300,
        )  # fmt: skip
    # The command has units of the usual size; a lone rank is compared that has them too.
    one = folder / "one"
    one.mkdir()
    with (one / "log").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "skald_cli.main", *words],
            cwd=one, env=free, stdout=log, stderr=log, check=True, timeout=300,
        )  # fmt: skip
    by_rank = Counter[str]()
    for path in (two / "out-store").rglob("rank-*.jsonl"):
        by_rank[path.stem] += path.read_bytes().count(b"\n")
    return [
        _none("files of two ranks that differ from one rank's",
              len({name for name, _ in results(one).items() ^ results(two).items()}),
              _listed(by_rank)),
        _none("answers that two ranks scored twice", _n_lines(two) - n_answers, ""),
    ]  # fmt: skip


def _none(measure: str, value: int, detail: str) -> Measure:
    return Measure(
        measure=measure, value=value, unit="", bound="= 0", holds=value == 0, detail=detail
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()))
