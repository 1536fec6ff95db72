"""A search of a corpus that is already built: what its training shards have of more items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from skald_specs.corpus import CorpusManifest, Document
from skald_specs.decontamination import REPORT_FILE, DecontaminationReport, ReferenceItem
from skald_specs.errors import UserInputError

from skald_corpus.decontaminate.report import REPORT_ONLY, search, write_findings
from skald_corpus.held_out import shard_documents


@dataclass(frozen=True)
class _Shard:
    """The documents of a language's training shard, as often as they are asked for."""

    corpus: Path
    manifest: CorpusManifest
    language: str

    def __iter__(self) -> Iterator[Document]:
        return shard_documents(self.corpus, self.manifest, self.language, "train")


def search_built(corpus: Path, items: Sequence[ReferenceItem]) -> DecontaminationReport:
    """Look for items in a built corpus and add what is found to its report; no shard is changed.

    Args:
        corpus: Folder with `corpus.json`, shards and tokenizer.
        items: What to look for; a task that was looked for before is replaced.

    Returns:
        The report on all items looked for so far, as written beside the shards.

    Raises:
        UserInputError: The corpus is missing or damaged, or an earlier search removed text, so that
            its findings are not about the shards.
    """
    manifest = CorpusManifest.load(corpus / "corpus.json")
    path = corpus / REPORT_FILE
    before = DecontaminationReport.load(path) if path.is_file() else None
    if before is not None and before.rule != REPORT_ONLY:
        raise UserInputError(
            str(path),
            f"found by another rule (policy {before.rule.policy}) than that of this search",
            "Move it away; it is about text from before the shards were made",
        )
    found = search({tag: _Shard(corpus, manifest, tag) for tag in manifest.recipe.languages}, items)
    if before is not None:
        again = {task.task for task in found.tasks}
        found = found.model_copy(
            update={
                "tasks": (*(t for t in before.tasks if t.task not in again), *found.tasks),
                "items": (*(i for i in before.items if i.task not in again), *found.items),
            }
        )
        found = found.model_copy(
            update={
                "tasks": tuple(sorted(found.tasks, key=lambda t: (t.task, t.language))),
                "items": tuple(sorted(found.items, key=lambda i: (i.task, i.item_id))),
            }
        )
    write_findings(corpus, found)
    return found
