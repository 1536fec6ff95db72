"""From checked inputs to the tables of the page: pure functions, one data frame each.

A table knows which columns name a row and the unit of every number, so that two reports can be
compared number by number. Nothing here draws, words or formats.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from skald_specs.controls import TASK_CHECKS
from skald_specs.plan import Plan

from skald_report.reading.inputs import Sources
from skald_report.statistics.families import holm
from skald_report.statistics.scalar import (
    Interval,
    macro_mean,
    mcnemar_exact,
    paired_difference,
)
from skald_report.tables.cells import (
    AGAINST_CHANCE,
    CELL,
    LOWER_IS_BETTER,
    Cells,
    Task,
    binary,
    gather,
    interval,
    on_same_items,
    page_names,
    summed,
)
from skald_report.tables.table import MACRO, Table

#: Level of a claim, after Holm's correction within a pair of models.
LEVEL = 0.05


def all_tables(sources: Sources) -> dict[str, Table]:
    """Return every table of the report by name; one without rows is left out."""
    cells = gather(sources)
    made = [
        models(sources),
        scores(sources, cells),
        differences(sources, cells),
        plans(sources),
        corpus(sources),
        training(sources),
        validation(sources),
    ]
    return {table.name: table for table in made if len(table.frame)}


def models(sources: Sources) -> Table:
    """Return the evaluated models, baselines first."""
    rows = {
        model.name: {
            "model": model.name,
            "role": model.role,
            "about": model.about,
            "n_params_total": model.n_params_total,
            "dtype": model.dtype,
            "weights_sha256": model.weights_sha256,
        }
        for summary in sources.summaries
        for model in summary.models
    }
    rank = {"baseline": 0, "external": 1, "control": 2}
    # Baselines in the order of the plans, which is the user's.
    asked = {name: number for number, name in enumerate(sources.order or sources.plans)}
    ordered = sorted(
        rows.values(), key=lambda r: (rank[str(r["role"])], asked.get(str(r["model"]), len(asked)))
    )
    frame = pd.DataFrame(ordered, columns=["model", "role", "about", "n_params_total", "dtype",
                                           "weights_sha256"])  # fmt: skip
    frame["n_params_total"] = frame["n_params_total"].astype("Int64")
    return Table("models", ("model",), {"n_params_total": "parameters"}, frame)


def scores(sources: Sources, cells: Cells) -> Table:
    """Return every model's score with its interval, per language and as the mean over languages.

    The mean is taken over the languages that all models have, never over missing cells. A control that
    lacks one of them has no mean and takes none from the models.
    """
    roles = dict(models(sources).frame[["model", "role"]].itertuples(index=False, name=None))
    order = list(models(sources).frame["model"])
    named = page_names(sources)
    # As the score is, the mean over wordings: those that offer letters may have another chance.
    chances: dict[tuple[str, str, str], list[float]] = {}
    for summary in sources.summaries:
        for info in summary.tasks:
            if info.chance is not None:
                at = (summary.suite, named[summary.suite, info.name], info.language)
                chances.setdefault(at, []).append(info.chance)
    rows: list[dict[str, Any]] = []
    for task in cells.tasks:
        languages = cells.by_task[task]
        for model in order:
            for language, here in languages.items():
                if model in here:
                    found = interval(task.kind, here[model])
                    levels = chances.get((task.suite, task.name, language))
                    chance = math.fsum(levels) / len(levels) if levels else None
                    rows.append(_score(task, language, model, found, len(here[model].ids), chance))
                    rows[-1] |= _range(cells.wordings.get((task, language, model), ()))
        taking = [model for model in order if any(model in here for here in languages.values())]
        decisive = {model for model in taking if roles[model] != "control"} or set(taking)
        common = [tag for tag, here in languages.items() if set(here) >= decisive]
        if len(common) < 2:
            continue
        for model in taking:
            own = [languages[tag][model] for tag in common if model in languages[tag]]
            if len(own) < len(common):
                continue
            found = macro_mean([summed(cell) for cell in own])
            rows.append(_score(task, MACRO, model, found, sum(len(c.ids) for c in own)))
            rows[-1]["languages"] = " ".join(common)
            asked = [cells.wordings.get((task, tag, model), ()) for tag in common]
            if len(set(map(len, asked))) == 1:
                # The mean over languages of each wording in turn.
                rows[-1] |= _range([sum(each) / len(each) for each in zip(*asked, strict=True)])
    columns = [*CELL, "model", "kind", "label", "score", "low", "high", "n_items", "n_keys",
               "chance", "method", "languages", "n_wordings", "lowest_wording",
               "highest_wording"]  # fmt: skip
    units = {"score": "by kind", "low": "by kind", "high": "by kind", "n_items": "count",
             "n_keys": "count", "chance": "by kind"}  # fmt: skip
    return Table("scores", (*CELL, "model"), units, pd.DataFrame(rows, columns=columns))


def _score(
    task: Task,
    language: str,
    model: str,
    found: Interval,
    n_items: int,
    chance: float | None = None,
) -> dict[str, Any]:
    return {
        "suite": task.suite,
        "task": task.name,
        "language": language,
        "model": model,
        "kind": task.kind,
        "label": task.label,
        "score": found.estimate,
        "low": found.low,
        "high": found.high,
        "n_items": n_items,
        "n_keys": found.n_clusters,
        "chance": math.nan if chance is None else chance,
        "method": found.method,
        "languages": language,
        "n_wordings": 1,
        "lowest_wording": math.nan,
        "highest_wording": math.nan,
    }


def _range(by_wording: Sequence[float]) -> dict[str, Any]:
    """Return the columns of a task that was asked in several wordings; none for one."""
    if len(by_wording) < 2:
        return {}
    return {
        "n_wordings": len(by_wording),
        "lowest_wording": min(by_wording),
        "highest_wording": max(by_wording),
    }


def differences(sources: Sources, cells: Cells) -> Table:
    """Compare each baseline with every other baseline and control, on the items both answered.

    A pair of models is one family: Holm's correction runs over its languages and tasks. Kinds that
    are set against chance are left out, and so are controls that check tasks, not models.
    """
    frame = models(sources).frame
    baselines = list(frame.loc[frame["role"] == "baseline", "model"])
    others = list(frame.loc[(frame["role"] != "baseline") & ~task_checks(frame), "model"])
    pairs = list(itertools.combinations(reversed(baselines), 2))
    pairs += list(itertools.product(baselines, others))
    rows: list[dict[str, Any]] = []
    for model, reference in pairs:
        family = list(_compared(cells, model, reference))
        for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
            better = (row["difference"] > 0) != (row["kind"] in LOWER_IS_BETTER)
            verdict = ("better" if better else "worse") if p < LEVEL else "tie"
            rows.append({**row, "p_holm": p, "verdict": verdict})
    columns = [*CELL, "model", "reference", "kind", "label", "difference", "low", "high", "p",
               "p_holm", "test", "n_items", "n_keys", "verdict"]  # fmt: skip
    units = {"difference": "by kind", "low": "by kind", "high": "by kind", "p": "p",
             "p_holm": "p", "n_items": "count", "n_keys": "count"}  # fmt: skip
    keys = (*CELL, "model", "reference")
    return Table("differences", keys, units, pd.DataFrame(rows, columns=columns))


def _compared(cells: Cells, model: str, reference: str) -> Iterator[dict[str, Any]]:
    for task in (task for task in cells.tasks if task.kind not in AGAINST_CHANCE):
        for language, here in cells.by_task[task].items():
            if model not in here or reference not in here:
                continue
            first, second = on_same_items(here[model], here[reference])
            if not len(first.ids):
                continue
            found = paired_difference(summed(first), summed(second))
            p, test = found.p, found.method
            choice = task.kind != "text" and binary(first) and binary(second)
            if choice and found.n_clusters == len(first.ids):
                wins = int((first.scores > second.scores).sum())
                losses = int((first.scores < second.scores).sum())
                p, test = mcnemar_exact(wins, losses), "exact McNemar"
            yield {
                "suite": task.suite,
                "task": task.name,
                "language": language,
                "model": model,
                "reference": reference,
                "kind": task.kind,
                "label": task.label,
                "difference": found.estimate,
                "low": found.low,
                "high": found.high,
                "p": p,
                "test": test,
                "n_items": len(first.ids),
                "n_keys": found.n_clusters,
            }


def task_checks(frame: pd.DataFrame) -> pd.Series[bool]:
    """Return for each row of a table with `model` and `role` whether it is a control of tasks alone."""
    return (frame["role"] == "control") & frame["model"].isin(TASK_CHECKS)


def plans(sources: Sources) -> Table:
    """Return what each baseline was asked to be."""
    rows = [_plan(name, plan) for name, plan in sources.plans.items()]
    units = dict.fromkeys(("d_model", "n_layers", "vocab_size", "seq_len"), "count") | {
        "n_params_total": "parameters",
        "horizon_tokens": "count",
        "global_batch_tokens": "count",
        "n_steps": "count",
    }
    return Table("plans", ("model",), units, pd.DataFrame(rows))


def _plan(name: str, plan: Plan) -> dict[str, Any]:
    identity = plan.identity
    return {
        "model": name,
        "d_model": identity.model.d_model,
        "n_layers": identity.model.n_layers,
        "vocab_size": identity.model.vocab_size,
        "seq_len": identity.model.seq_len,
        "n_params_total": identity.n_params_total.value,
        "horizon_tokens": identity.horizon_tokens.value,
        "global_batch_tokens": identity.global_batch_tokens.value,
        "n_steps": identity.schedule.n_steps.value,
        "plan_fingerprint": plan.fingerprint,
        "corpus_fingerprint": identity.data.corpus_fingerprint,
    }


def corpus(sources: Sources) -> Table:
    """Return the size of every language and split of the training corpus."""
    shards = sources.corpus.shards if sources.corpus else ()
    rows = [
        {
            "language": s.language,
            "split": s.split,
            "n_documents": s.n_documents,
            "n_tokens": s.n_tokens,
            "n_bytes": s.n_bytes,
        }
        for s in shards
    ]
    units = dict.fromkeys(("n_documents", "n_tokens", "n_bytes"), "count")
    return Table("corpus", ("language", "split"), units, pd.DataFrame(rows))


def training(sources: Sources) -> Table:
    """Return the training loss in nats per token."""
    units = {"tokens_seen": "count", "loss_nats": "nats/token"}
    return Table("training", ("model", "step"), units, sources.curves)


def validation(sources: Sources) -> Table:
    """Return validation bits per byte over training."""
    units = {"tokens_seen": "count", "bits_per_byte": "bits/byte"}
    return Table("validation", ("model", "language", "step"), units, sources.validation)
