"""Gather what the stages wrote down into one `DataCard`; drawing it is the report's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from skald_specs.datacard import CardSource, CardText, Confusion, DataCard, LimitComplaint
from skald_specs.decontamination import REPORT_FILE, DecontaminationReport
from skald_specs.files import read_json, sha256_file
from skald_specs.funnel import Amount
from skald_specs.sources import Source, SourcesFile
from skald_specs.stages import STAGES

from skald_corpus.pipeline.ingest import files_sha256, source_files
from skald_corpus.pipeline.rows import json_rows, n_bytes, parts, read_part
from skald_corpus.pipeline.run import CLUSTERS, IDLE, LENGTHS, load_funnel
from skald_corpus.pipeline.shards import FACTS, ShardFacts

_SPLITS = ("train", "validation")


def collect(sources: SourcesFile, base: Path, root: Path) -> DataCard:
    """Read what every stage wrote.

    Args:
        sources: The sources file.
        base: Its folder.
        root: Folder of the pipeline.

    Raises:
        UserInputError: A stage was not run.
    """
    funnels = tuple(load_funnel(root, stage) for stage in STAGES)
    on = {funnel.stage: funnel.on for funnel in funnels}
    idle = root / "rights" / IDLE
    confusion, lint = root / "language" / "confusion.json", root / "quality" / "lint.json"
    facts = ShardFacts.load(root / FACTS) if sources.shards and (root / FACTS).is_file() else None
    report = None
    if on["decontaminate"]:
        report = DecontaminationReport.load(root / "decontaminate" / REPORT_FILE)
    return DataCard(
        name=sources.name,
        about=sources.about,
        sources=tuple(_source(source, base) for source in sources.sources),
        funnels=funnels,
        text=tuple(
            _text(root / "split" / tag / f"{split}.jsonl", tag, split)
            for tag in sources.languages
            for split in _SPLITS
        ),
        licences=_licences(sources, root),
        lengths=read_json(root / "split" / LENGTHS),
        clusters={
            kind: read_json(root / kind / CLUSTERS) for kind in ("exact", "near") if on[kind]
        },
        idle_opt_outs=tuple(read_json(idle)) if idle.is_file() else (),
        masked=_masked(root) if on["pii"] else None,
        confusion=Confusion.load(confusion) if confusion.is_file() else None,
        complaints=_complaints(read_json(lint)) if lint.is_file() else None,
        contamination=report.tasks if report else None,
        fertility=facts.fertility if facts else None,
        mixture=facts.mixture if facts else None,
    )


def _source(source: Source, base: Path) -> CardSource:
    hub = source.hub
    place = f"{hub.dataset}@{hub.revision}: {', '.join(hub.files)}" if hub else str(source.path)
    return CardSource(
        id=source.id,
        language=source.language,
        kind=source.kind,
        place=place,
        licence=source.licence,
        citation=source.citation,
        sha256=files_sha256(source_files(source, base), base),
    )


def _text(path: Path, language: str, split: str) -> CardText:
    documents = size = 0
    for row in json_rows(path):
        documents += 1
        size += n_bytes(row["text"])
    return CardText(
        language=language,
        split=split,
        amount=Amount(documents=documents, bytes=size),
        sha256=sha256_file(path),
    )


def _licences(sources: SourcesFile, root: Path) -> dict[str, dict[str, Amount]]:
    """Count what is left by the licence of the document, or else of its source."""
    documents, size = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for part in parts(root):
        given = sources.source(part.source).licence
        for row in read_part(root, part, STAGES[1:-1]):
            key = (part.language, row.licence or given)
            documents[key] += 1
            size[key] += n_bytes(row.text)
    found: dict[str, dict[str, Amount]] = {}
    for key in sorted(documents):
        language, licence = key
        found.setdefault(language, {})[licence] = Amount(documents=documents[key], bytes=size[key])
    return found


def _masked(root: Path) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for part in parts(root):
        counter = found.setdefault(part.language, Counter())
        for row in json_rows(part.file(root / "pii", "changed")):
            counter.update(change.split(" by ")[0] for change in row["changes"])
    return {language: dict(sorted(counts.items())) for language, counts in sorted(found.items())}


def _complaints(rows: list[dict[str, Any]]) -> tuple[LimitComplaint, ...]:
    return tuple(LimitComplaint.check(row, "lint.json") for row in rows)
