"""Many proxy runs through the same trainer, in resident workers that start once.

On a CPU a small run's start-up costs more than its steps, so each worker (one per core) imports
nanotron once and trains one group of plans after another; a group shares its trunk (see `trunk`). A
finished run is kept and not repeated.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from skald_mup.counts import flops_per_token
from skald_process.progress import tracked
from skald_process.stopping import CONTINUE, ignoring_interrupts
from skald_specs.corpus import CorpusManifest, load_corpus
from skald_specs.errors import InterruptedRunError, UserInputError
from skald_specs.files import atomic_path, write_json
from skald_specs.plan import Plan
from skald_specs.runtable import CURVE_COLUMNS, RUN_TABLE_COLUMNS, FinishedRun, RunRow

from skald_trainer.guard import DivergedError
from skald_trainer.loader import TrainingData
from skald_trainer.origin import origin_of
from skald_trainer.run import Validation, choose_device, drive
from skald_trainer.stopping import end_with_parent
from skald_trainer.trunk import train_trunk, trunk_groups, trunk_steps

if TYPE_CHECKING:
    from skald_trainer.bridge.trainer import SkaldTrainer

TABLE_FILE, CURVES_FILE = "runs.parquet", "curves.parquet"
_SECONDS_BETWEEN_LOOKS = 0.2


def run_sweep(plans: Sequence[Plan], corpus: Path, out: Path, kept: Path | None = None) -> None:
    """Train every plan and write the run table and the loss curves.

    Args:
        plans: One-process plans of any shapes, in any order.
        corpus: Folder of the built corpus.
        out: Folder for `runs.parquet` and `curves.parquet`.
        kept: Folder for finished rows, so that an interrupted sweep loses at most the runs in
            flight; `<out>-runs` by default.

    Raises:
        UserInputError: The corpus is not the one the plans were made for, or two plans share a name or
            are the same run.
    """
    manifest = load_corpus(corpus)
    _check_once(plans, f"sweep {out.name}")
    for plan in plans:
        if plan.identity.data.corpus_fingerprint != manifest.fingerprint:
            raise UserInputError(str(corpus), "not the corpus of the plans", "Make the plans again")
    kept = out.with_name(f"{out.name}-runs") if kept is None else kept
    files = {plan.name: kept / f"{_key(plan)}.json" for plan in plans}
    todo = [plan for plan in plans if not files[plan.name].is_file()]
    if todo:
        _train_all(todo, corpus, files)
    runs = [FinishedRun.load(files[plan.name]) for plan in plans]
    runs.sort(key=lambda run: _order(run.row))
    rows = pd.DataFrame([run.row.model_dump() for run in runs], columns=list(RUN_TABLE_COLUMNS))
    curves = pd.DataFrame(
        [
            (run.row.fingerprint, step, loss)
            for run in runs
            for step, loss in enumerate(run.losses_nats, start=1)
        ],
        columns=list(CURVE_COLUMNS),
    )
    for table, name in ((curves, CURVES_FILE), (rows, TABLE_FILE)):
        with atomic_path(out / name) as temporary:
            table.to_parquet(temporary, index=False)


def _check_once(plans: Sequence[Plan], where: str) -> None:
    named: dict[str, str] = {}
    for plan in plans:
        if plan.name in named.values():
            raise UserInputError(
                where, f"two runs are named {plan.name}", "Give each run a name of its own"
            )
        if (same := named.setdefault(plan.fingerprint, plan.name)) != plan.name:
            raise UserInputError(
                where, f"{same} and {plan.name} are the same run", "Leave one of them out"
            )


def _order(row: RunRow) -> tuple[float, ...]:
    # The fingerprint would be no order a reader could follow; these tell all runs of a sweep apart.
    size = row.width, row.depth, row.horizon_tokens, row.global_batch_tokens
    return *size, row.lr, row.seed


def _key(plan: Plan) -> str:
    origin = origin_of(plan)
    return f"{plan.name}-{plan.fingerprint[:16]}-{origin.code_fingerprint[:16]}"


def _train_all(plans: Sequence[Plan], corpus: Path, files: dict[str, Path]) -> None:
    threads = plans[0].execution.threads_per_process
    cores = len(os.sched_getaffinity(0)) // threads
    # One worker on a GPU: several would only take turns on the card.
    most = 1 if choose_device(plans[0]) == "cuda" else cores
    with resident_workers(max(1, min(len(trunk_groups(plans)), most))) as pool:
        found = tracked(trained(pool, plans, corpus, files), "proxies", len(plans))
        for done, (name, run) in enumerate(found, start=1):
            loss = run.row.loss
            shown = "diverged" if loss is None else f"{loss:.4f} bits/byte"
            print(f"sweep {done}/{len(plans)}  {name}  {shown}", flush=True)


@contextmanager
def resident_workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Keep processes that train one proxy after another; leaving by an error ends them at once.

    Args:
        count: How many.

    Yields:
        The pool, for `trained`. Runs in flight are lost with an error, finished ones are not.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=end_with_parent) as pool:
        try:
            yield pool
        except BrokenProcessPool:
            raise InterruptedRunError(
                f"a worker was killed, perhaps for want of memory; {CONTINUE}"
            ) from None
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.kill()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def trained(
    pool: ProcessPoolExecutor, plans: Sequence[Plan], corpus: Path, files: dict[str, Path]
) -> Iterator[tuple[str, FinishedRun]]:
    """Train plans in resident workers.

    Args:
        pool: See `resident_workers`.
        plans: One-process plans.
        corpus: Folder of the built corpus.
        files: Where each run is kept, by the plan's name; none is there yet.

    Yields:
        A plan's name and its run, as each finishes. The costliest groups start first, so that the last
        ones to finish are short.
    """
    queue = sorted(trunk_groups(plans), key=_cost, reverse=True)
    with ignoring_interrupts():
        pending = {
            pool.submit(
                proxy_runs,
                [plan.model_dump_json() for plan in group],
                corpus,
                [files[plan.name] for plan in group],
            )
            for group in queue
        }
    left = [plan.name for group in queue for plan in group]
    while left:
        # A worker keeps each run when it is done, long before its group is.
        over, pending = wait(pending, _SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
        for future in over:
            future.result()
        for name in [name for name in left if files[name].is_file()]:
            left.remove(name)
            yield name, FinishedRun.load(files[name])


def _cost(group: Sequence[Plan]) -> tuple[int, int]:
    """Return operations, then steps: of two equal groups the one with small batches takes longer."""
    identity, steps = group[0].identity, trunk_steps(group)
    return flops_per_token(identity.model) * steps * identity.global_batch_tokens.value, steps


def proxy_runs(plans_json: Sequence[str], corpus: Path, files: Sequence[Path]) -> None:
    """Train proxies that share a trunk in this process, and keep each as soon as it is done.

    Args:
        plans_json: A group of `trunk.trunk_groups`, as JSON (it crosses a process border).
        corpus: Folder of the built corpus.
        files: Where to write each plan's `FinishedRun`.
    """
    group = [Plan.model_validate_json(plan_json) for plan_json in plans_json]
    kept = {plan.name: file for plan, file in zip(group, files, strict=True)}

    def keep(plan: Plan, measured: Validation, losses: tuple[float, ...]) -> None:
        run = FinishedRun(row=_row(plan, measured), losses_nats=losses)
        write_json(kept[plan.name], run.model_dump())

    train_trunk(group, corpus, keep)


def train_alone(
    plan: Plan, corpus: Path, after: Callable[[SkaldTrainer], None]
) -> tuple[float, ...]:
    """Train a one-process plan in this process and keep nothing but its losses.

    Args:
        plan: The plan.
        corpus: Folder of the built corpus.
        after: Called with the trainer after the last step, unless the run diverged.

    Returns:
        The training loss of each step in nats; fewer than the plan's steps where it diverged.
    """
    data = TrainingData(plan, corpus, CorpusManifest.load(corpus / "corpus.json"))
    losses: list[float] = []

    def on_step(trainer: object, step: int, loss: float | None, seconds: float) -> None:
        if loss is None or not math.isfinite(loss):
            raise DivergedError(plan.name)
        losses.append(loss)

    with tempfile.TemporaryDirectory() as folder, suppress(DivergedError):
        drive(0, 1, Path(folder) / "rendezvous", plan, data, on_step, after=after)
    return tuple(losses)


def _row(plan: Plan, measured: Validation) -> RunRow:
    identity, loss, loss_se = plan.identity, None, None
    # A run can end on a finite training loss with weights whose validation loss is none.
    if measured and all(math.isfinite(value) for value, _ in measured.values()):
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
