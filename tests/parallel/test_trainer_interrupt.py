"""A run that is told to stop, or killed, continues to the very weights of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from skald_specs.checkpoint import MODEL_FILE
from skald_specs.errors import EXIT_RESUMABLE
from skald_specs.files import sha256_file
from skald_trainer.train import train
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


def _disturbed(folder: Path, out: Path, number: signal.Signals, at_step: int) -> tuple[int, str]:
    """Start a run in a process of its own and send it a signal once a step is logged."""
    script = folder / "child.py"
    script.write_text(_CHILD)
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder / "plan.yaml"), str(folder / "corpus"), str(out)],
        stderr=subprocess.PIPE, text=True, env=environment | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
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
    before = json.loads((tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()[-1])
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


def test_a_dying_rank_ends_the_run(tmp_path: Path) -> None:
    from skald_trainer.launch import RankError, run_ranks
    from support_trainer import die_on_rank_1

    started = time.monotonic()
    with pytest.raises(RankError, match="rank 1 ended with code 7"):
        run_ranks(2, die_on_rank_1)
    assert time.monotonic() - started < 30


def test_under_torchrun_every_rank_is_ours_and_one_keeps_the_folder(tmp_path: Path) -> None:
    manifest = tiny_corpus(tmp_path / "corpus")
    plan = tiny_plan(manifest, dp=2)
    plan.save(tmp_path / "plan.yaml")
    (tmp_path / "child.py").write_text(_CHILD)

    def torchrun(out: str) -> subprocess.CompletedProcess[str]:
        words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        paths = [tmp_path / name for name in ("child.py", "plan.yaml", "corpus", out)]
        environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
        return subprocess.run(
            [sys.executable, *words, *map(str, paths)], capture_output=True, text=True, timeout=120,
            env=environment | {"OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip

    first = torchrun("launched")
    assert first.returncode == 0, first.stderr
    again = torchrun("launched")
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
