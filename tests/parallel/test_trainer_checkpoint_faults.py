"""A checkpoint is whole or absent whenever the writer dies, the disk fills or the run goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from skald_mup import tensorfile
from skald_mup.init import initial_weights
from skald_specs.checkpoint import MOMENTS, CheckpointState, checkpoints_in
from skald_specs.errors import EXIT_USER_INPUT
from skald_specs.plan import Plan
from skald_trainer import checkpoint
from skald_trainer.folder import RunFolder
from skald_trainer.launch import run_ranks
from skald_trainer.train import remove_leftovers, train
from support_checkpoints import gather
from support_trainer import tiny_corpus, tiny_plan

pytestmark = [pytest.mark.parallel, pytest.mark.slow]


def _save(folder: Path, plan: Plan, step: int) -> None:
    weights = initial_weights(plan.identity)
    moments = {f"{what}.{name}": t for what in MOMENTS for name, t in weights.items()}
    state = CheckpointState(step=step, tokens_seen=step * 128, samples_seen=step * 8)
    checkpoint.save(checkpoint.path_of(folder, step), plan, state, weights, moments, 20_000)


def _die_at(moment: int) -> None:
    """Have this process killed before its n-th step of anything that touches the disk."""
    left = [moment]

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return original(*args, **kwargs)

        return called

    Path.replace = dying(Path.replace)
    Path.mkdir = dying(Path.mkdir)
    os.fsync = dying(os.fsync)
    os.unlink = dying(os.unlink)
    os.rmdir = dying(os.rmdir)
    tensorfile.save_file = dying(tensorfile.save_file)


def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"))
    before = tmp_path / "before"
    _save(before / "checkpoints", plan, 3)
    found, moment, code = [], 0, -1
    while code != 0:
        root = tmp_path / str(moment)
        shutil.copytree(before, root)
        child = os.fork()
        if child == 0:
            _die_at(moment)
            _save(root / "checkpoints", plan, 6)
            checkpoint.prune(root / "checkpoints", 6, keep_last=1, keep_every_steps=None)
            os._exit(0)
        code = os.waitpid(child, 0)[1]
        remove_leftovers(RunFolder(root))
        left = checkpoints_in(root / "checkpoints")
        for path in left:
            checkpoint.check(path, plan)
        newest = checkpoint.latest(root / "checkpoints", plan)
        assert newest is not None, f"nothing whole after a kill at moment {moment}"
        found.append(newest.name[-1])
        assert [p for p in (root / "checkpoints").iterdir() if p not in left] == []
        shutil.rmtree(root)
        moment += 1
    assert moment > 20, "there were that many moments"
    assert "".join(found) == "3" * found.count("3") + "6" * found.count("6")
    assert found.count("3") > 10 and found.count("6") > 5


_FULL = """
import sys
from pathlib import Path
from skald_specs.errors import SkaldError
from skald_specs.plan import Plan
from skald_trainer.train import train
try:
    train(Plan.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]))
except SkaldError as error:
    print(error, file=sys.stderr)
    # Copied out of the file system that ends with this process.
    import shutil
    shutil.copytree(Path(sys.argv[3]) / "checkpoints", sys.argv[4])
    sys.exit(error.exit_code)
"""


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path) -> None:
    """On a file system of its own that has room for one checkpoint and a half."""
    corpus, out = tmp_path / "corpus", tmp_path / "run"
    plan = tiny_plan(tiny_corpus(corpus), n_steps=40, keep_last=1)
    plan.save(tmp_path / "plan.yaml")
    (tmp_path / "child.py").write_text(_FULL)
    one = tmp_path / "one"
    _save(one, plan, 3)
    size = sum(file.stat().st_size for file in one.rglob("*")) * 3 // 2
    (out / "checkpoints").mkdir(parents=True)
    mount = f'mount -t tmpfs -o size={size} tmpfs "$1" && shift && exec "$@"'
    names = ("child.py", "plan.yaml", "corpus", "run", "copy")
    words = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(out / "checkpoints"), sys.executable]
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no file system of one's own can be mounted here")
    ended = subprocess.run(
        [*words, *(str(tmp_path / name) for name in names)],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert ended.returncode == EXIT_USER_INPUT, ended.stderr
    assert "the disk is full. Free some space" in ended.stderr
    assert "step_00000006" in ended.stderr
    assert "Traceback" not in ended.stderr
    left = list((tmp_path / "copy").iterdir())
    assert [path.name for path in left] == ["step_00000003"]
    checkpoint.check(left[0], plan)


def test_steps_go_on_while_a_checkpoint_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write of step 3 does not end before step 5 is logged: waiting for it would never end."""
    corpus, whole = tmp_path / "corpus", checkpoint.save
    plan = tiny_plan(tiny_corpus(corpus), n_steps=9)
    metrics, seen = tmp_path / "run" / "metrics.jsonl", []

    def slow(folder: Path, *args: Any) -> Path:
        deadline = time.monotonic() + 60
        while folder.name.endswith("3") and not seen:
            assert time.monotonic() < deadline, "no step was taken meanwhile"
            rows = [json.loads(line) for line in metrics.read_text().splitlines()]
            seen.extend(row["step"] for row in rows if row["step"] == 5)
            time.sleep(0.005)
        return whole(folder, *args)

    monkeypatch.setattr(checkpoint, "save", slow)
    train(plan, corpus, tmp_path / "run")
    assert seen[0] == 5
    monkeypatch.setattr(checkpoint, "save", whole)
    train(plan, corpus, tmp_path / "undisturbed")
    weights = [tmp_path / run / "final" / "model.safetensors" for run in ("run", "undisturbed")]
    assert weights[0].read_bytes() == weights[1].read_bytes(), "the copy is the run's own no more"


def test_one_rank_alone_holds_full_tensors(tmp_path: Path) -> None:
    plan = tiny_plan(tiny_corpus(tmp_path / "corpus"), tp=2)
    run_ranks(2, gather, plan.model_dump_json(), tmp_path / "corpus")
    held = [int((tmp_path / f"held.{rank}").read_text()) for rank in range(2)]
    assert held == [3 * len(initial_weights(plan.identity)), 0]
