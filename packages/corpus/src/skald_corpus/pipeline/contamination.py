"""Evaluation items taken out of the text, over all languages at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from skald_specs.decontamination import DecontaminationReport, ReferenceItem
from skald_specs.funnel import FunnelRow
from skald_specs.sources import DecontaminationStage, ReferenceList

from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.scan import Counts, Decontaminator, Tally, count
from skald_corpus.decontaminate.sources import (
    listed_items,
    pair_files,
    row_id,
    sentence_files,
    skald_items,
)
from skald_corpus.filters.verdict import removed
from skald_corpus.pipeline.overlay import PASSED, Judge, Outcome, apply
from skald_corpus.pipeline.pool import Pool
from skald_corpus.pipeline.rows import Part, Row, before, read_part

STAGE = "decontaminate"


def decontaminate(
    rule: DecontaminationStage,
    base: Path,
    root: Path,
    parts: Sequence[Part],
    out: Path,
    pool: Pool,
) -> tuple[list[FunnelRow], DecontaminationReport]:
    """Count the items' n-grams in all text, then drop or cut.

    Args:
        rule: What to look for, and how.
        base: Folder of the sources file.
        root: Folder of the pipeline.
        parts: All parts.
        out: The stage's folder.
        pool: Counts the parts.

    Returns:
        A row a part, and the report.
    """
    items = reference_items(rule.against, base)
    index = ItemIndex(items, rule.rule)
    counts: list[Counts] = list(pool.map(partial(_count, index, root), parts))
    total = np.sum([found.documents for found in counts], axis=0)
    clean = Decontaminator(index, total)
    tallies = {part.language: Tally(part.language) for part in parts}
    rows = [
        apply(_judge(clean, tallies[part.language], found.flags), root, STAGE, part, out)
        for part, found in zip(parts, counts, strict=True)
    ]
    return rows, clean.report([*tallies.values()])


def reference_items(lists: Sequence[ReferenceList], base: Path) -> list[ReferenceItem]:
    """Read all lists of evaluation items, as the sources file has them.

    Args:
        lists: Of the sources file; each says how its file is laid out.
        base: Folder of the sources file, from which their paths count.

    Raises:
        UserInputError: A list is missing or empty, or a line is malformed.
    """
    found: list[ReferenceItem] = []
    for listed in lists:
        path = base / listed.path
        match listed.layout:
            case "list":
                found += listed_items(path)
            case "skald":
                found += skald_items(path)
            case "pairs":
                found += pair_files(path)
            case "sentences":
                assert listed.task is not None
                found += sentence_files(path, listed.task, row_id)
    return found


def _count(index: ItemIndex, root: Path, part: Part) -> Counts:
    return count((row.document() for row in read_part(root, part, before(STAGE))), index)


def _judge(clean: Decontaminator, tally: Tally, flags: bytearray) -> Judge:
    at = 0

    def judge(rows: Sequence[Row]) -> Iterator[Outcome]:
        nonlocal at
        first, at = at, at + len(rows)
        outcomes = clean.apply((row.document() for row in rows), tally, flags[first:at])
        for outcome in outcomes:
            names = sorted({f"{task} {item}" for task, item in outcome.items})
            told = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
            if outcome.document is None:
                yield Outcome(removed("contaminated", float(len(names)), told))
            elif outcome.cut:
                yield Outcome(text=outcome.document.text, changes=names)
            else:
                yield PASSED

    return judge
