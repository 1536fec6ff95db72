"""Score the checkpoints of a training run as they appear.

<out>/curves/<run>.jsonl          one `ScorePoint` a line, by suite, step and task
<out>/curves/<run>-signal.json    what the curves say of the tasks

Reads the run's folder and writes nothing there: the trainer does not notice. Answers go to the store
of `out`, so what was scored once is not asked again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skald_process.locks import LockedError, held
from skald_specs.checkpoint import (
    MANIFEST_FILE,
    OPTIMIZER_FILE,
    PLAN_FILE,
    CheckpointManifest,
    checkpoint_name,
    checkpoints_in,
)
from skald_specs.corpus import load_corpus
from skald_specs.curves import ScorePoint, SignalReport
from skald_specs.errors import ClaimError, UserInputError
from skald_specs.files import read_jsonl, write_json, write_jsonl
from skald_specs.fingerprint import fingerprint
from skald_specs.plan import Plan
from skald_specs.records import ItemRecord, TaskInfo

from skald_harness.running.asked import asked_tasks
from skald_harness.running.evaluate import evaluate
from skald_harness.running.signal import signal_report, signal_table
from skald_harness.store.answers import store_folder
from skald_harness.store.evaluation import Evaluated, read_evaluation, score_of, standard_error
from skald_harness.store.lm_eval_results import LOWER_IS_BETTER
from skald_harness.tasks.suites import EVALS

#: Between two looks at a run's folder; a checkpoint takes longer than that to train.
SECONDS_BETWEEN_LOOKS = 5.0
_FINAL = "final"
#: What the trainer puts into a run's folder.
_OF_A_RUN = ("checkpoints", _FINAL, "metrics.jsonl", "origin.json")
#: Version and data of each task, by suite and name.
Asked = dict[tuple[str, str], tuple[float, str]]


@dataclass(frozen=True)
class Watched:
    """What is watched, with what, and where the curves go; see `evaluate`."""

    run: Path
    suites: Sequence[str]
    items: Path | Mapping[str, Path]
    corpus: Path
    out: Path
    languages: Sequence[str] | None = None

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.resolve().name

    @property
    def curves(self) -> Path:
        """The folder of all curves."""
        return self.out / "curves"

    @property
    def points(self) -> Path:
        """The run's points."""
        return self.curves / f"{self.name}.jsonl"

    @property
    def lock(self) -> Path:
        """Held by who watches it, so that nobody else does meanwhile."""
        return self.curves / f".{self.name}.lock"

    @property
    def refusal(self) -> LockedError:
        """What a second watch is told."""
        return LockedError(
            str(self.run), "is being watched already", "Wait for the other, or end it"
        )


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: `weights_sha256` hashes the checksums of its files of weights."""

    folder: Path
    step: int
    tokens: int
    n_steps: int
    plan_fingerprint: str
    weights_sha256: str


def watch(
    watched: Watched,
    seconds: float = SECONDS_BETWEEN_LOOKS,
    sleep: Callable[[float], None] = time.sleep,
) -> SignalReport:
    """Score every checkpoint until the run's last one is.

    Args:
        watched: The run and how to score it.
        seconds: Between two looks.
        sleep: Waits.

    Returns:
        What the curves say.

    Raises:
        UserInputError: There is no such run, its corpus is another one, or an input of the
            evaluation is wrong; or its last checkpoint is damaged.
    """
    if not watched.run.is_dir():
        raise UserInputError(
            str(watched.run), "no such run", "Name a folder under artifacts/runs, once it trains"
        )
    _check_run(watched.run)
    with held(watched.lock, watched.refusal):
        for leftover in watched.curves.glob(f".{watched.name}.*.export"):
            shutil.rmtree(leftover, ignore_errors=True)
        return _follow(watched, seconds, sleep)


def _check_run(run: Path) -> None:
    """Refuse a folder that is no run; an empty one is a run that is about to start."""
    names = {path.name for path in run.iterdir() if not path.name.startswith(".")}
    if not names or names.intersection(_OF_A_RUN):
        return
    if "config.json" in names:
        raise UserInputError(
            str(run), "a model's folder, no run", "Evaluate it without --watch, or name its run"
        )
    raise UserInputError(
        str(run), "neither a run nor empty for one to start", "Name a folder under artifacts/runs"
    )


def _follow(watched: Watched, seconds: float, sleep: Callable[[float], None]) -> SignalReport:
    unusable: set[Checkpoint] = set()
    named: set[Path] = set()
    waiting = False
    asked = _asked_now(watched)
    while True:
        whole, damaged = checkpoints_of(watched.run)
        for folder in sorted(damaged.keys() - named):
            named.add(folder)
            print(f"{watched.name}: {folder.name} left out: {damaged[folder]}", file=sys.stderr)
        known = _scored(watched, asked)
        todo = [c for c in whole if (c.step, c.weights_sha256) not in known and c not in unusable]
        for checkpoint in todo:
            found = _score(watched, checkpoint)
            if found is None:
                unusable.add(checkpoint)
            elif found != asked:
                # Items were rebuilt meanwhile: what was scored with the old ones is so no more.
                asked = found
                break
        if todo:
            waiting = False
            continue
        if any(checkpoint.step >= checkpoint.n_steps for checkpoint in whole):
            break
        if (final := watched.run / _FINAL) in damaged:
            # The run is over: no other checkpoint comes.
            raise damaged[final]
        if not waiting:
            print(
                f"{watched.name}: {_reached(whole)}; waiting for the next checkpoint (Ctrl-C ends; "
                "the same command goes on)",
                file=sys.stderr,
            )
            waiting = True
        sleep(seconds)
    rows = [point for point in read_points(watched.points) if _is_of(point, asked)]
    report = signal_report(watched.name, rows)
    print(signal_table(report))
    return report


def _reached(whole: Sequence[Checkpoint]) -> str:
    if not whole:
        return "no checkpoint yet"
    return f"scored up to step {whole[-1].step:,} of {whole[-1].n_steps:,}"


def checkpoints_of(run: Path) -> tuple[list[Checkpoint], dict[Path, UserInputError]]:
    """Return the complete checkpoints of a run, oldest first, each step once, and why others are none.

    A checkpoint is written under another name and its manifest last, so what is half-written is not
    seen; one that is removed during the look is passed over. What is left are damaged ones.
    """
    found: dict[int, Checkpoint] = {}
    damaged: dict[Path, UserInputError] = {}
    for folder in (*checkpoints_in(run / "checkpoints"), run / _FINAL):
        try:
            manifest = CheckpointManifest.load(folder / MANIFEST_FILE)
            plan = Plan.load(folder / PLAN_FILE)
        except UserInputError as error:
            if (folder / MANIFEST_FILE).is_file():
                damaged[folder] = error
            continue
        weights = {
            name: digest
            for name, digest in manifest.sha256.items()
            if name.endswith(".safetensors") and not name.startswith(OPTIMIZER_FILE.split(".")[0])
        }
        checkpoint = Checkpoint(
            folder=folder,
            step=manifest.step,
            tokens=manifest.step * plan.identity.global_batch_tokens.value,
            n_steps=plan.identity.schedule.n_steps.value,
            plan_fingerprint=manifest.plan_fingerprint,
            weights_sha256=fingerprint(weights),
        )
        # `final` holds the last checkpoint's weights once more.
        found.setdefault(checkpoint.step, checkpoint)
    return [found[step] for step in sorted(found)], damaged


def read_points(path: Path) -> list[ScorePoint]:
    """Read a run's points; none where nothing was scored yet."""
    if not path.is_file():
        return []
    return [
        ScorePoint.check(row, f"{path}:{number}")
        for number, row in enumerate(read_jsonl(path), start=1)
    ]


def _asked_now(watched: Watched) -> Asked:
    """Return the tasks that an evaluation would ask now; what is wrong with others it will say."""
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for suite in dict.fromkeys(watched.suites):
        items = watched.items if isinstance(watched.items, Path) else watched.items[suite]
        tasks = asked_tasks(
            suite, items, watched.corpus, watched.languages, EVALS, [], lambda _: None
        )
        for task in tasks:
            found[suite, task.definition.name] = task.definition.version, task.items.sha256
    return found


def _scored(watched: Watched, asked: Asked) -> set[tuple[int, str]]:
    """Return the steps, with their weights, that have a point of every task as it is now."""
    found: dict[tuple[int, str], set[tuple[str, str]]] = {}
    for point in read_points(watched.points):
        if (point.suite, point.task) in asked and _is_of(point, asked):
            key = (point.step, point.weights_sha256)
            found.setdefault(key, set()).add((point.suite, point.task))
    return {key for key, names in found.items() if names == asked.keys()}


def _is_of(point: ScorePoint, asked: Asked) -> bool:
    """Say whether a point is of a task as it is asked now, or of one that is not asked."""
    facts = point.version, point.data_sha256
    return asked.get((point.suite, point.task), facts) == facts


def _score(watched: Watched, checkpoint: Checkpoint) -> Asked | None:
    """Score one checkpoint and add its points.

    Returns:
        The tasks as they were asked; None, having said why, where the checkpoint cannot be scored.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(
        dir=watched.curves, prefix=f".{watched.name}.", suffix=".export"
    ) as temporary:
        exported = Path(temporary) / f"{watched.name}-{checkpoint_name(checkpoint.step)}"
        why_not = _export(watched, checkpoint, exported)
        try:
            found = [] if why_not else _evaluate(watched, exported, Path(temporary) / "eval")
        except ClaimError as error:
            why_not = str(error)
        if why_not:
            print(f"{watched.name}: step {checkpoint.step:,} left out: {why_not}", file=sys.stderr)
            return None
    new = points_of(watched.name, checkpoint, found)
    names = {(point.suite, point.step, point.task) for point in new}
    now = {(point.suite, point.task): (point.version, point.data_sha256) for point in new}
    kept = [
        point
        for point in read_points(watched.points)
        # A run of another plan in the same folder has a curve of its own.
        if point.plan_fingerprint == checkpoint.plan_fingerprint
        and (point.suite, point.step, point.task) not in names
        # Nor do other items of the same name belong to this curve.
        and _is_of(point, now)
    ]
    rows = sorted([*kept, *new], key=lambda point: (point.suite, point.step, point.task))
    write_jsonl(watched.points, (point.model_dump(mode="json") for point in rows))
    report = signal_report(watched.name, rows)
    write_json(watched.curves / f"{watched.name}-signal.json", report.model_dump(mode="json"))
    print(
        f"{watched.name}: step {checkpoint.step:,} of {checkpoint.n_steps:,}, {len(new)} tasks, "
        f"{time.monotonic() - began:.0f} s",
        file=sys.stderr,
    )
    return now


def _export(watched: Watched, checkpoint: Checkpoint, out: Path) -> str:
    """Export a checkpoint; return why it cannot be, or nothing."""
    from safetensors import SafetensorError
    from skald_mup.export import export

    fingerprint_here = load_corpus(watched.corpus).fingerprint
    try:
        trained_on = CheckpointManifest.load(checkpoint.folder / MANIFEST_FILE).corpus_fingerprint
        if trained_on == fingerprint_here:
            export(checkpoint.folder, watched.corpus, out)
    except (OSError, SafetensorError, UserInputError) as error:
        if not (checkpoint.folder / MANIFEST_FILE).is_file():
            return "the trainer removed it meanwhile"
        return str(error)
    if trained_on != fingerprint_here:
        raise UserInputError(
            str(watched.corpus), f"not the corpus {watched.name} trains on", "Name that one"
        )
    return ""


def _evaluate(watched: Watched, exported: Path, out: Path) -> list[Evaluated]:
    # The table of every checkpoint would bury the curve.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        done = evaluate(
            [exported], watched.suites, out, watched.items, watched.corpus, watched.languages,
            controls=False, store_root=store_folder(watched.out),
        )  # fmt: skip
    if done is None:
        raise UserInputError("--watch", "started on several ranks", "Start it without torchrun")
    if done.problems:
        raise done.problems[0]
    return [read_evaluation(out / summary.suite) for summary in done.summaries]


def points_of(run: str, checkpoint: Checkpoint, evaluated: Sequence[Evaluated]) -> list[ScorePoint]:
    """Return one point a task.

    Args:
        run: The run's name.
        checkpoint: What was scored.
        evaluated: One evaluation a suite, of that one model.
    """
    return [
        _point(run, checkpoint, task, [row.item for row in found.asked[model.name, task.name]])
        for found in evaluated
        for model in found.summary.models
        for task in found.taken(model.name)
    ]


def _point(
    run: str, checkpoint: Checkpoint, task: TaskInfo, items: Sequence[ItemRecord]
) -> ScorePoint:
    return ScorePoint(
        run=run,
        step=checkpoint.step,
        tokens=checkpoint.tokens,
        plan_fingerprint=checkpoint.plan_fingerprint,
        weights_sha256=checkpoint.weights_sha256,
        suite=task.suite,
        task=task.name,
        version=task.version,
        data_sha256=task.data_sha256,
        kind=task.kind,
        language=task.language,
        metric=task.metric,
        score=score_of(items),
        standard_error=standard_error(items, task.metric, task.metric),
        n_items=len(items),
        higher_is_better=task.metric not in LOWER_IS_BETTER,
    )
