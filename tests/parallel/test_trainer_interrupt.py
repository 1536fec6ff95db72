"""A run that is told to stop, or killed, continues to the very weights of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.errors import EXIT_RESUMABLE, InterruptedRunError, SkaldError
from skald_specs.files import sha256_file
from skald_trainer.bridge import patches
from skald_trainer.launch import run_ranks
from skald_trainer.train import train
from support import ROOT
from support_faults import Fault, before_steps, train_with_fault
from support_trainer import losses_of, tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]

_CHILD = """
import sys
from pathlib import Path
from skald_specs.errors import SkaldError
from skald_specs.plan import Plan
from skald_trainer.train import train
if __name__ == "__main__":
    try:
        train(Plan.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))
    except SkaldError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
"""


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    return kept | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'benchmarks' / 'proofs'}",
    }


def _child(folder: Path, out: Path) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    script = folder / "child.py"
    script.write_text(_CHILD)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder / "plan.yaml"), str(folder / "corpus"), str(out)],
        stderr=subprocess.PIPE, text=True, env=_environment(),
    )  # fmt: skip


def _disturbed(folder: Path, out: Path, number: signal.Signals, at_step: int) -> tuple[int, str]:
    """Start a run in a process of its own and send it a signal once a step is logged."""
    process = _child(folder, out)
    metrics, deadline = out / "metrics.jsonl", time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.is_file() and len(metrics.read_text().splitlines()) >= at_step:
            process.send_signal(number)
            break
        time.sleep(0.01)
    _, errors = process.communicate(timeout=90)
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_continues_bit_identically(tmp_path: Path, number: signal.Signals) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    layout = {"dp": 2} if number == signal.SIGTERM else {}
    plan = tiny_plan(
        manifest, n_steps=160, checkpoint_every_steps=20, validate_every_steps=80, **layout
    )
    plan.save(tmp_path / "plan.yaml")
    code, errors = _disturbed(tmp_path, tmp_path / "stopped", number, at_step=30)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == EXIT_RESUMABLE, errors
        assert f"stopped by {number.name}" in errors
        assert "Traceback" not in errors
        assert "run the same command again" in errors
    assert not (tmp_path / "stopped" / "final").exists()
    # A kill may tear the line that was being written.
    whole_lines, _, _ = (tmp_path / "stopped" / "metrics.jsonl").read_text().rpartition("\n")
    before = json.loads(whole_lines.splitlines()[-1])
    assert before["step"] < 160
    train(plan, tmp_path / "corpus", tmp_path / "stopped")
    train(plan, tmp_path / "corpus", tmp_path / "whole")
    finals = [tmp_path / name / "final" for name in ("stopped", "whole")]
    assert len({sha256_file(final / MODEL_FILE) for final in finals}) == 1
    assert losses_of(finals[0] / "curve.jsonl") == losses_of(finals[1] / "curve.jsonl")
    assert len(losses_of(finals[0] / "curve.jsonl")) == 160


def test_a_finished_run_is_not_trained_again_but_a_changed_one_is(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    out = tmp_path / "run"
    train(tiny_plan(manifest), tmp_path / "corpus", out)
    first = (out / "metrics.jsonl").stat().st_mtime_ns, sha256_file(out / "final" / MODEL_FILE)
    train(tiny_plan(manifest), tmp_path / "corpus", out)
    assert first == (
        (out / "metrics.jsonl").stat().st_mtime_ns,
        sha256_file(out / "final" / MODEL_FILE),
    )
    train(tiny_plan(manifest, base_lr=0.02), tmp_path / "corpus", out)
    assert sha256_file(out / "final" / MODEL_FILE) != first[1]
    assert len(losses_of(out / "final" / "curve.jsonl")) == 6, "no rows of the former run are left"


def _when_struck(fault: Fault, act: Callable[[int], None]) -> list[float]:
    """Act on the process that a fault struck; the list gets the moment of the fault."""
    at: list[float] = []

    def wait() -> None:
        while not fault.struck.is_file():
            time.sleep(0.01)
        at.append(time.monotonic())
        act(int(fault.struck.read_text()))

    Thread(target=wait, daemon=True).start()
    return at


def _nothing(pid: int) -> None:
    pass


@pytest.mark.parametrize(
    ("what", "act", "words"),
    [
        ("leaves", _nothing, ["rank 1 ended with code 7"]),
        ("raises", _nothing, ["rank 1 failed: LookupError: planted on purpose"]),
        (
            "linger",
            lambda pid: os.kill(pid, signal.SIGKILL),
            ["rank 1 was killed by SIGKILL (out of memory?)"],
        ),
        (
            "linger",
            _nothing,
            ["rank 0 stood still", "waits for those of other ranks", "rank 1 stood still", "in linger at"],
        ),
    ],
    ids=["exits", "raises", "is killed", "hangs"],
)  # fmt: skip
def test_a_rank_that_is_lost_ends_all_with_its_own_error(
    tmp_path: Path, what: str, act: Callable[[int], None], words: list[str]
) -> None:
    hangs = len(words) > 1
    plan = tiny_plan(
        tiny_corpus(tmp_path / "corpus"), n_steps=100_000, dp=2,
        watchdog_seconds=4 if hangs else 600,
    )  # fmt: skip
    fault = Fault(what, tmp_path / "struck")
    at = _when_struck(fault, act)
    job = (plan.model_dump_json(), tmp_path / "run", fault)
    with pytest.raises(SkaldError) as caught:
        run_ranks(2, train_with_fault, [job], tmp_path / "corpus")
    assert time.monotonic() - at[0] < 30
    line = str(caught.value)
    for part in (*words, "run the same command again to continue"):
        assert part in line
    assert ("in train_with_fault" in caught.value.details) is (what == "raises")
    assert "Connection closed" not in line
    assert caught.value.exit_code == (EXIT_RESUMABLE if hangs else 1)
    if hangs:
        assert "linger" in (tmp_path / "run" / "watchdog.rank1.txt").read_text()
        assert "_engine_run_backward" in (tmp_path / "run" / "watchdog.rank0.txt").read_text()


def test_a_run_that_is_slow_is_not_taken_for_a_hung_one(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), watchdog_seconds=4)
    with before_steps(lambda step: time.sleep(1.0)):
        train(plan, tmp_path / "corpus", tmp_path / "run")
    assert (tmp_path / "run" / "final").is_dir()
    assert not list((tmp_path / "run").glob("watchdog*"))


@pytest.mark.parametrize(("during", "last_step"), [("validate", 3), ("full_weights", 4)])
def test_a_signal_during_validation_or_saving_stops_within_a_step(
    tmp_path: Path, during: str, last_step: int
) -> None:
    patches.apply("cpu")
    from skald_trainer.bridge.trainer import SkaldTrainer

    plan, own = tiny_plan(tiny_corpus(tmp_path / "corpus")), getattr(SkaldTrainer, during)

    def told(self: Any, *args: Any) -> Any:
        if self.iteration_step == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
        return own(self, *args)

    with patch.object(SkaldTrainer, during, told), pytest.raises(InterruptedRunError) as caught:
        train(plan, tmp_path / "corpus", tmp_path / "run")
    assert f"stopped by SIGUSR1 after step {last_step} of 6" in str(caught.value)
    train(plan, tmp_path / "corpus", tmp_path / "run")
    train(plan, tmp_path / "corpus", tmp_path / "whole")
    finals = [tmp_path / name / "final" / "curve.jsonl" for name in ("run", "whole")]
    assert finals[0].read_bytes() == finals[1].read_bytes(), "the validation is in it once"


def test_a_signal_before_the_first_step_loses_nothing_and_saves_nothing(tmp_path: Path) -> None:
    """Ranks that are still importing hold it back until they listen."""
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), dp=2)
    plan.save(tmp_path / "plan.yaml")
    process = _child(tmp_path, tmp_path / "run")
    _wait_for_handler(process)
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == EXIT_RESUMABLE, errors
    assert "stopped by SIGUSR1 before its first step" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "run").glob("checkpoints/step_*"))


def test_a_signal_while_no_rank_has_started_reaches_them_all(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), dp=2)
    own = resource_tracker.ensure_running

    def told() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        own()

    with (
        patch.object(resource_tracker, "ensure_running", told),
        pytest.raises(InterruptedRunError, match="stopped by SIGUSR1 before its first step"),
    ):
        train(plan, tmp_path / "corpus", tmp_path / "run")


def _wait_for_handler(process: subprocess.Popen[str]) -> None:
    """Wait until a process handles SIGUSR1: that is when ours are in force."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1:
            return
        time.sleep(0.002)
    raise AssertionError("no handler in 90 s")


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.7, 1.5])
def test_ctrl_c_while_the_command_starts_is_one_line(tmp_path: Path, seconds: float) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), n_steps=100_000)
    plan.save(tmp_path / "plan.yaml")
    words = ["train", "plan.yaml", "--corpus", "corpus", "--out", "runs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "skald_cli.main", *words],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=_environment(),
    )  # fmt: skip
    _wait_for_handler(process)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == EXIT_RESUMABLE, errors
    (line,) = errors.splitlines()
    assert line.startswith("skald: ") and "run the same command again to continue" in line


def test_under_torchrun_the_failing_ranks_line_comes_first(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), n_steps=100_000, dp=2)
    plan.save(tmp_path / "plan.yaml")
    (tmp_path / "child.py").write_text(
        "import os; from pathlib import Path; from support_faults import Fault, planted\n"
        f"fault = planted(Fault('raises', Path({str(tmp_path / 'struck')!r})), int(os.environ['RANK']))\n"
        f"{_CHILD.replace('        train(', '        with fault: train(')}"
    )
    failed = _torchrun(tmp_path, "run")
    assert failed.returncode == 1
    said = [
        line for line in failed.stderr.splitlines() if not line.startswith(("W", "[W", "*", "tiny"))
    ]
    assert said[0].startswith("skald: rank 1 failed: LookupError: planted on purpose"), (
        failed.stderr
    )
    assert failed.stderr.count("Traceback (most recent call last)\n") <= 2, (
        "rank 1's, and torchrun's"
    )
    assert "Connection closed" not in failed.stderr


def _torchrun(folder: Path, out: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = [folder / name for name in ("child.py", "plan.yaml", "corpus", out)]
    return subprocess.run(
        [sys.executable, *words, *map(str, paths)], capture_output=True, text=True, timeout=120,
        env=_environment(), check=False,
    )  # fmt: skip


def test_under_torchrun_every_rank_is_ours_and_one_keeps_the_folder(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = tiny_plan(manifest, dp=2)
    plan.save(tmp_path / "plan.yaml")
    (tmp_path / "child.py").write_text(_CHILD)

    first = _torchrun(tmp_path, "launched")
    assert first.returncode == 0, first.stderr
    again = _torchrun(tmp_path, "launched")
    assert again.returncode == 0, again.stderr
    train(plan, tmp_path / "corpus", tmp_path / "spawned")
    finals = [tmp_path / name / "final" / MODEL_FILE for name in ("launched", "spawned")]
    assert sha256_file(finals[0]) == sha256_file(finals[1])


def test_ranks_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = tiny_plan(manifest, n_steps=100_000, dp=2)
    plan.save(tmp_path / "plan.yaml")
    code, _ = _disturbed(tmp_path, tmp_path / "run", signal.SIGKILL, at_step=2)
    assert code == -signal.SIGKILL
    # stderr is a pipe that the ranks inherit: `communicate` returned, so the last of them is gone.


def test_what_is_half_written_or_half_copied_neither_stays_nor_stands_in_the_way(
    tmp_path: Path,
) -> None:
    plan, out = tiny_plan(tiny_corpus(tmp_path / "corpus")), tmp_path / "run"
    told = before_steps(lambda step: os.kill(os.getpid(), signal.SIGTERM) if step == 5 else None)
    with told, pytest.raises(InterruptedRunError, match="after step 5"):
        train(plan, tmp_path / "corpus", out)
    (out / "checkpoints" / "step_00000005" / "manifest.json").unlink()
    (out / "checkpoints" / ".step_00000004.abc").mkdir()
    (out / ".metrics.jsonl.abc").write_text("")
    train(plan, tmp_path / "corpus", out)
    assert [path.name for path in out.glob(".*")] == [".lock"]
    assert not list(out.glob("checkpoints/.*"))
    assert (out / "final").is_dir()
