"""A search of training text for evaluation items, and the two files that tell what it found.

The files lie in the folder of the corpus: `decontamination.json`, what was looked for by which rule
and what became of it; `clean-subset.json`, the items to leave out for a score on the clean subset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from skald_specs.corpus import Document
from skald_specs.decontamination import (
    CLEAN_FILE,
    REPORT_FILE,
    Decontamination,
    DecontaminationReport,
    ReferenceItem,
)
from skald_specs.errors import UserInputError
from skald_specs.files import write_json

from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.scan import Decontaminator, Tally, count
from skald_corpus.decontaminate.sources import is_users, listed_items, skald_items, user_items

#: Looks and removes nothing, so that a corpus has the same tokens with and without the search.
REPORT_ONLY = Decontamination(policy="report")


def read_items(path: Path) -> list[ReferenceItem]:
    """Read evaluation items from wherever they come.

    Args:
        path: A list of `ReferenceItem` rows (`skald evals items` writes one), a folder in the
            layout of `data/items`, or a user's folder as the suite `ud` takes it.

    Raises:
        UserInputError: There is nothing, or a line is malformed.
    """
    if path.is_file():
        return listed_items(path)
    if not path.is_dir():
        raise UserInputError(
            str(path), "no such items", "Name a folder of items, or a list of them"
        )
    return (user_items if is_users(path) else skald_items)(path)


def search(
    text: Mapping[str, Iterable[Document]],
    items: Sequence[ReferenceItem],
    rule: Decontamination = REPORT_ONLY,
) -> DecontaminationReport:
    """Look for items in training text.

    Args:
        text: Training documents by language; each is read twice: no iterators.
        items: What to look for, in any language: a leak need not be in the item's own.
        rule: Lengths of n-grams and what is common.

    Returns:
        What the text has of the items. The text itself is left as it is, whatever the policy.
    """
    index = ItemIndex(items, rule)
    counts = {tag: count(documents, index) for tag, documents in sorted(text.items())}
    work = Decontaminator(index, np.sum([part.documents for part in counts.values()], axis=0))
    tallies = [Tally(tag) for tag in counts]
    for tally in tallies:
        for _ in work.apply(text[tally.language], tally, counts[tally.language].flags):
            pass
    return work.report(tallies)


def write_findings(folder: Path, report: DecontaminationReport) -> None:
    """Write a report and its clean subset into the folder of a corpus.

    Args:
        folder: That of the corpus; earlier findings are replaced.
        report: What was looked for and found.
    """
    write_json(folder / REPORT_FILE, report.model_dump(mode="json"))
    write_json(folder / CLEAN_FILE, report.clean_subset().model_dump(mode="json"))


def finding(report: DecontaminationReport) -> str:
    """Say in one line how many items training text has."""
    found = sum(task.n_contaminated for task in report.tasks)
    n_items = sum(task.n_items for task in report.tasks)
    return f"{found or 'none'} of {n_items:,} evaluation items found in the training text"
