"""Which items training text has, as an evaluation says it: against its records and the corpus' own search.

Shares no code with what wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from skald_specs.contamination import CONTAMINATION_FILE, Contamination, TaskContamination
from skald_specs.decontamination import REPORT_FILE, DecontaminationReport
from skald_specs.records import EvaluationSummary, ItemRecord, TaskInfo

from skald_harness.store.evaluation import score_of
from skald_harness.store.mismatches import Mismatch, Verification

#: Items by model and task.
Items = Mapping[tuple[str, str], Sequence[ItemRecord]]
#: Whether a task was searched for, the items found and how many are too short, as the corpus says it.
Said = tuple[bool, tuple[str, ...], int]


def check_contamination(
    folder: Path,
    summary: EvaluationSummary,
    items: Items,
    corpus: Path | None,
    found: Verification,
) -> None:
    """Check what was searched, what was found, and the scores with and without it.

    Args:
        folder: Of the evaluation.
        summary: Its summary.
        items: By model and task.
        corpus: A built corpus; None where there is none, and then nothing tells what it has.
        found: Takes the comparisons.
    """
    path = folder / CONTAMINATION_FILE
    if not path.is_file():
        found.mismatches.append(Mismatch(path, "the file", "contamination", "missing", "written"))
        return
    told = Contamination.load(path)
    found.check("contamination", path, "all tasks", "suite", told.suite, summary.suite)
    names = tuple(task.task for task in told.tasks)
    wanted = tuple(task.name for task in summary.tasks)
    found.check("contamination", path, "all tasks", "tasks", names, wanted)
    infos = {task.name: task for task in summary.tasks}
    for task in told.tasks:
        if task.task in infos:
            _check_scores(path, summary, infos[task.task], task, items, found)
    if corpus is None:
        found.checked["tasks against the corpus' search (not recomputed: no corpus)"] += len(names)
        return
    report = corpus / REPORT_FILE
    search = DecontaminationReport.load(report) if report.is_file() else None
    rule = search.rule if search else None
    found.check("contamination", path, "all tasks", "rule", told.rule, rule)
    for task in told.tasks:
        searched, overlapping, undecidable = _said(infos.get(task.task), search)
        for what, recorded, computed in (
            ("searched", task.searched, searched),
            ("overlapping", task.overlapping, overlapping),
            ("n_undecidable", task.n_undecidable, undecidable),
        ):
            found.check("contamination", path, task.task, what, recorded, computed)


def _check_scores(
    path: Path,
    summary: EvaluationSummary,
    info: TaskInfo,
    told: TaskContamination,
    items: Items,
    found: Verification,
) -> None:
    found.check("contamination", path, info.name, "n_items", told.n_items, info.n_items)
    models = [model.name for model in summary.models if (model.name, info.name) in items]
    rows = sorted(row.model for row in told.scores)
    found.check("contamination", path, info.name, "models with scores", rows,
                sorted(models) if told.searched else [])  # fmt: skip
    overlapping = set(told.overlapping)
    asked = {item.item_id for name in models for item in items[name, info.name]}
    strangers = sorted(overlapping - asked if told.searched else overlapping)
    found.check("contamination", path, info.name, "items that were not asked", strangers, [])
    for row in told.scores:
        own = items.get((row.model, info.name), ())
        clean = [item for item in own if item.item_id not in overlapping]
        for name, value, kept in (("score", row.score, own), ("clean", row.clean, clean)):
            computed = score_of(kept) if kept else None
            where = f"{info.name} of {row.model}"
            found.check("scores without overlap", path, where, name, value, computed)


def _said(task: TaskInfo | None, search: DecontaminationReport | None) -> Said:
    for row in search.tasks if search and task else ():
        assert search is not None and task is not None
        if (row.task, row.items_sha256) == (task.name, task.items_sha256):
            hits = [i for i in search.items if i.task == task.name]
            dirty = sorted({i.item_id for i in hits if i.standing == "contaminated"})
            return True, tuple(dirty), row.n_undecidable
    return False, (), 0
