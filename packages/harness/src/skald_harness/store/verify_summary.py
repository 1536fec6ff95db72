"""What stands over the items of an evaluation, computed again: counts, flags, overlaps, rechecks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.contamination import CONTAMINATION_FILE, Contamination
from skald_specs.controls import ORACLE
from skald_specs.records import (
    CHOICE_KINDS,
    ControlFlag,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

from skald_harness.store.evaluation import mean_of
from skald_harness.store.mismatches import Verification
from skald_harness.store.recompute import choices_of

#: Items and requests by model and task.
Items = Mapping[tuple[str, str], Sequence[ItemRecord]]
Requests = Mapping[tuple[str, str], Sequence[Sequence[RequestRecord]]]
#: Two ways to the tail of a binomial differ in its last digits.
TAIL_ROUNDING = 1e-6


def check_summary(
    path: Path, summary: EvaluationSummary, items: Items, asked: Requests, found: Verification
) -> None:
    """Check the counts and chances of a summary, its rechecks and its flags.

    Args:
        path: The file.
        summary: What it holds.
        items: By model and task.
        asked: Requests of each item, by model and task.
        found: Takes the comparisons.
    """
    left_out = {(row.model, row.task) for row in summary.left_out}
    for task in summary.tasks:
        for model in summary.models:
            where, key = f"{task.name} of {model.name}", (model.name, task.name)
            # A control takes the tasks that it has an answer to.
            may_lack = model.role == "control" or key in left_out
            if may_lack and key not in items and key not in asked:
                continue
            found.check("summary", path, where, "n_items", task.n_items, len(items.get(key, ())))
            if task.kind in CHOICE_KINDS and task.chance is not None and key in asked:
                chance = _chance(task, asked[key])
                found.check("summary", path, where, "chance", task.chance, round(chance, 12))
    _check_rechecks(path, summary, asked, found)
    _check_flags(path, summary, items, found)


def _chance(task: TaskInfo, asked: Sequence[Sequence[RequestRecord]]) -> float:
    """Return what naming one label, or drawing a choice, is right in."""
    if task.fixed_labels:
        right = Counter(request.index for own in asked for request in own if request.is_right)
        return max(right.values(), default=0) / len(asked)
    counts = [len(choices_of(own)) or len(own) for own in asked]
    return sum(1 / count for count in counts) / len(counts)


def _check_rechecks(
    path: Path, summary: EvaluationSummary, asked: Requests, found: Verification
) -> None:
    told = {recheck.model: recheck for recheck in summary.rechecks}
    for model in summary.models:
        rows = [r for (name, _), own in asked.items() if name == model.name for x in own for r in x]
        off = [
            abs(row.logprob_nats - row.recheck_nats)
            for row in rows
            if row.logprob_nats is not None and row.recheck_nats is not None
        ]
        one = told.get(model.name)
        recorded = (one.n_requests, one.n_rechecked, one.largest_nats) if one else None
        computed = (len(rows), len(off), max(off)) if off else None
        found.check("rechecks", path, f"rechecks of {model.name}", "value", recorded, computed)


def _check_flags(path: Path, summary: EvaluationSummary, items: Items, found: Verification) -> None:
    """Check each flag's numbers, and that none is lacking before another.

    Holm's procedure flags the smallest p values, so whoever has one as small as a flagged one is
    flagged, too.
    """
    chances = {task.name: task.chance for task in summary.tasks}
    flagged = {(flag.control, flag.task) for flag in summary.flags}
    for flag in summary.flags:
        own = items.get((flag.control, flag.task), ())
        where = f"flag of {flag.control} on {flag.task}"
        score = sum(item.score for item in own) / len(own) if own else None
        found.check("flags", path, where, "score", flag.score, score)
        found.check("flags", path, where, "chance", flag.chance, chances.get(flag.task))
        if own:
            p = 0.0 if flag.control == ORACLE else _tail(own, flag.chance)
            close = math.isclose(flag.p_value, p, rel_tol=TAIL_ROUNDING, abs_tol=1e-300)
            found.check("flags", path, where, "p_value", flag.p_value, flag.p_value if close else p)
    largest = max((f.p_value for f in summary.flags if f.control != ORACLE), default=-1.0)
    for model in summary.models:
        for task, chance in chances.items():
            own = items.get((model.name, task), ())
            if model.role != "control" or chance is None or not own:
                continue
            if (model.name, task) not in flagged:
                missing = _missing(model.name, task, own, chance, largest)
                where = f"flag of {model.name} on {task}"
                found.check("flags", path, where, "p_value", None, missing and missing.p_value)


def _missing(
    control: str, task: str, own: Sequence[ItemRecord], chance: float, largest: float
) -> ControlFlag | None:
    score = sum(item.score for item in own) / len(own)
    if control == ORACLE:
        found, p = score < 1, 0.0
    else:
        p = _tail(own, chance)
        found = p < largest * (1 - TAIL_ROUNDING)
    if not found:
        return None
    return ControlFlag(task=task, control=control, score=score, chance=chance, p_value=p)


def _tail(own: Sequence[ItemRecord], chance: float) -> float:
    """Return the probability of at least as many right answers by guessing."""
    n, right = len(own), int(sum(item.score for item in own) + 1e-9)
    if right <= 0:
        return 1.0
    whole = math.lgamma(n + 1)
    return min(
        1.0,
        math.fsum(
            math.exp(
                whole - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                + k * math.log(chance) + (n - k) * math.log1p(-chance)
            )
            for k in range(right, n + 1)
        ),
    )  # fmt: skip


def check_contamination(
    folder: Path, summary: EvaluationSummary, items: Items, found: Verification
) -> None:
    """Check the scores with and without the items that training text has, where they were written.

    Args:
        folder: Of the evaluation.
        summary: Its summary.
        items: By model and task.
        found: Takes the comparisons.
    """
    path = folder / CONTAMINATION_FILE
    if not path.is_file():
        return
    told, metrics = Contamination.load(path), {task.name: task.metric for task in summary.tasks}
    for task in told.tasks:
        overlapping, metric = set(task.overlapping), metrics.get(task.task, "")
        for row in task.scores:
            own = items.get((row.model, task.task), ())
            clean = [item for item in own if item.item_id not in overlapping]
            where = f"{task.task} of {row.model}"
            for name, value, kept in (("score", row.score, own), ("clean", row.clean, clean)):
                computed = mean_of(kept, metric, metric) if kept else None
                found.check("scores without overlap", path, where, name, value, computed)
