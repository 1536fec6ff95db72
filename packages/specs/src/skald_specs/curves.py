"""Evaluation over training: a task's score at each checkpoint, and whether it tells of progress."""

from __future__ import annotations

from typing import Literal

from skald_specs.models import Spec
from skald_specs.records import TaskKind

Verdict = Literal["carries signal", "does not", "too few points"]


class ScorePoint(Spec):
    """One task's score of one checkpoint: a line of `curves/<run>.jsonl`.

    `plan_fingerprint` and `weights_sha256` tell what was scored, `version` and `data_sha256` by which
    task and items, so that a run which began anew is scored anew, and all of a run whose task or
    items changed.
    `standard_error` is that of the sample of items, which all points share: it says how far the
    score may lie from that of all such items, not how far two points differ by chance.
    """

    run: str
    step: int
    tokens: int
    plan_fingerprint: str
    weights_sha256: str
    suite: str
    task: str
    version: float
    data_sha256: str
    kind: TaskKind
    language: str
    metric: str
    score: float
    standard_error: float | None
    n_items: int
    higher_is_better: bool


class TaskSignal(Spec):
    """What the curve of one task says of the task.

    `monotonicity`: Spearman's correlation of score and step, positive where training helps.
    `gain`: mean of the last quarter of the points minus that of the first, positive where it helps.
    `noise`: standard deviation of one point about its neighbours, over the second half of the curve.
    `signal_to_noise`: gain by noise; None without noise.
    """

    suite: str
    task: str
    language: str
    metric: str
    n_points: int
    monotonicity: float | None
    gain: float
    noise: float | None
    signal_to_noise: float | None
    verdict: Verdict


class SignalReport(Spec):
    """`curves/<run>-signal.json`: the signal of every task, and by which rule it was judged."""

    schema_version: Literal[1]
    run: str
    rule: str
    tasks: tuple[TaskSignal, ...]
