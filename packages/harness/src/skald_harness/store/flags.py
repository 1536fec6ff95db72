"""Flags: tasks that a control passes without knowing what they ask for, or an oracle fails.

Pure functions of records. What a control shows is `skald_specs.controls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from scipy import stats
from skald_specs.controls import ORACLE
from skald_specs.records import ControlFlag, EvaluatedModel, ItemRecord, TaskInfo

#: Probability that a suite whose tasks give nothing away gets even one flag.
LEVEL = 0.01


#: The probability of at least so many right answers of so many, at a chance.
Tail = Callable[[int, int, float], float]


def _binomial_tail(right: int, n: int, chance: float) -> float:
    """Return the probability of at least `right` of `n` at `chance` each."""
    return float(stats.binomtest(right, n, chance, alternative="greater").pvalue)


def control_flags(
    models: Sequence[EvaluatedModel],
    tasks: Sequence[TaskInfo],
    items: Iterable[ItemRecord],
    tail: Tail = _binomial_tail,
) -> tuple[ControlFlag, ...]:
    """Return the flags of one suite.

    A negative control is flagged where its number of right answers is too large for guessing: exact
    one-sided binomial test against the task's chance, after Holm's correction over all tasks and
    negative controls of the suite. Items are taken as independent; items that share their words are
    not, so a flag says "look", never "proven". Tasks without a chance level are not judged. The
    oracle is flagged below a score of 1, with p = 0: were the right answer always to win, it could not
    be.

    Args:
        models: All models of the evaluation; controls are told by their role.
        tasks: Its tasks.
        items: Its item records.
        tail: The probability of at least so many right answers of so many by guessing at a chance; a
            verification has its own.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    controls = [model.name for model in models if model.role == "control"]
    scores = _scores_by_task(items)
    found: list[ControlFlag] = []
    judged: list[ControlFlag] = []
    for task in tasks:
        for control in controls:
            own = scores.get((control, task.name))
            if own is None or task.chance is None:
                continue
            # A score between 0 and 1 counts as less than a right answer, never as more.
            n, right = len(own), sum(own)
            flag = ControlFlag(
                task=task.name,
                control=control,
                score=right / n,
                chance=task.chance,
                p_value=0.0 if control == ORACLE else tail(int(right + 1e-9), n, task.chance),
            )
            if control != ORACLE:
                judged.append(flag)
            elif right < n:
                found.append(flag)
    found += _holm(judged)
    order = {task.name: number for number, task in enumerate(tasks)}
    return tuple(sorted(found, key=lambda flag: (order[flag.task], controls.index(flag.control))))


def _scores_by_task(items: Iterable[ItemRecord]) -> dict[tuple[str, str], list[float]]:
    """Return the scores of each model and task."""
    scores: dict[tuple[str, str], list[float]] = {}
    for item in items:
        scores.setdefault((item.model, item.task), []).append(item.score)
    return scores


def _holm(judged: Sequence[ControlFlag]) -> list[ControlFlag]:
    """Keep the flags that Holm's step-down procedure rejects at `LEVEL`."""
    kept: list[ControlFlag] = []
    for rank, flag in enumerate(sorted(judged, key=lambda flag: flag.p_value)):
        if flag.p_value * (len(judged) - rank) > LEVEL:
            break
        kept.append(flag)
    return kept
