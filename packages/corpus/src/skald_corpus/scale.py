"""The one door to datatrove: a pool whose items are ranks of its local or its Slurm executor.

Knows how to hand a function and its items over, to wait, and to bring the results back in their order;
knows nothing of text. What comes out is what `Pool` gives, byte for byte.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from skald_specs.errors import SkaldError, UserInputError
from skald_specs.slurm import SlurmSettings

from skald_corpus.pipeline.carried import carry, failed, has_result, result
from skald_corpus.pipeline.pool import Pool
from skald_corpus.pipeline.rows import Part

# datatrove's logger reads it once, on import; its workers inherit it. Their log files are not affected.
os.environ.setdefault("LOGURU_LEVEL", "ERROR")
from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

A = TypeVar("A")
B = TypeVar("B")

#: Seconds that a network file system may take to show what another node wrote.
_SETTLE_SECONDS = 60.0


class Work(PipelineStep):
    """The step that every rank runs: the function on the item of that number.

    Args:
        function: The work; a function of a module, or a `partial` of one.
        items: One for each rank.
        folder: Where results go.
    """

    type, name = "Skald", "one item of a stage"

    def __init__(
        self, function: Callable[[Any], object], items: Sequence[object], folder: Path
    ) -> None:
        super().__init__()
        self.held, self.folder = _Held(function, items), folder

    def run(self, data: object = None, rank: int = 0, world_size: int = 1) -> None:
        """Work on the rank's item; the signature is datatrove's.

        Args:
            data: What datatrove hands from step to step; unused.
            rank: Number of the item.
            world_size: How many ranks there are; unused.
        """
        carry(self.held.function, self.held.items[rank], self.folder, rank)


class _Held:
    """Work as one word: datatrove writes every field of a step into a JSON file by its `str`."""

    def __init__(self, function: Callable[[Any], object], items: Sequence[object]) -> None:
        self.function, self.items = function, items

    def __repr__(self) -> str:
        return f"{len(self.items)} items"


class RankPool(Pool):
    """A pool that runs on datatrove's executors.

    Args:
        workers: Ranks at a time; with Slurm 0 means as many as the cluster gives.
        scratch: Folder for results and logs, on a file system that all nodes share. What it held
            is removed; what belongs to a stage that succeeded is removed, too.
        slurm: Settings of the cluster; None runs on this machine.

    Raises:
        UserInputError: This process is itself a task of a Slurm array.
    """

    def __init__(self, workers: int, scratch: Path, slurm: SlurmSettings | None = None) -> None:
        super().__init__(workers)
        self._scratch, self._slurm = scratch.resolve(), slurm
        if "SLURM_ARRAY_TASK_ID" in os.environ:
            # datatrove would take this process for one of its ranks.
            raise UserInputError(
                "--engine",
                "this is a task of a Slurm array",
                "Start it on a login node, or as a job of its own",
            )
        shutil.rmtree(self._scratch, ignore_errors=True)

    def map(self, function: Callable[[A], B], items: Sequence[A]) -> Iterable[B]:
        """Return the results in the order of the items, when all are there.

        Args:
            function: As for `Pool.map`, pickled for every rank.
            items: One a rank; none starts nothing.

        Raises:
            UserInputError: The function raised it, or sbatch is not there.
            SkaldError: A rank failed; names its item and its log.
        """
        if not items:
            return []
        self._scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="map-", dir=self._scratch))
        results = folder / "results"
        results.mkdir()
        work = Work(function, items, results)
        if self._slurm is None:
            self._run_here(work, folder)
        else:
            self._run_on_slurm(work, folder, self._slurm)
        first = failed(results)
        for rank in range(len(items)) if first is None else [first]:
            if not has_result(results, rank):
                raise SkaldError(
                    f"{named(items[rank])}: its rank {rank} ended without a result, see "
                    f"{_log(folder, rank)}"
                )
        if first is not None:
            result(results, first, named(items[first]))
        found: list[Any] = [result(results, i, named(item)) for i, item in enumerate(items)]
        shutil.rmtree(self._scratch, ignore_errors=True)
        return found

    def _run_here(self, work: Work, folder: Path) -> None:
        tasks = len(work.held.items)
        _Local(
            pipeline=[work],
            tasks=tasks,
            workers=min(self.workers, tasks),
            logging_dir=str(folder),
        ).run()

    def _run_on_slurm(self, work: Work, folder: Path, settings: SlurmSettings) -> None:
        job = f"skald-{folder.name}"
        executor = _Slurm(
            pipeline=[work],
            tasks=len(work.held.items),
            time=settings.time,
            partition=settings.partition,
            cpus_per_task=settings.cpus,
            mem_per_cpu_gb=settings.memory_gb_per_cpu,
            workers=self.workers or -1,
            job_name=job,
            qos=None,
            env_command=settings.env_command or None,
            # sbatch then returns when all ranks have ended.
            sbatch_args={**settings.sbatch, "wait": ""},
            tasks_per_job=settings.parts_per_job,
            max_array_size=settings.max_array,
            logging_dir=str(folder),
        )
        try:
            executor.run()
        except FileNotFoundError as error:
            if error.filename != "sbatch":
                raise
            raise UserInputError(
                "--engine", "there is no sbatch here", "Run it where Slurm's commands are"
            ) from None
        except subprocess.CalledProcessError as error:
            # A job that failed says so in what it left; without a log there never was a job.
            if not any((folder / "slurm_logs").glob("*.out")):
                raise SkaldError(
                    f"sbatch refused {folder / 'launch_script.slurm'} (exit code {error.returncode})"
                ) from None
            return
        except KeyboardInterrupt:
            subprocess.run(["scancel", "-n", job], check=False)
            raise
        self._settle(folder / "results", len(work.held.items))

    def _settle(self, results: Path, n: int) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while failed(results) is None and not all(has_result(results, i) for i in range(n)):
            if time.monotonic() > deadline:
                return
            time.sleep(1)


class _Local(LocalPipelineExecutor):
    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> object:
        # Rank 0 of a machine would print its whole log; the file has it.
        return super()._run_for_rank(rank, max(1, local_rank), node_rank)


class _Slurm(SlurmPipelineExecutor):
    def launch_merge_stats(self) -> None:
        """Leave out the job that adds up datatrove's statistics: the funnel is ours."""


def named(item: object) -> str:
    """Return what to call an item of a stage in an error."""
    match item:
        case Part():
            return f"part {item.language}/{item.name}"
        case (Part() as part, *_):
            return named(part)
    return f"source {getattr(item, 'id', item)}"


def _log(folder: Path, rank: int) -> Path:
    """Return the log of a rank, or the folder of Slurm's where it did not come to write one."""
    own = folder / "logs" / f"task_{rank:05d}.log"
    return own if own.is_file() else folder / "slurm_logs"
