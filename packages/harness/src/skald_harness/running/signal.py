"""Whether a task tells of progress: its scores over training, beside their own noise.

Pure functions of points. One run cannot say whether a task ranks models rightly; it can say that a
task does not even follow training, and such a task says nothing of small models.

Source:
    The criteria monotonicity and signal-to-noise ratio of HPLT-E (task selection over checkpoints);
    Signal and Noise, arXiv 2508.13144, whose noise is the spread of the last checkpoints. Here the
    spread is taken about a line, because the last checkpoints of a short run still improve.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from skald_specs.curves import ScorePoint, SignalReport, TaskSignal, Verdict

#: Fewer checkpoints are not judged.
MIN_POINTS = 5
#: Least monotonicity and signal-to-noise ratio. Standing: measured by simulation: of pure noise at
#: most 5.4 % passes (five points; 0.9 % with ten), of a gain of ten times the noise at least 96 %.
MIN_MONOTONICITY = 0.6
MIN_SIGNAL_TO_NOISE = 3.0
RULE = (
    f"carries signal: Spearman's correlation with the step of at least {MIN_MONOTONICITY:g}, and a "
    f"gain of at least {MIN_SIGNAL_TO_NOISE:g} times the noise of a point, over at least "
    f"{MIN_POINTS} checkpoints"
)


def signal_report(run: str, points: Sequence[ScorePoint]) -> SignalReport:
    """Judge every task of a run.

    Args:
        run: Its name.
        points: In any order; each step of a task once.
    """
    curves: dict[tuple[str, str], list[ScorePoint]] = {}
    for point in points:
        curves.setdefault((point.suite, point.task), []).append(point)
    tasks = tuple(task_signal(curve) for _, curve in sorted(curves.items()))
    return SignalReport(schema_version=1, run=run, rule=RULE, tasks=tasks)


def task_signal(points: Iterable[ScorePoint]) -> TaskSignal:
    """Judge one task by its points."""
    curve = sorted(points, key=lambda point: point.step)
    first = curve[0]
    towards = 1.0 if first.higher_is_better else -1.0
    values = [towards * point.score for point in curve]
    quarter = max(1, len(values) // 4)
    gain = _mean(values[-quarter:]) - _mean(values[:quarter])
    monotonicity, noise = spearman(values), noise_of(values)
    ratio = gain / noise if noise else None
    return TaskSignal(
        suite=first.suite,
        task=first.task,
        language=first.language,
        metric=first.metric,
        n_points=len(curve),
        monotonicity=monotonicity,
        gain=gain,
        noise=noise,
        signal_to_noise=ratio,
        verdict=_verdict(len(curve), monotonicity, gain, ratio),
    )


def _verdict(
    n_points: int, monotonicity: float | None, gain: float, ratio: float | None
) -> Verdict:
    if n_points < MIN_POINTS:
        return "too few points"
    follows = monotonicity is not None and monotonicity >= MIN_MONOTONICITY
    above = gain > 0 and (ratio is None or ratio >= MIN_SIGNAL_TO_NOISE)
    return "carries signal" if follows and above else "does not"


def spearman(values: Sequence[float]) -> float | None:
    """Return the rank correlation of values with their order; None where they are all the same."""
    ranks = _ranks(values)
    middle = (len(values) - 1) / 2
    spread = sum((rank - middle) ** 2 for rank in ranks)
    steps = sum((i - middle) ** 2 for i in range(len(values)))
    if not spread:
        return None
    along = sum((i - middle) * (rank - middle) for i, rank in enumerate(ranks))
    return along / math.sqrt(spread * steps)


def _ranks(values: Sequence[float]) -> list[float]:
    """Return ranks from 0 on; equal values share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [_mean(places[value]) for value in values]


def noise_of(values: Sequence[float]) -> float | None:
    """Return the standard deviation of one value about a line, from successive differences.

    A difference of two independent values has twice the variance of one, and what the differences
    have in common is the line's slope.

    Args:
        values: In order; the second half counts, four values at least.

    Returns:
        The deviation; None with fewer than four values.
    """
    late = values[-max(4, (len(values) + 1) // 2) :]
    if len(late) < 4:
        return None
    changes = [after - before for before, after in itertools.pairwise(late)]
    slope = _mean(changes)
    return math.sqrt(sum((change - slope) ** 2 for change in changes) / (2 * (len(changes) - 1)))


def signal_table(report: SignalReport) -> str:
    """Lay out a report, one line a task."""
    width = max((len(task.task) for task in report.tasks), default=4)
    head = f"{'task':<{width}}{'points':>8}{'monotone':>10}{'gain':>9}{'noise':>8}{'ratio':>8}"
    lines = [
        f"{task.task:<{width}}{task.n_points:>8}{_shown(task.monotonicity, '.2f'):>10}"
        f"{task.gain:>+9.3f}{_shown(task.noise, '.3f'):>8}"
        f"{_shown(task.signal_to_noise, '.1f'):>8}  {task.verdict}"
        for task in report.tasks
    ]
    return "\n".join([head, *lines, report.rule])


def _shown(value: float | None, digits: str) -> str:
    return "–" if value is None else format(value, digits)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
