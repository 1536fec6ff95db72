"""Checkpoints that are damaged or somebody else's, and a disk that fills up while one is written."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from _faults_lives import (
    N_STEPS,
    Forked,
    ended,
    last_step,
    made_plan,
    newest_whole,
    reached,
    result,
)
from skald_specs.checkpoint import MANIFEST_FILE, MODEL_FILE, OPTIMIZER_FILE, verify
from skald_specs.claims import Measure
from skald_specs.errors import EXIT_USER_INPUT
from skald_trainer.folder import RunFolder

_DISK_BYTES, _LEFT_BYTES = 48 << 20, 150_000


def measures(folder: Path, corpus: Path) -> list[Measure]:
    """Damage, fill, and see what is left."""
    return [_damaged(folder, corpus), _full(folder, corpus)]


def _truncate(path: Path, other: Path) -> None:
    file = path / MODEL_FILE
    file.write_bytes(file.read_bytes()[:-1000])


def _flip(path: Path, other: Path) -> None:
    file = path / OPTIMIZER_FILE
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _lose_manifest(path: Path, other: Path) -> None:
    (path / MANIFEST_FILE).unlink()


def _exchange(path: Path, other: Path) -> None:
    shutil.rmtree(path)
    shutil.copytree(other, path)


_DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    "truncated": _truncate,
    "bit-flipped": _flip,
    "without a manifest": _lose_manifest,
    "of another plan": _exchange,
}


def _damaged(folder: Path, corpus: Path) -> Measure:
    """Damage the newest checkpoint of a killed run; name it, refuse it, go on from the one before."""
    plan, killed, wrong = made_plan(corpus), folder / "to-damage", list[str]()
    other = folder / "other"
    n_steps = N_STEPS // 2
    assert (
        ended(Forked(made_plan(corpus, n_steps=n_steps), corpus, other, folder / "other.log")) == 0
    )
    foreign = newest_whole(other)
    life = Forked(plan, corpus, killed, folder / "to-damage.log")
    reached(life, killed, n_steps)
    life.send(signal.SIGKILL)
    ended(life)
    assert foreign is not None
    for what, damage in _DAMAGES.items():
        out, log = folder / f"damaged-{what}", folder / "damaged.log"
        shutil.copytree(killed, out)
        newest = newest_whole(out)
        assert newest is not None
        damage(newest, foreign)
        before = newest_whole(out) if what != "of another plan" else None
        offered = sorted(RunFolder(out).checkpoints.glob("step_*"))[-2]
        assert before in (offered, None)
        code = ended(Forked(plan, corpus, out, log, resume=newest))
        said = log.read_text()
        if code != EXIT_USER_INPUT or newest.name not in said or "Traceback" in said:
            wrong.append(f"{what}: named by --resume (code {code}: {said[-300:]})")
        code = ended(Forked(plan, corpus, out, log))
        said = log.read_text()
        words = (f"passing over {newest}", f"continuing from {offered.name}")
        if code != 0 or any(word not in said for word in words):
            wrong.append(f"{what}: met by a restart (code {code}: {said[-300:]})")
        elif result(out) != result(folder / "forked-reference"):
            wrong.append(f"{what}: another result")
    return Measure(
        measure="damaged or foreign checkpoints that were not named, refused and passed over",
        value=len(wrong), unit="", bound="= 0", holds=not wrong,
        detail="; ".join(wrong) or f"{', '.join(_DAMAGES)}; the one before was continued from, alike",
    )  # fmt: skip


def _full(folder: Path, corpus: Path) -> Measure:
    """Fill the disk of a run; the save fails in one line, and the old checkpoint stays whole."""
    plan, disk, log = made_plan(corpus), folder / "disk", folder / "full.log"
    disk.mkdir()
    mounted = _mount(disk)
    out, filler, wrong = disk / "run", disk / "filler", list[str]()
    try:
        life = Forked(plan, corpus, out, log)
        reached(life, out, N_STEPS // 3)
        if mounted:
            # Frozen, so that it is the saving which meets the end of the disk.
            life.send(signal.SIGSTOP)
            filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - _LEFT_BYTES)))
            life.send(signal.SIGCONT)
        else:
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (_LEFT_BYTES, _LEFT_BYTES))
        code, said, whole = ended(life), log.read_text(), newest_whole(out)
        words = "the disk is full" if mounted else "cannot be written"
        if code != EXIT_USER_INPUT or words not in said or "Traceback" in said:
            wrong.append(f"code {code}: {said[-300:]}")
        if whole is None or last_step(out) - verify(whole).step > 2 * plan.execution.keep_last * 5:
            wrong.append(f"the newest whole checkpoint is {whole}, at step {last_step(out)}")
        filler.unlink(missing_ok=True)
        if ended(Forked(plan, corpus, out, log)) != 0 or result(out) != result(
            folder / "forked-reference"
        ):
            wrong.append(f"did not continue alike: {log.read_text()[-300:]}")
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)
    how = "a tmpfs that was filled" if mounted else "RLIMIT_FSIZE; a tmpfs may not be mounted here"
    return Measure(
        measure="disks that filled up while saving and spoilt something", value=len(wrong), unit="",
        bound="= 0", holds=not wrong, detail="; ".join(wrong) or f"by {how}; continued alike",
    )  # fmt: skip


def _mount(disk: Path) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
