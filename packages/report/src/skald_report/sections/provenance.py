"""What the results belong to: fingerprints, versions, models, tasks, and how they were checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from skald_specs import __version__
from skald_specs.records import Recheck

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import join, span
from skald_report.reading.inputs import ReportInputs, Sources
from skald_report.tables.cells import page_names
from skald_report.tables.table import Table


def provenance_blocks(
    sources: Sources, tables: Mapping[str, Table], inputs: ReportInputs
) -> Iterator[Block]:
    """Yield the section: how to make the page again, fingerprints, corpus, models and tasks."""
    yield Paragraph(f"To make this page again, run `{inputs.command}` in the same checkout. Hardware and "
                    "wall times are not results and are kept in the run manifests.")  # fmt: skip
    facts = provenance(sources)
    rows = tuple((Cell(name), Cell(value)) for name, value in facts.items())
    yield Grid(
        "provenance",
        "What these results belong to",
        "Fingerprints are SHA-256.",
        ("fact", "value"),
        rows,
    )
    if "corpus" in tables:
        columns = ("n_documents", "n_tokens", "n_bytes")
        body = tuple(
            (Cell(f"{r['language']} {r['split']}"), *(Cell(f"{r[c]:,}") for c in columns))
            for r in tables["corpus"].frame.to_dict("records")
        )
        yield Grid(
            "corpus",
            "The corpus",
            "Tokens and UTF-8 bytes.",
            ("split", *columns),
            body,
            "tables/corpus.csv",
            True,
        )
    if "models" in tables:
        body = tuple(
            (
                Cell(str(r["model"]), str(r["role"])),
                Cell("–" if pd.isna(r["n_params_total"]) else f"{r['n_params_total']:,}"),
                Cell(str(r["about"])),
            )
            for r in tables["models"].frame.to_dict("records")
        )
        yield Grid("models", "The evaluated models", "Baselines and controls.", ("model", "parameters", "about"), body,
                   "tables/models.csv", True)  # fmt: skip
    if "tasks" in tables:
        yield _tasks(tables["tasks"].frame)


def _recheck(rechecks: Sequence[Recheck]) -> str:
    if not rechecks:
        return "no request was scored a second time by the plain path"
    drawn, asked = sum(r.n_rechecked for r in rechecks), sum(r.n_requests for r in rechecks)
    worst = max(rechecks, key=lambda recheck: recheck.largest_nats)
    return (
        f"{drawn:,} of {asked:,} requests scored again by the plain path, largest difference "
        f"{worst.largest_nats:.1e} nats ({worst.model})"
    )


def _tasks(frame: pd.DataFrame) -> Grid:
    body = []
    for (suite, label), own in frame.groupby(["suite", "label"], sort=False):
        chance = [f"{c:.2f}" for c in sorted(set(own["chance"].dropna()))]
        body.append(
            (
                Cell(str(label), f"suite {suite}"),
                Cell(join(dict.fromkeys(own["metric"]))),
                Cell(f"{chance[0]}–{chance[-1]}" if len(chance) > 1 else "".join(chance) or "–"),
                Cell(span(own["num_fewshot"])),
                Cell(f"{own['language'].nunique()}"),
                Cell(f"{own['variant'].nunique()}"),
                Cell(f"{int(own['n_items'].sum()):,}"),
                Cell(_translated(own["translated"])),
                Cell(join(sorted(set(own["license"]) - {""})) or "–"),
                Cell(join(sorted(set(own["source"]) - {""})) or "–"),
            )
        )
    header = ("task", "metric", "chance", "examples", "languages", "wordings", "items", "translated",
              "licence", "source")  # fmt: skip
    return Grid(
        "tasks", "The tasks", "By family; items over all languages and wordings.", header,
        tuple(body), "tables/tasks.csv", True,
    )  # fmt: skip


def _translated(values: pd.Series[Any]) -> str:
    known = set(values)
    return known.pop() if len(known) == 1 else "partly"


def tasks(sources: Sources, scores: Table) -> Table:
    """Return the evaluated tasks with what a reader must know of each.

    Args:
        sources: The evaluations.
        scores: The table of all scores, for the names that the page uses.
    """
    shown = scores.frame[["suite", "task", "label"]].drop_duplicates()
    labels = {(suite, task): label for suite, task, label in shown.itertuples(index=False)}
    named = page_names(sources)
    rows = [
        {
            "suite": summary.suite,
            "task": task.name,
            "language": task.language,
            "label": labels.get((summary.suite, named[summary.suite, task.name]), task.family),
            "kind": task.kind,
            "variant": task.variant,
            "metric": task.metric,
            "chance": math.nan if task.chance is None else task.chance,
            "num_fewshot": task.num_fewshot,
            "n_items": task.n_items,
            "version": task.version,
            "translated": {True: "yes", False: "no", None: "not known"}[task.translated],
            "license": task.license or "",
            "source": task.source,
            "data_sha256": task.data_sha256,
        }
        for summary in sources.summaries
        for task in summary.tasks
    ]
    return Table("tasks", ("suite", "task"), {}, pd.DataFrame(rows))


def provenance(sources: Sources) -> dict[str, str]:
    """Return the fingerprints and versions that the results belong to."""
    facts = {"Skald": __version__}
    if sources.summaries:
        facts["lm-eval"] = join(dict.fromkeys(s.lm_eval_version for s in sources.summaries))
        facts["suites"] = join(s.suite for s in sources.summaries)
    if sources.corpus:
        facts["corpus source"] = sources.corpus.recipe.source
        facts["corpus fingerprint"] = sources.corpus.fingerprint
    for name, plan in sources.plans.items():
        facts[f"plan of {name}"] = plan.fingerprint
        if sources.corpus and plan.identity.data.corpus_fingerprint != sources.corpus.fingerprint:
            facts[f"corpus of {name}"] = f"another: {plan.identity.data.corpus_fingerprint}"
    for model in (m for s in sources.summaries[:1] for m in s.models if m.role != "control"):
        facts[f"weights of {model.name}"] = model.weights_sha256
        facts[f"scorer of {model.name}"] = model.scorer
    for summary in sources.summaries:
        facts[f"recheck of {summary.suite}"] = _recheck(summary.rechecks)
    return facts
