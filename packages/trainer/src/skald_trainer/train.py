"""Train one plan to its end: fresh, continued after a stop, or already done."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

from skald_mup.names import tensor_shapes
from skald_mup.tensorfile import TensorReader, tensor_files, weights_sha256
from skald_process.locks import held
from skald_process.progress import handed_over
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    MODEL_FILE,
    PLAN_FILE,
    checkpoint_step,
    checkpoints_in,
)
from skald_specs.corpus import load_corpus
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, write_jsonl
from skald_specs.plan import Plan

from skald_trainer import checkpoint
from skald_trainer.folder import RunFolder
from skald_trainer.launch import run_ranks
from skald_trainer.loader import TrainingData
from skald_trainer.meeting import allow_overlap, leads, started_elsewhere
from skald_trainer.metrics import curve_rows, first_step
from skald_trainer.origin import Origin, origin_of
from skald_trainer.rank import train_rank
from skald_trainer.run import choose_device, gpus_and_processes
from skald_trainer.sinks import check_sinks

CURVE_FILE = "curve.jsonl"


def train(plan: Plan, corpus: Path, out: Path, resume: Path | None = None) -> None:
    """Train a plan; the finished run lies in `out/final`.

    A folder that holds this very run (same plan, corpus and code) is continued from its newest
    whole checkpoint; anything else in it makes the run start afresh.

    Args:
        plan: The resolved plan.
        corpus: Folder of the built corpus.
        out: The run folder.
        resume: A checkpoint to continue from, whatever the folder holds; a start checkpoint (step
            0) only where the folder holds nothing newer of this run.

    Raises:
        UserInputError: The corpus or the checkpoint belongs to something else.
        LockedError: Another process trains in the folder.
        InterruptedRunError: A signal stopped the run in a state that this call continues.
        DivergedError: A step was bad, see `guard`.
    """
    folder, layout = RunFolder(out), plan.execution
    _check_corpus(plan, corpus)
    check_sinks(layout)
    allow_overlap(layout)
    _tell_device(plan)
    if resume is not None:
        _check_resume(plan, resume)
    keeper = leads()
    with held(folder.lock, folder.refusal) if keeper else nullcontext():
        if keeper:
            resume = _prepared(plan, folder, resume)
        n_steps = plan.identity.schedule.n_steps.value
        done = resume is not None and checkpoint.load_state(resume).step >= n_steps
        # Ranks that torchrun started wait for rank 0's word, even when there is nothing left to do.
        if not done or started_elsewhere():
            with handed_over():
                run_ranks(
                    layout.world_size, train_rank, plan.model_dump_json(), corpus, out, resume
                )
        if keeper:
            last = resume if done else checkpoint.path_of(folder.checkpoints, n_steps)
            _finish(plan, folder, last)


def _tell_device(plan: Plan) -> None:
    """Refuse GPUs that are not there before anything is written, and say when GPUs stay unused."""
    if plan.execution.device == "cpu" or choose_device(plan) == "cuda" or not leads():
        return
    n_gpus, n_processes = gpus_and_processes(plan)
    if n_gpus:
        print(
            f"{plan.name}: on the CPU, for its {n_processes} processes want a GPU each and "
            f"this machine has {n_gpus}; dp, tp and pp of the plan's `execution` block say how many"
        )


def _prepared(plan: Plan, folder: RunFolder, resume: Path | None) -> Path | None:
    """Keep what belongs to this very run, remove the rest; return where to continue."""
    origin = origin_of(plan)
    remove_leftovers(folder)
    ours = origin.matches(folder.origin)
    if ours and (resume is None or checkpoint.load_state(resume).step == 0):
        # A start checkpoint is where a run begins, not where a stopped one goes on.
        resume = checkpoint.latest(folder.checkpoints, plan) or resume
    if resume is None and (wanted := plan.identity.start_weights_sha256):
        raise UserInputError(
            f"plan {plan.name}",
            f"starts from given weights (identity.start_weights_sha256 = {wanted[:12]})",
            "Name their checkpoint with --resume",
        )
    if not ours:
        for path in (folder.final, *checkpoints_in(folder.checkpoints)):
            if resume is None or path.resolve() != resume.resolve():
                shutil.rmtree(path, ignore_errors=True)
        folder.metrics.unlink(missing_ok=True)
    if resume is not None:
        _carry_log(plan, folder, resume)
        print(f"{plan.name}: continuing from {resume.name}")
    origin.save(folder.origin)
    return resume


def remove_leftovers(folder: RunFolder) -> None:
    """Remove what a kill left half-written, and what the last start said of its end."""
    for path in [*folder.told_of_the_end(), *folder.half_written()]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _carry_log(plan: Plan, folder: RunFolder, resume: Path) -> None:
    """Have the log reach up to the checkpoint: a curve begins where its log does."""
    step = checkpoint.load_state(resume).step
    if step == 0 or first_step(folder.metrics, step) is not None:
        return
    if resume.resolve().parent == folder.checkpoints.resolve():
        # Lost with the machine's memory; what there is of it stays.
        print(f"{plan.name}: the log misses steps up to {step}, so the curve begins after that one")
        return
    former = RunFolder(resume.resolve().parent.parent)
    theirs = Origin.load(former.origin) if former.origin.is_file() else None
    first = None
    if theirs is not None and theirs.plan_fingerprint == plan.fingerprint:
        first = first_step(former.metrics, step)
    folder.metrics.unlink(missing_ok=True)
    if first is not None:
        folder.root.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(former.metrics, folder.metrics)
    if first != 1:
        print(
            f"{plan.name}: {resume} has no log of the steps before {first or step + 1} beside it "
            "(../../metrics.jsonl), so the curve begins there"
        )


def _check_corpus(plan: Plan, corpus: Path) -> None:
    plan.check_corpus_known()
    manifest = load_corpus(corpus)
    if manifest.fingerprint != plan.identity.data.corpus_fingerprint:
        raise UserInputError(
            str(corpus), f"not the corpus that plan {plan.name} was made for", "Make the plan again"
        )
    # What it refuses is refused before anything in the run folder is touched.
    TrainingData(plan, corpus, manifest)


def _check_resume(plan: Plan, resume: Path) -> None:
    """Refuse what cannot be continued from, and offer what can."""
    try:
        checkpoint.check(resume, plan)
        _check_start(plan, resume)
    except UserInputError as problem:
        folder = resume / "checkpoints" if (resume / "checkpoints").is_dir() else resume.parent
        below = checkpoint_step(resume)
        good = checkpoint.latest(folder, plan, below, quiet=True)
        if good is None:
            raise
        remedy = f"{problem.remedy}; the one before it is good: --resume {good}"
        raise UserInputError(problem.where, problem.problem, remedy) from None


def _check_start(plan: Plan, resume: Path) -> None:
    """Check that a start checkpoint holds the weights that its plan was made for."""
    if checkpoint.load_state(resume).step == 0:
        weights = TensorReader(resume / MODEL_FILE)
        found = weights_sha256(weights, tensor_shapes(plan.identity.model))
        if found != plan.identity.start_weights_sha256:
            raise UserInputError(
                str(resume / MODEL_FILE),
                f"other weights ({found[:12]}) than the plan's start_weights_sha256",
                "Make the start again with `skald checkpoint convert`",
            )


def _finish(plan: Plan, folder: RunFolder, last: Path | None) -> None:
    """Lay out `final/` from the last checkpoint and the metrics, without anything timed."""
    assert last is not None, "a finished run has a last checkpoint"
    n_steps = plan.identity.schedule.n_steps.value
    manifest = checkpoint.verify(last)
    assert manifest.plan_fingerprint == plan.fingerprint, "only this plan's checkpoints lie there"
    curve = curve_rows(folder.metrics)
    # What came before a gap is no part of the curve; `_carry_log` has told of it.
    first = first_step(folder.metrics, n_steps)
    curve = [row for row in curve if first is not None and row["step"] >= first]
    with atomic_folder(folder.final, marker=MANIFEST_FILE) as temporary:
        for file in tensor_files(last / MODEL_FILE):
            shutil.copyfile(file, temporary / file.name)
        plan.save(temporary / PLAN_FILE)
        write_jsonl(temporary / CURVE_FILE, curve)
        checkpoint.write_manifest(temporary, plan, n_steps)
