"""What stands over the items of an evaluation, computed again: counts, flags, rechecks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.records import (
    CHOICE_KINDS,
    EvaluationSummary,
    ItemRecord,
    RequestRecord,
    TaskInfo,
)

from skald_harness.store.flags import control_flags
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
        where = f"rechecks of {model.name}"
        found.check("rechecks", path, where, "value", recorded, computed)
        scored = any(row.logprob_nats is not None for row in rows)
        if scored and any(how.strip().startswith("tree") for how in model.scorer.split(";")):
            # The tree's sums are right as far as the plain path was asked, too.
            found.check("rechecks", path, where, "whether there is one", bool(off), True)


def _check_flags(path: Path, summary: EvaluationSummary, items: Items, found: Verification) -> None:
    """Judge all controls anew, with a tail of the binomial that is not scipy's."""
    rows = [item for own in items.values() for item in own]
    computed = {
        (f.task, f.control): f for f in control_flags(summary.models, summary.tasks, rows, _tail)
    }
    told = {(f.task, f.control): f for f in summary.flags}
    found.check("flags", path, "all flags", "number", len(summary.flags), len(computed))
    for key in sorted(told.keys() | computed.keys()):
        where, old, new = f"flag of {key[1]} on {key[0]}", told.get(key), computed.get(key)
        if old is None or new is None:
            found.check("flags", path, where, "p_value", old and old.p_value, new and new.p_value)
            continue
        found.check("flags", path, where, "score", old.score, new.score)
        found.check("flags", path, where, "chance", old.chance, new.chance)
        # A difference in the last digits is none.
        close = math.isclose(old.p_value, new.p_value, rel_tol=TAIL_ROUNDING, abs_tol=1e-300)
        p = old.p_value if close else new.p_value
        found.check("flags", path, where, "p_value", old.p_value, p)


def _tail(right: int, n: int, chance: float) -> float:
    """Return the probability of at least as many right answers by guessing."""
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
