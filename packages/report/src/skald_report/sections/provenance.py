"""What the results belong to: how to make them again, fingerprints, versions, files, models, tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from skald_specs import __version__
from skald_specs.records import Recheck

from skald_report.page.blocks import Block, Cell, Grid, Paragraph
from skald_report.page.formatting import counted, join, of
from skald_report.reading.inputs import ReportInputs, Sources
from skald_report.tables.cost import run_manifest
from skald_report.tables.exported import card_file, exported, without_card
from skald_report.tables.table import Table

#: Hash of a git commit as people write it.
_COMMIT = 10


def provenance_blocks(
    sources: Sources, tables: Mapping[str, Table], inputs: ReportInputs
) -> Iterator[Block]:
    """Yield the section: how to make the page again, fingerprints, files, models and tasks.

    Args:
        sources: The checked inputs: fingerprints, versions and cards.
        tables: Every table of the report, to count them; `models` and `task_families` are shown.
        inputs: The command that makes the page again.
    """
    yield Paragraph(
        f"To make this page again, run `{inputs.command}` in the same checkout: the same inputs give the same bytes. "
        "`nox -s reproduce` runs everything and compares it with the committed report within stated tolerances."
    )
    yield Paragraph(
        "Every number of this page stands in `report.json` beside it, and every table as CSV with all digits in "
        f"`tables/` ({counted(len(tables), 'table')}). `skald evaluate --verify` recomputes the scores from the records."
    )
    yield from _cards(sources)
    facts = provenance(sources)
    rows = tuple((Cell(name), Cell(value)) for name, value in facts.items())
    yield Grid(
        "provenance",
        "What these results belong to",
        "Fingerprints are SHA-256. Hardware and wall times are no results: the section on cost has them.",
        ("fact", "value"),
        rows,
        folded=True,
    )
    if "models" in tables:
        yield _models(tables["models"].frame)
    if "task_families" in tables:
        yield _tasks(tables["task_families"].frame)


def _cards(sources: Sources) -> Iterator[Paragraph]:
    files = [f"`cards/{card_file(name)}`" for name in exported(sources)]
    if files:
        yield Paragraph(f"Model cards: {join(files)}.")
    for name, why in without_card(sources).items():
        yield Paragraph(f"{name} has no model card: {why}.", "gap")


def _models(frame: pd.DataFrame) -> Grid:
    body = tuple(
        (
            Cell(str(r["model"]), str(r["role"])),
            Cell("–") if pd.isna(r["n_params_total"])
            else Cell(f"{r['n_params_total']:,}", of=of("models", i, "n_params_total")),
            Cell(str(r["dtype"])),
            Cell(str(r["about"])),
        )
        for i, r in enumerate(frame.to_dict("records"))
    )  # fmt: skip
    caption = f"{counted(len(body), 'model')}, controls among them."
    return Grid("models", "The evaluated models", caption, ("model", "parameters", "computed in", "about"),
                body, "tables/models.csv", True)  # fmt: skip


def _tasks(frame: pd.DataFrame) -> Grid:
    body = tuple(
        (
            Cell(str(r["label"]), f"suite {r['suite']}"),
            Cell(str(r["metric"])),
            _span(r["chance_low"], r["chance_high"], ".2f", i, "chance_low", "chance_high"),
            _span(r["fewest_examples"], r["most_examples"], "d", i, "fewest_examples", "most_examples"),
            Cell(f"{r['n_languages']}", of=of("task_families", i, "n_languages")),
            Cell(f"{r['n_wordings']}", of=of("task_families", i, "n_wordings")),
            Cell(f"{r['n_items']:,}", of=of("task_families", i, "n_items")),
            Cell(str(r["versions"])),
            Cell(str(r["translated"])),
            Cell(str(r["license"]) or "–"),
            Cell(str(r["source"]) or "–"),
        )
        for i, r in enumerate(frame.to_dict("records"))
    )  # fmt: skip
    header = ("task", "metric", "chance", "examples", "languages", "wordings", "items", "version",
              "translated", "licence", "source")  # fmt: skip
    return Grid(
        "tasks", "The tasks", "By family; items over all languages and wordings.", header,
        body, "tables/task_families.csv", True,
    )  # fmt: skip


def _span(low: float, high: float, digits: str, row: int, *columns: str) -> Cell:
    """Return the smallest and the largest of some numbers; one where they look alike."""
    if math.isnan(low):
        return Cell("–")
    ends = (f"{low:{digits}}", f"{high:{digits}}")
    if ends[0] == ends[1]:
        return Cell(ends[0], of=of("task_families", row, columns[0]))
    return Cell("–".join(ends), of=of("task_families", row, *columns))


def _recheck(rechecks: Sequence[Recheck]) -> str:
    if not rechecks:
        return "no request was scored a second time by the plain path"
    drawn, asked = sum(r.n_rechecked for r in rechecks), sum(r.n_requests for r in rechecks)
    worst = max(rechecks, key=lambda recheck: recheck.largest_nats)
    return (
        f"{drawn:,} of {asked:,} requests scored again by the plain path, largest difference "
        f"{worst.largest_nats:.1e} nats ({worst.model})"
    )


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
    facts |= _trained_with(sources)
    for summary in sources.summaries:
        facts[f"recheck of {summary.suite}"] = _recheck(summary.rechecks)
    return facts


def _trained_with(sources: Sources) -> dict[str, str]:
    """Return commits and library versions of the training runs, by their manifests."""
    found = {name: run_manifest(sources, name, plan)[0] for name, plan in sources.plans.items()}
    known = {name: manifest for name, manifest in found.items() if manifest is not None}
    facts = {}
    for name, manifest in known.items():
        if manifest.git_commit:
            changed = " with uncommitted changes" if manifest.git_dirty else ""
            facts[f"commit that trained {name}"] = manifest.git_commit[:_COMMIT] + changed
    versions = dict.fromkeys(
        join(
            f"{library} {version}"
            for library, version in {"Python": m.python, **m.libraries}.items()
        )
        for m in known.values()
    )
    return facts | ({"trained with": "; ".join(versions)} if versions else {})
