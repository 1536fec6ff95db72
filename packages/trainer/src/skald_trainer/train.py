"""Train one plan to its end: fresh, continued after a stop, or already done."""

from __future__ import annotations

import shutil
from pathlib import Path

from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    PLAN_FILE,
    STATE_FILE,
    CheckpointManifest,
)
from skald_specs.corpus import load_corpus
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, sha256_file, write_json, write_jsonl
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.launch import leads, run_ranks, started_elsewhere
from skald_trainer.origin import origin_of
from skald_trainer.run import RunFolder, choose_device, train_rank
from skald_trainer.runlog import curve_rows

CURVE_FILE = "curve.jsonl"


def train(plan: Plan, corpus: Path, out: Path, resume: Path | None = None) -> None:
    """Train a plan; the finished run lies in `out/final`.

    A folder that holds this very run (same plan, corpus and code) is continued from its newest
    whole checkpoint; anything else in it makes the run start afresh.

    Args:
        plan: The resolved plan.
        corpus: Folder of the built corpus.
        out: The run folder.
        resume: A checkpoint to continue from, whatever the folder holds.

    Raises:
        UserInputError: The corpus or the checkpoint belongs to something else.
        InterruptedRunError: A signal stopped the run in a state that this call continues.
        ClaimError: The loss diverged.
    """
    folder, layout = RunFolder(out), plan.execution
    _check_corpus(plan, corpus)
    if layout.device == "cuda":
        choose_device(plan)
    if resume is not None:
        _check_resume(plan, resume)
    keeper = leads()
    if keeper:
        resume = _prepared(plan, folder, resume)
    done = resume is not None and (
        checkpoint.load_state(resume).step >= plan.identity.schedule.n_steps.value
    )
    # Ranks that torchrun started wait for rank 0's word, even when there is nothing left to do.
    if not done or started_elsewhere():
        world_size = layout.dp * layout.tp * layout.pp
        run_ranks(world_size, train_rank, plan.model_dump_json(), corpus, out, resume)
    if keeper:
        n_steps = plan.identity.schedule.n_steps.value
        _finish(plan, folder, resume if done else checkpoint.path_of(folder.checkpoints, n_steps))


def _prepared(plan: Plan, folder: RunFolder, resume: Path | None) -> Path | None:
    """Keep what belongs to this very run, remove the rest; return where to continue."""
    _remove_leftovers(folder)
    origin = origin_of(plan)
    if not origin.matches(folder.origin):
        stale = [folder.final, *folder.checkpoints.glob("step_*")]
        for path in stale:
            if resume is None or path.resolve() != resume.resolve():
                shutil.rmtree(path, ignore_errors=True)
        folder.metrics.unlink(missing_ok=True)
    elif resume is None:
        resume = checkpoint.latest(folder.checkpoints, plan)
    for path in folder.checkpoints.glob("step_*"):
        # Half a copy, made by hand: it would stand in the way when the run saves that step.
        if not (path / MANIFEST_FILE).is_file():
            shutil.rmtree(path, ignore_errors=True)
    origin.save(folder.origin)
    if resume is not None:
        print(f"{plan.name}: continuing from {resume.name}")
    return resume


def _remove_leftovers(folder: RunFolder) -> None:
    """Remove what a kill left half-written, and what the last start said of its end."""
    for torn in [*folder.checkpoints.glob(".step_*"), *folder.root.glob(".final.*")]:
        shutil.rmtree(torn, ignore_errors=True)
    told = [folder.bad_step, *folder.root.glob("watchdog.rank*.txt")]
    for path in [*told, *folder.root.glob(".metrics.jsonl.*"), *folder.root.glob(".origin.json.*")]:
        path.unlink(missing_ok=True)


def _check_corpus(plan: Plan, corpus: Path) -> None:
    manifest = load_corpus(corpus)
    if manifest.fingerprint != plan.identity.data.corpus_fingerprint:
        raise UserInputError(
            str(corpus), f"not the corpus that plan {plan.name} was made for", "Make the plan again"
        )


def _check_resume(plan: Plan, resume: Path) -> None:
    manifest = checkpoint.verify(resume)
    if not (resume / STATE_FILE).is_file():
        raise UserInputError(
            str(resume), "a finished model without Adam's state", "Name a folder under checkpoints/"
        )
    if manifest.plan_fingerprint != plan.fingerprint:
        raise UserInputError(
            str(resume),
            f"belongs to another plan ({manifest.plan_fingerprint[:12]}, not "
            f"{plan.fingerprint[:12]})",
            "Resume with the plan.yaml inside the checkpoint, or train afresh without --resume",
        )


def _finish(plan: Plan, folder: RunFolder, last: Path | None) -> None:
    """Lay out `final/` from the last checkpoint and the metrics, without anything timed."""
    assert last is not None, "a finished run has a last checkpoint"
    n_steps = plan.identity.schedule.n_steps.value
    assert checkpoint.verify(last).plan_fingerprint == plan.fingerprint
    curve = curve_rows(folder.metrics)
    steps = [row["step"] for row in curve if "loss_nats" in row or "skipped" in row]
    if steps != list(range(n_steps - len(steps) + 1, n_steps + 1)):
        raise UserInputError(
            str(folder.metrics), "steps are missing from the log", f"Remove {folder.root} and train"
        )
    with atomic_folder(folder.final, marker=MANIFEST_FILE) as temporary:
        shutil.copyfile(last / MODEL_FILE, temporary / MODEL_FILE)
        plan.save(temporary / PLAN_FILE)
        write_jsonl(temporary / CURVE_FILE, curve)
        manifest = CheckpointManifest(
            schema_version=1,
            plan_fingerprint=plan.fingerprint,
            corpus_fingerprint=plan.identity.data.corpus_fingerprint,
            step=n_steps,
            sha256={file.name: sha256_file(file) for file in sorted(temporary.iterdir())},
        )
        write_json(temporary / MANIFEST_FILE, manifest.model_dump())
