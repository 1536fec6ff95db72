"""`nox -s bench -- sweep`: proxies a minute, resident workers against one process for each run.

Both arms train the same plans with the same function, validation included, as many at a time as there
are cores, one thread each. The peer starts a Python for every run; the resident pool starts once for a
sweep, so its start is spread over `SWEEP_RUNS` runs. Ratios are taken pair by pair in one go, A B A B,
in wall seconds on a quiet machine and in CPU seconds on a busy one.

The ratio is (start + run) / run, so it falls with what a step computes: at width 32 it is taken at two
batch sizes.

A second comparison has the same workers train runs of four horizons, each by itself and on one trunk.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from _conclude import conclude
from _machine import children_cpu_seconds, is_busy
from _options import options
from skald_corpus.build import build
from skald_corpus.generate import generate
from skald_mup.shrink import widened
from skald_planner.plans.proxy import proxy_plans
from skald_specs.claims import Measure
from skald_specs.corpus import CorpusManifest
from skald_specs.plan import Plan
from skald_specs.recipe import Budget, Recipe, ScheduleRecipe
from skald_specs.runtable import FinishedRun
from skald_trainer.sweep import proxy_runs, resident_workers, trained
from skald_trainer.trunk import tokens_trained

RECIPE = Path("recipes/mup-depth.yaml")
#: Width, tokens a step, least ratio.
CASES = ((32, 256, 4.0), (32, 512, 3.0), (64, 512, 2.0), (128, 512, 1.0))
N_STEPS = 240
#: Width, tokens a step and horizons of runs that share a trunk, with a rate that stays constant after the warmup;
#: tokens trained fall by 1.88, and every run is validated either way.
TRUNK = (32, 512, (15_360, 30_720, 61_440, 122_880))
LEAST_TRUNK = 1.4
PAIRS = 5
#: Runs over which the pool's start is spread: the sweep over widths of the muP proof has 105, the
#: miniature's own has 16.
SWEEP_RUNS = 100
#: What the peer runs: the same proxy, in a fresh interpreter.
_ALONE = """
import sys
from pathlib import Path
from skald_trainer.sweep import proxy_runs
corpus, plan, file = map(Path, sys.argv[1:])
proxy_runs([plan.read_text()], corpus, [file])
"""


class Seconds(NamedTuple):
    """What some work took."""

    wall: float
    cpu: float

    def of(self, busy: bool) -> float:
        """Return the seconds to judge by."""
        return self.cpu if busy else self.wall


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__)
    busy = is_busy()
    workers = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = Recipe.load(RECIPE)
        generate(folder / "data")
        manifest = build(recipe, folder / "data" / "text", folder / "corpus")
        with resident_workers(workers) as pool:
            plans = _plans(recipe, *CASES[0][:2], manifest)[:workers]
            # What the first round takes beyond a second one is processes starting and importing.
            first, second = (_timed(lambda: _resident(pool, plans, folder))[0] for _ in range(2))
            start_seconds = first.of(busy) - second.of(busy)
            measures = [
                measure
                for width, batch_tokens, target in CASES
                for measure in _compared(
                    _plans(recipe, width, batch_tokens, manifest)[:workers],
                    f"width {width}, {batch_tokens} tokens a step", target, folder, pool,
                    start_seconds, busy,
                )
            ]  # fmt: skip
            measures += _on_trunks(_trunk_plans(recipe, manifest), folder, pool, busy)
    return conclude("sweep", "bench", measures, given)


def _compared(
    plans: Sequence[Plan], case: str, target: float, folder: Path, pool: ProcessPoolExecutor,
    start_seconds: float, busy: bool,
) -> Iterator[Measure]:  # fmt: skip
    """Time both arms in turn on one run for each worker."""
    share = start_seconds * len(plans) / SWEEP_RUNS
    ratios, bare, per_minute, differing = [], [], [], 0
    for _ in range(PAIRS):
        ours, kept = _timed(lambda: _resident(pool, plans, folder))
        theirs, alone = _timed(lambda: _separate(plans, folder))
        ratios.append(theirs.of(busy) / (ours.of(busy) + share))
        bare.append(theirs.of(busy) / ours.of(busy))
        per_minute.append(60 * len(plans) / ours.wall)
        differing += sum(a != b for a, b in zip(kept, alone, strict=True))
    yield Measure(
        measure=f"runs a minute against one process a run, {case}, {N_STEPS} steps",
        value=round(statistics.median(ratios), 2),
        unit="x",
        bound=f">= {target:g}",
        holds=statistics.median(ratios) >= target,
        detail=f"{statistics.median(per_minute):.0f} runs a minute; {min(ratios):.2f} to "
        f"{max(ratios):.2f} over {PAIRS} pairs of {len(plans)}; the pool's start of {start_seconds:.1f} s "
        f"is spread over {SWEEP_RUNS} runs, without it {statistics.median(bare):.2f}; "
        f"judged in {'CPU' if busy else 'wall'} seconds",
    )
    yield Measure(
        measure=f"runs whose row or curve differs from the separate run's, {case}",
        value=differing,
        unit=f"of {PAIRS * len(plans)}",
        bound="= 0",
        holds=differing == 0,
        detail="validation loss and every training loss, to the last bit",
    )


def _on_trunks(
    plans: Sequence[Plan], folder: Path, pool: ProcessPoolExecutor, busy: bool
) -> Iterator[Measure]:
    """Time runs that share a trunk against the same runs one by one, in turn."""
    ratios, differing = [], 0
    for _ in range(PAIRS):
        ours, shared = _timed(lambda: _resident(pool, plans, folder))
        theirs, apart = _timed(lambda: _one_by_one(pool, plans, folder))
        ratios.append(theirs.of(busy) / ours.of(busy))
        differing += sum(a != b for a, b in zip(shared, apart, strict=True))
    one_by_one = sum(plan.identity.horizon_tokens.value for plan in plans)
    case = f"{len(TRUNK[2])} horizons, width {TRUNK[0]}, {TRUNK[1]} tokens a step"
    yield Measure(
        measure=f"runs one by one against shared trunks, {case}",
        value=round(statistics.median(ratios), 2),
        unit="x",
        bound=f">= {LEAST_TRUNK:g}",
        holds=statistics.median(ratios) >= LEAST_TRUNK,
        detail=f"{min(ratios):.2f} to {max(ratios):.2f} over {PAIRS} pairs; tokens trained: "
        f"{one_by_one / tokens_trained(plans):.2f}; judged in {'CPU' if busy else 'wall'} seconds",
    )
    yield Measure(
        measure=f"runs whose row or curve a shared trunk changes, {case}",
        value=differing,
        unit=f"of {PAIRS * len(plans)}",
        bound="= 0",
        holds=differing == 0,
        detail="validation loss and every training loss, to the last bit",
    )


def _trunk_plans(recipe: Recipe, manifest: CorpusManifest) -> list[Plan]:
    width, batch_tokens, horizons = TRUNK
    assert recipe.sweep is not None, "the recipe is one of a sweep"
    update = {
        "name": "trunk",
        "model": widened(recipe.model, width),
        "schedule": ScheduleRecipe(warmup_tokens=8 * batch_tokens, decay_fraction=0.0),
        "sweep": recipe.sweep.model_copy(
            update={
                "base_lrs": recipe.sweep.base_lrs[:2],
                "seeds": (1,),
                "horizons_tokens": horizons,
            }
        ),
        "budget": Budget(horizon_tokens=horizons[-1], global_batch_tokens=batch_tokens),
    }
    return proxy_plans(recipe.model_copy(update=update), manifest)


def _plans(recipe: Recipe, width: int, batch_tokens: int, manifest: CorpusManifest) -> list[Plan]:
    assert recipe.sweep is not None, "the recipe is one of a sweep"
    horizon = N_STEPS * batch_tokens
    sweep = recipe.sweep.model_copy(update={"seeds": (1,), "horizons_tokens": (horizon,)})
    update = {
        "name": f"w{width}-b{batch_tokens}",
        "model": widened(recipe.model, width),
        "sweep": sweep,
        "budget": Budget(horizon_tokens=horizon, global_batch_tokens=batch_tokens),
    }
    return proxy_plans(recipe.model_copy(update=update), manifest)


def _timed(work: Callable[[], list[str]]) -> tuple[Seconds, list[str]]:
    wall, cpu = time.perf_counter(), children_cpu_seconds()
    result = work()
    return Seconds(time.perf_counter() - wall, children_cpu_seconds() - cpu), result


def _resident(pool: ProcessPoolExecutor, plans: Sequence[Plan], folder: Path) -> list[str]:
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        files = {plan.name: Path(kept) / f"{plan.name}.json" for plan in plans}
        runs = [run for _, run in trained(pool, plans, folder / "corpus", files)]
    return sorted(run.model_dump_json() for run in runs)


def _one_by_one(pool: ProcessPoolExecutor, plans: Sequence[Plan], folder: Path) -> list[str]:
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        files = [Path(kept) / f"{plan.name}.json" for plan in plans]
        jobs = [
            pool.submit(proxy_runs, [plan.model_dump_json()], folder / "corpus", [file])
            for plan, file in zip(plans, files, strict=True)
        ]
        for job in jobs:
            job.result()
        return sorted(FinishedRun.load(file).model_dump_json() for file in files)


def _separate(plans: Sequence[Plan], folder: Path) -> list[str]:
    def alone(plan: Plan) -> str:
        path, file = (folder / f"{plan.name}.{end}.json" for end in ("plan", "run"))
        path.write_text(plan.model_dump_json(), encoding="utf-8")
        command = (sys.executable, "-c", _ALONE, str(folder / "corpus"), str(path), str(file))
        subprocess.run(command, check=True, capture_output=True)
        return FinishedRun.load(file).model_dump_json()

    with ThreadPoolExecutor(len(plans)) as threads:
        return sorted(threads.map(alone, plans))


if __name__ == "__main__":
    sys.exit(main())
