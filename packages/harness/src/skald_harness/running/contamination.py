"""Which items of an evaluation the training text has, and what the scores are without them.

Knows what a search of the corpus wrote; does not search. A task whose items were not looked for is
never called clean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.contamination import CleanScore, Contamination, TaskContamination
from skald_specs.decontamination import REPORT_FILE, DecontaminationReport, TaskHits
from skald_specs.records import EvaluationSummary, ItemRecord, TaskInfo

from skald_harness.store.evaluation import score_of


def read_search(corpus: Path) -> DecontaminationReport | None:
    """Return what a corpus was searched for, or None.

    Raises:
        UserInputError: The file is malformed.
    """
    path = corpus / REPORT_FILE
    return DecontaminationReport.load(path) if path.is_file() else None


def contamination(
    summary: EvaluationSummary, items: Sequence[ItemRecord], search: DecontaminationReport | None
) -> Contamination:
    """Set scores with and without the contaminated items side by side.

    Args:
        summary: The evaluation.
        items: Its item records.
        search: What the corpus was searched for; None: it was not.
    """
    by_task: dict[str, dict[str, list[ItemRecord]]] = {}
    for item in items:
        by_task.setdefault(item.task, {}).setdefault(item.model, []).append(item)
    hits = {row.task: row for row in search.tasks} if search else {}
    dirty = search.clean_subset().contaminated if search else {}
    return Contamination(
        schema_version=1,
        suite=summary.suite,
        rule=search.rule if search else None,
        tasks=tuple(
            _task(task, by_task.get(task.name, {}), hits.get(task.name), dirty.get(task.name, ()))
            for task in summary.tasks
        ),
    )


def _task(
    task: TaskInfo,
    models: Mapping[str, Sequence[ItemRecord]],
    hits: TaskHits | None,
    overlapping: Sequence[str],
) -> TaskContamination:
    why_not = _why_not(task, hits)
    searched = hits is not None and not why_not
    here = set(overlapping) if searched else set()
    return TaskContamination(
        task=task.name,
        language=task.language,
        n_items=task.n_items,
        searched=searched,
        why_not=why_not,
        overlapping=tuple(sorted(here)),
        n_undecidable=hits.n_undecidable if hits and searched else 0,
        scores=tuple(_scores(models, here)) if searched else (),
    )


def _why_not(task: TaskInfo, hits: TaskHits | None) -> str:
    """Say why a task does not count as searched; empty where it does."""
    if hits is None:
        return "the training text was not searched for its items"
    if hits.items_sha256 != task.items_sha256:
        return f"the training text was searched for other items of this name ({hits.n_items:,})"
    return ""


def _scores(models: Mapping[str, Sequence[ItemRecord]], here: set[str]) -> list[CleanScore]:
    return [
        CleanScore(
            model=model,
            score=score_of(items),
            clean=score_of(clean) if clean else None,
        )
        for model, items in models.items()
        for clean in [[item for item in items if item.item_id not in here]]
    ]


def _how(suite: str) -> str:
    file = f"{suite}.jsonl.gz"
    # Of a user's suite the items lie where the user has them.
    where = " --items DIR" if suite == "ud" else ""
    return (
        f"To search, run `skald evals items {suite}{where} --out {file}`, then "
        f"`skald corpus contamination {file} --corpus DIR`, and evaluate again"
    )


def contamination_line(found: Contamination) -> str:
    """Say in one line what the training text has of a suite's items."""
    searched = [task for task in found.tasks if task.searched]
    missed = [task for task in found.tasks if not task.searched]
    if not searched:
        return f"contamination: not searched; no score is known to be clean. {_how(found.suite)}"
    n_items, n_found = (
        sum(task.n_items for task in searched),
        sum(len(task.overlapping) for task in searched),
    )
    where = [task.task for task in searched if task.overlapping]
    named = f" ({', '.join(where[:3])}{', ...' if len(where) > 3 else ''})" if where else ""
    apart = f"; not searched: {len(missed)} of {len(found.tasks)} tasks. " if missed else ""
    apart += _how(found.suite) if missed else ""
    # What a search took out of the text before training is no longer in it.
    has = "has" if found.rule is None or found.rule.policy == "report" else "had, and lost,"
    return (
        f"contamination: training text {has} {n_found or 'none'} of {n_items:,} items{named}{apart}"
    )
