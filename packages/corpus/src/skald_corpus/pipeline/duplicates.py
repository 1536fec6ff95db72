"""Exact and near-duplicates of one language as overlays; `skald_corpus.dedup` does the work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Literal

from skald_specs.corpus import Document
from skald_specs.dedup import NearDuplicates
from skald_specs.funnel import FunnelRow

from skald_corpus.dedup import exact, minhash
from skald_corpus.dedup.clusters import Clusters, Verdict
from skald_corpus.filters.verdict import removed
from skald_corpus.pipeline.overlay import PASSED, Judge, Outcome, apply
from skald_corpus.pipeline.pool import Pool
from skald_corpus.pipeline.rows import Part, Row, before, read_part

Kind = Literal["exact", "near"]
_SKETCHES = "sketches"


def deduplicate(
    kind: Kind,
    rule: NearDuplicates | None,
    root: Path,
    parts: Sequence[Part],
    out: Path,
    pool: Pool,
) -> tuple[list[FunnelRow], dict[int, int]]:
    """Find and remove the duplicates of one language.

    Args:
        kind: The stage.
        rule: Of near-duplicates; None for exact ones.
        root: Folder of the pipeline.
        parts: All parts of the language.
        out: The stage's folder.
        pool: Sketches the parts.

    Returns:
        A row a part, and how many clusters there are of each size.
    """
    folder = out / _SKETCHES
    sketches = [folder / part.language / part.name for part in parts]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for sketch in sketches:
            sketch.parent.mkdir(exist_ok=True)
        list(pool.map(partial(_sketch, kind, rule, root), list(zip(parts, sketches, strict=True))))
        with _clusters(kind, rule, sketches) as clusters:
            verdicts = clusters.verdicts()
            rows = [apply(_judge(kind, verdicts), root, kind, part, out) for part in parts]
            assert next(verdicts, None) is None, "one verdict a document"
            return rows, clusters.sizes()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sketch(kind: Kind, rule: NearDuplicates | None, root: Path, where: tuple[Part, Path]) -> None:
    part, folder = where
    documents: Iterator[Document] = (row.document() for row in read_part(root, part, before(kind)))
    if rule is None:
        exact.write_part(documents, folder)
    else:
        minhash.write_part(documents, folder, rule)


def _clusters(
    kind: Kind, rule: NearDuplicates | None, sketches: Sequence[Path]
) -> AbstractContextManager[Clusters]:
    return exact.exact_clusters(sketches) if rule is None else minhash.near_clusters(sketches, rule)


def _judge(kind: Kind, verdicts: Iterator[Verdict]) -> Judge:
    def one(row: Row) -> Outcome:
        verdict = next(verdicts)
        assert verdict.id == row.id, "verdicts come in the order of the rows"
        if verdict.kept:
            return PASSED
        told = f"of {verdict.kept_id}, {verdict.cluster_size} alike"
        return Outcome(removed(f"{kind}-duplicate", float(verdict.cluster_size), told))

    return lambda rows: map(one, rows)
