"""Many proxy runs through the same trainer, in resident workers that start once.

On a CPU a small run's start-up costs more than its steps, so each worker (one per core) imports
nanotron once and trains plan after plan. A finished run is kept and not repeated.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd
from skald_mup.counts import flops_per_token
from skald_specs.corpus import CorpusManifest, load_corpus
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_path, write_json
from skald_specs.plan import Plan
from skald_specs.runtable import CURVE_COLUMNS, RUN_TABLE_COLUMNS, FinishedRun, RunRow

from skald_trainer.launch import end_with_parent, ignoring_interrupts
from skald_trainer.loader import TrainingData, validation_sets
from skald_trainer.origin import origin_of
from skald_trainer.run import DivergedError, Validation, choose_device, drive

TABLE_FILE, CURVES_FILE = "runs.parquet", "curves.parquet"
_ORDER = ("width", "depth", "horizon_tokens", "lr", "seed")


def run_sweep(plans: Sequence[Plan], corpus: Path, out: Path, kept: Path | None = None) -> None:
    """Train every plan and write the run table and the loss curves.

    Args:
        plans: One-process plans of any shapes, in any order, each with a name of its own.
        corpus: Folder of the built corpus.
        out: Folder for `runs.parquet` (rows of `RunRow`, ordered by width, depth, horizon, learning
            rate and seed) and `curves.parquet` (rows of `CurveRow`, runs in the same order).
        kept: Folder for finished runs, so that an interrupted sweep loses at most the runs in
            flight; `<out>-runs` by default.

    Raises:
        UserInputError: The corpus is not the one the plans were made for, or two plans share a
            name.
    """
    manifest = load_corpus(corpus)
    for plan in plans:
        if plan.identity.data.corpus_fingerprint != manifest.fingerprint:
            raise UserInputError(str(corpus), "not the corpus of the plans", "Make the plans again")
    names = [plan.name for plan in plans]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserInputError(
            f"sweep {twice[0]}", "two of its plans have this name", "Give each recipe its own name"
        )
    kept = out.with_name(f"{out.name}-runs") if kept is None else kept
    files = {plan.name: kept / f"{_key(plan)}.json" for plan in plans}
    todo = [plan for plan in plans if not files[plan.name].is_file()]
    if todo:
        _train_all(todo, corpus, files)
    runs = [FinishedRun.load(files[plan.name]) for plan in plans]
    runs.sort(key=lambda run: [getattr(run.row, column) for column in _ORDER])
    curves = [
        (run.row.fingerprint, step, loss)
        for run in runs
        for step, loss in enumerate(run.losses, start=1)
    ]
    rows = pd.DataFrame([run.row.model_dump() for run in runs], columns=list(RUN_TABLE_COLUMNS))
    _write(rows, out / TABLE_FILE)
    _write(pd.DataFrame(curves, columns=list(CURVE_COLUMNS)), out / CURVES_FILE)


def _write(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def _key(plan: Plan) -> str:
    origin = origin_of(plan)
    return f"{plan.name}-{plan.fingerprint[:16]}-{origin.code_fingerprint[:16]}"


def _train_all(plans: Sequence[Plan], corpus: Path, files: dict[str, Path]) -> None:
    threads = max(plan.execution.threads_per_process for plan in plans)
    cores = len(os.sched_getaffinity(0)) // threads
    # One worker on a GPU: several would only take turns on the card.
    workers = 1 if choose_device(plans[0]) == "cuda" else max(1, min(len(plans), cores))
    # Longest first: the last ones to finish are then short.
    queue = sorted(plans, key=_flops, reverse=True)
    with resident_workers(workers) as pool:
        with ignoring_interrupts():
            futures = [pool.submit(proxy_run, plan.model_dump_json(), corpus) for plan in queue]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                name, run = future.result()
                write_json(files[name], run.model_dump())
                loss = run.row.loss
                shown = "diverged" if loss is None else f"{loss:.4f} bits/byte"
                print(f"sweep {done}/{len(futures)}  {name}  {shown}", flush=True)
        except BaseException:
            # The runs in flight are lost; the rows that are done are kept.
            for worker in multiprocessing.active_children():
                worker.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def resident_workers(count: int) -> ProcessPoolExecutor:
    """Start processes that live for a whole sweep; each pays its imports with its first run.

    Args:
        count: How many; one for each core that a run's threads leave free.

    Returns:
        The pool; it ends its processes when it is closed, and they end with this one.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=end_with_parent)


def _flops(plan: Plan) -> int:
    return flops_per_token(plan.identity.model) * plan.identity.horizon_tokens.value


def proxy_run(plan_json: str, corpus: Path) -> tuple[str, FinishedRun]:
    """Train one proxy in this process and measure its final validation loss.

    Args:
        plan_json: The plan, as JSON (it crosses a process border).
        corpus: Folder of the built corpus.

    Returns:
        The plan's name, its row of the run table and its training losses.
    """
    plan = Plan.model_validate_json(plan_json)
    manifest = CorpusManifest.load(corpus / "corpus.json")
    data, held_out = TrainingData(plan, corpus, manifest), validation_sets(plan, corpus, manifest)
    measured: Validation = {}
    losses: list[float] = []

    def on_step(trainer: object, step: int, loss: float | None, seconds: float) -> None:
        if loss is None or not math.isfinite(loss):
            raise DivergedError(plan.name)
        losses.append(loss)

    with tempfile.TemporaryDirectory() as folder:
        try:
            drive(
                0, 1, Path(folder) / "rendezvous", plan, data, on_step,
                after=lambda trainer: measured.update(trainer.validate(held_out)),
            )  # fmt: skip
        except DivergedError:
            measured = {}
    # The last update can break what the last training loss has not seen.
    if not all(math.isfinite(bits) for bits, _ in measured.values()):
        measured = {}
    return plan.name, FinishedRun(row=_row(plan, measured), losses=tuple(losses))


def _row(plan: Plan, measured: Validation) -> RunRow:
    identity, loss, loss_se = plan.identity, None, None
    if measured:
        loss = sum(value for value, _ in measured.values()) / len(measured)
        loss_se = math.sqrt(sum(se**2 for _, se in measured.values())) / len(measured)
    return RunRow(
        width=identity.model.d_model,
        depth=identity.model.n_layers,
        n_params_total=identity.n_params_total.value,
        n_params_non_embedding=identity.n_params_non_embedding.value,
        horizon_tokens=identity.horizon_tokens.value,
        global_batch_tokens=identity.global_batch_tokens.value,
        lr=identity.optimizer.base_lr.value,
        schedule="wsd",
        seed=identity.model_seed,
        loss=loss,
        loss_se=loss_se,
        diverged=loss is None,
        fingerprint=plan.fingerprint,
        family=plan.family,
    )
