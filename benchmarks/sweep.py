"""`nox -s bench -- sweep`: proxies in resident workers against one fresh process for each.

Both arms train the same proxies to the end and validate them, as many at a time as there are cores;
the peer starts an interpreter for each one and calls the same `proxy_run`. They take turns, and a
ratio is the median over the pairs. The workers' start is measured once and spread over the runs of
a sweep of 8 learning rates, 2 horizons and 3 widths. Wall seconds count on a quiet machine, CPU
seconds of the runs on a busy one.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

from skald_corpus.build import build
from skald_corpus.generate import generate
from skald_corpus.grammar.register import LANGUAGES
from skald_planner.resolve import make_plan
from skald_specs.claims import Measure, conclude
from skald_specs.corpus import CorpusManifest
from skald_specs.plan import Plan
from skald_specs.recipe import Recipe
from skald_specs.runtable import FinishedRun
from skald_trainer.sweep import proxy_run, resident_workers

#: Least ratio of runs per minute by width, and the runs each core takes in one arm of a pair.
BOUNDS = {32: 4.0, 64: 2.0, 128: 1.0}
RUNS_PER_CORE = {32: 2, 64: 1, 128: 1}
PAIRS, N_STEPS, SEQ_LEN, BATCH_SEQUENCES, VOCAB = 5, 240, 64, 8, 512
#: 8 learning rates x 2 horizons x 3 widths: the sweep over whose runs the workers' start is spread.
SWEEP_RUNS = 48
#: Runnable processes, on average over a minute, above which the machine counts as busy.
BUSY_LOAD = 0.7
FRESH = """
import sys
from pathlib import Path
from skald_trainer.sweep import proxy_run
print(proxy_run(Path(sys.argv[1]).read_text(), Path(sys.argv[2]))[1].model_dump_json())
"""


class Batch(NamedTuple):
    """The runs of one arm of a pair, and what they took together."""

    runs: tuple[FinishedRun, ...]
    wall_seconds: float
    cpu_seconds: float


#: Trains plans of a corpus and returns each run with its CPU seconds (of the process, if fresh).
Arm = Callable[[Sequence[Plan], Path], Sequence[tuple[FinishedRun, float]]]


def main() -> int:
    """Measure and conclude."""
    busy = os.getloadavg()[0] > BUSY_LOAD
    cores = len(os.sched_getaffinity(0))
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory() as folder, resident_workers(cores) as pool:
        corpus = Path(folder) / "corpus"
        generate(Path(folder) / "data")
        manifest = build(recipe(32, 0.01), Path(folder) / "data" / "text", corpus)
        resident, fresh = resident_arm(pool), fresh_arm(cores, Path(folder))
        warm_up = plans(32, 0, cores, manifest)
        first = timed(resident, warm_up, corpus)
        again = timed(resident, warm_up, corpus)
        start = Batch(
            (),
            max(0.0, first.wall_seconds - again.wall_seconds),
            max(0.0, first.cpu_seconds - again.cpu_seconds),
        )
        timed(fresh, warm_up, corpus)
        differing = n_runs = 0
        for width, bound in BOUNDS.items():
            pairs = []
            for number in range(PAIRS):
                batch = plans(width, number, cores * RUNS_PER_CORE[width], manifest)
                pairs.append((timed(resident, batch, corpus), timed(fresh, batch, corpus)))
            n_runs += sum(len(ours.runs) for ours, _ in pairs)
            differing += sum(
                a != b
                for ours, theirs in pairs
                for a, b in zip(ours.runs, theirs.runs, strict=True)
            )
            measures.append(ratio(width, bound, pairs, start, busy))
    measures.append(
        Measure(
            measure="runs whose losses differ between the arms",
            value=differing,
            unit="",
            bound="= 0",
            holds=differing == 0,
            detail=f"of {n_runs}: every training loss and the validation loss, to the bit",
        )
    )
    return conclude("sweep", "bench", measures)


def ratio(
    width: int, bound: float, pairs: list[tuple[Batch, Batch]], start: Batch, busy: bool
) -> Measure:
    """Compare the arms at one width, the workers' start included."""

    def seconds(batch: Batch) -> float:
        return batch.cpu_seconds if busy else batch.wall_seconds

    share = seconds(start) / SWEEP_RUNS
    ratios = [seconds(fresh) / (seconds(ours) + share * len(ours.runs)) for ours, fresh in pairs]
    without = median(seconds(fresh) / seconds(ours) for ours, fresh in pairs)
    per_minute = [
        median(60 * len(batch.runs) / batch.wall_seconds for batch in arm)
        for arm in zip(*pairs, strict=True)
    ]
    cpu = [
        median(batch.cpu_seconds / len(batch.runs) for batch in arm)
        for arm in zip(*pairs, strict=True)
    ]
    return Measure(
        measure=f"runs per minute at width {width}, resident over fresh",
        value=round(median(ratios), 2),
        unit="x",
        bound=f">= {bound:g}",
        holds=median(ratios) >= bound,
        detail=(
            f"{'CPU' if busy else 'wall'} time, pairs {min(ratios):.2f} to {max(ratios):.2f}; "
            f"{without:.2f} without the workers' start of {seconds(start):.1f} s, which is spread "
            f"over {SWEEP_RUNS} runs; {per_minute[0]:.1f} against {per_minute[1]:.1f} runs per "
            f"minute, {cpu[0]:.2f} against {cpu[1]:.2f} CPU s each"
        ),
    )


def recipe(width: int, base_lr: float) -> Recipe:
    """A proxy of two layers, in the proportions of the miniature."""
    n_heads, batch_tokens = width // 16, SEQ_LEN * BATCH_SEQUENCES
    return Recipe.check(
        {
            "schema_version": 1,
            "name": f"proxy-{width}-{base_lr:g}",
            "about": "A proxy of the sweep benchmark",
            "corpus": {
                "source": "data/text",
                "languages": list(LANGUAGES),
                "tokenizer": {"vocab_size": VOCAB, "sample_bytes": 1_000_000},
            },
            "mixture": dict.fromkeys(LANGUAGES, 1.0),
            "model": {
                "d_model": width, "n_layers": 2, "d_head": 16, "n_heads": n_heads,
                "n_kv_heads": max(1, n_heads // 4), "d_ff": width * 7 // 2, "vocab_size": VOCAB,
                "seq_len": SEQ_LEN,
            },
            "parametrisation": {
                "rules": "mup",
                "base": {"base_width": 128, "base_depth": 2, "base_d_head": 16, "base_d_ff": 448},
                "decay": "independent", "weight_decay": 0.00005, "eps": 1e-12,
                "hidden_std": 0.088, "embedding_std": 1.0, "output_std": 0.177,
            },
            "optimizer": {"base_lr": base_lr},
            "schedule": {"warmup_fraction": 0.1, "decay_fraction": 0.3},
            "budget": {
                "horizon_tokens": N_STEPS * batch_tokens, "global_batch_tokens": batch_tokens,
            },
            "execution": {
                "micro_batch_sequences": BATCH_SEQUENCES, "device": "cpu",
                "checkpoint_every_steps": N_STEPS, "validate_every_steps": N_STEPS,
            },
        },
        "benchmarks/sweep.py",
    )  # fmt: skip


def plans(width: int, batch: int, count: int, manifest: CorpusManifest) -> list[Plan]:
    """Learning rates that no other batch has."""
    rates = [0.004 * 1.02 ** (batch * count + i) for i in range(count)]
    return [make_plan(recipe(width, rate), manifest, None) for rate in rates]


def timed(arm: Arm, batch: Sequence[Plan], corpus: Path) -> Batch:
    """Train a batch in one arm."""
    before = time.perf_counter()
    done = arm(batch, corpus)
    wall = time.perf_counter() - before
    return Batch(tuple(run for run, _ in done), wall, sum(cpu for _, cpu in done))


def resident_arm(pool: ProcessPoolExecutor) -> Arm:
    """The sweep's own workers."""

    def train(batch: Sequence[Plan], corpus: Path) -> Sequence[tuple[FinishedRun, float]]:
        asked = [pool.submit(clocked_run, plan.model_dump_json(), corpus) for plan in batch]
        return [future.result() for future in asked]

    return train


def clocked_run(plan_json: str, corpus: Path) -> tuple[FinishedRun, float]:
    """One run in a worker, with what the worker's CPU clock showed since the last one."""
    run = proxy_run(plan_json, corpus)[1]
    global _clock
    before, _clock = _clock, time.process_time()
    return run, _clock - before


_clock = 0.0


def fresh_arm(at_a_time: int, folder: Path) -> Arm:
    """One interpreter for each run."""

    def one(plan: Plan, corpus: Path) -> FinishedRun:
        path = folder / f"{plan.name}.json"
        path.write_text(plan.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-c", FRESH, str(path), str(corpus)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return FinishedRun.model_validate_json(done.stdout)

    def train(batch: Sequence[Plan], corpus: Path) -> Sequence[tuple[FinishedRun, float]]:
        before = children_cpu_seconds()
        with ThreadPoolExecutor(at_a_time) as threads:
            runs = list(threads.map(lambda plan: one(plan, corpus), batch))
        each = (children_cpu_seconds() - before) / len(runs)
        return [(run, each) for run in runs]

    return train


def children_cpu_seconds() -> float:
    """CPU seconds of the child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
