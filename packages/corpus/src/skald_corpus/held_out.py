"""The common held-out text of a data ablation: read, freed of what any corpus trained on, limited.

Knows text, shards and n-grams; refuses to know models. Items seen in one corpus are left out for
all, so that every corpus is scored on the same text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field, model_validator
from skald_specs.ablation import AblationItem, AblationText
from skald_specs.corpus import CorpusManifest, Document, Split
from skald_specs.decontamination import Decontamination, ReferenceItem
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library, read_jsonl
from skald_specs.models import Spec
from skald_specs.shards import read_document_ends, read_tokens
from tokenizers import Tokenizer

from skald_corpus.decontaminate.index import ItemIndex
from skald_corpus.decontaminate.scan import Decontaminator, count
from skald_corpus.ingest import held_out_documents
from skald_corpus.tokenizer import spread

#: UTF-8 bytes of held-out text of each language, spread evenly over what there is. Standing:
#: measured (docs/data.md): on plain text, three seeds are then the larger part of an interval.
HELD_OUT_BYTES = 200_000
#: Share of a language's items that may be left out as seen; beyond it the text is no held-out text.
MAX_SEEN = 0.5
_BATCH_DOCUMENTS = 2000
_CHOOSE = "Give text that no corpus was built from with --on"


class HeldOut(NamedTuple):
    """What is scored, and what it is made of."""

    items: tuple[AblationItem, ...]
    texts: tuple[AblationText, ...]


class _Pair(Spec):
    """One line of a file of pairs; fields beyond these are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    good: Annotated[str, Field(min_length=1)]
    bad: Annotated[str, Field(min_length=1)]
    key: str = ""

    @model_validator(mode="after")
    def _two_sides(self) -> _Pair:
        if self.good == self.bad:
            raise ValueError("`good` and `bad` are the same text; mend or remove the line")
        return self


def held_out_text(source: Path, tag: str) -> list[AblationItem]:
    """Read a language of a folder of text: its validation and test files, or all where none is named so.

    Args:
        source: Folder `<source>/<language>/*` (see `ingest`).
        tag: The language.

    Raises:
        UserInputError: The folder or a file of it is wrong.
    """
    return [_document(tag, document) for document in held_out_documents(source, tag)]


def validation_text(corpus: Path, manifest: CorpusManifest, tag: str) -> list[AblationItem]:
    """Decode the validation text of a corpus; keys are not kept there, so each text is its own.

    Args:
        corpus: Folder of the built corpus.
        manifest: Its manifest.
        tag: The language.
    """
    return [_document(tag, d) for d in shard_documents(corpus, manifest, tag, "validation")]


def read_pairs(folder: Path, tag: str) -> list[AblationItem]:
    """Read the minimal pairs of a language, `<folder>/<language>.jsonl` or `.jsonl.gz`.

    Args:
        folder: Where they lie.
        tag: The language.

    Returns:
        The pairs, none where there is no file; a pair without a key is its own.

    Raises:
        UserInputError: A line is malformed.
    """
    plain = folder / f"{tag}.jsonl"
    path = plain if plain.is_file() else plain.with_name(f"{plain.name}.gz")
    if not path.is_file():
        return []
    rows = enumerate(read_jsonl(path), start=1)
    pairs = [_Pair.check(row, f"{path}, row {number}") for number, row in rows]
    return [
        AblationItem(language=tag, key=pair.key or pair.good, texts=(pair.good, pair.bad))
        for pair in pairs
    ]


def _document(tag: str, document: Document) -> AblationItem:
    return AblationItem(language=tag, key=document.key or document.text, texts=(document.text,))


def shard_documents(
    corpus: Path, manifest: CorpusManifest, tag: str, split: Split
) -> Iterator[Document]:
    """Decode a shard to its documents; byte-level tokens give the text back as it was.

    Args:
        corpus: Folder of the built corpus.
        manifest: Its manifest.
        tag: The language.
        split: The split; one that the corpus does not have yields nothing.
    """
    shard = manifest.shard(tag, split)
    if shard is None or not shard.n_tokens:
        return
    with read_by_library(corpus / "tokenizer.json", "no tokenizer", "Build the corpus again"):
        tokenizer = Tokenizer.from_file(str(corpus / "tokenizer.json"))
    path = corpus / shard.path
    tokens, ends = read_tokens(path, manifest.vocab_size), read_document_ends(path).tolist()
    starts = [0, *ends[:-1]]
    for first in range(0, len(ends), _BATCH_DOCUMENTS):
        part = slice(first, first + _BATCH_DOCUMENTS)
        # The last token of each is the end of the text.
        ids = [tokens[a : b - 1].tolist() for a, b in zip(starts[part], ends[part], strict=True)]
        for number, text in enumerate(tokenizer.decode_batch(ids, skip_special_tokens=False)):
            yield Document(id=f"{tag}/{split}:{first + number + 1}", text=text)


def limited(items: Sequence[AblationItem], n_bytes: int = HELD_OUT_BYTES) -> list[AblationItem]:
    """Keep documents of one language, spread evenly over it.

    Args:
        items: Documents, in order.
        n_bytes: UTF-8 bytes to keep, exceeded by less than one document.
    """
    sizes = [len(item.texts[0].encode()) for item in items]
    return list(spread(zip(items, sizes, strict=True), sum(sizes), n_bytes))


def unseen(items: Sequence[AblationItem], corpora: Mapping[Path, CorpusManifest]) -> HeldOut:
    """Leave out what the training text of any corpus has, by the rule of decontamination.

    Args:
        items: Documents and pairs of all languages.
        corpora: Manifests by folder.

    Raises:
        UserInputError: More than `MAX_SEEN` of a language's documents or pairs are left out, or
            fewer than two keys remain.
    """
    seen = _seen(items, corpora)
    texts = []
    for tag in sorted({item.language for item in items}):
        here = [(i, item) for i, item in enumerate(items) if item.language == tag]
        found: dict[str, tuple[int, int]] = {}
        for metric, what in (("bits_per_byte", "documents"), ("pairs", "pairs")):
            ours = [i for i, item in here if item.metric == metric]
            gone = sum(i in seen for i in ours)
            if gone > MAX_SEEN * len(ours):
                raise UserInputError(
                    f"held-out text {tag}",
                    f"{gone} of {len(ours)} {what} are in the training text of a corpus",
                    _CHOOSE if metric == "bits_per_byte" else "Give other pairs, or none",
                )
            found[metric] = len(ours) - gone, gone
        documents = [x for i, x in here if i not in seen and x.metric == "bits_per_byte"]
        keys = {item.key for item in documents}
        if len(keys) < 2:
            raise UserInputError(
                f"held-out text {tag}", f"{len(keys)} independent texts in it", _CHOOSE
            )
        texts.append(
            AblationText(
                language=tag,
                n_documents=len(documents),
                n_keys=len(keys),
                n_bytes=sum(len(item.texts[0].encode()) for item in documents),
                n_documents_contaminated=found["bits_per_byte"][1],
                n_pairs=found["pairs"][0],
                n_pairs_contaminated=found["pairs"][1],
            )
        )
    kept = tuple(item for i, item in enumerate(items) if i not in seen)
    return HeldOut(kept, tuple(texts))


def _seen(items: Sequence[AblationItem], corpora: Mapping[Path, CorpusManifest]) -> set[int]:
    index = ItemIndex(
        [
            ReferenceItem(
                task="held-out", item_id=str(i), language=item.language, strings=item.texts
            )
            for i, item in enumerate(items)
        ],
        Decontamination(),
    )
    found: set[int] = set()
    for corpus, manifest in corpora.items():
        # Counted for each corpus alone: what is a common phrase is a matter of one corpus.
        hits = np.zeros(len(index.lengths), dtype=np.int64)
        for tag in manifest.recipe.languages:
            hits += count(shard_documents(corpus, manifest, tag, "train"), index).documents
        report = Decontaminator(index, hits).report([])
        found |= {
            int(name) for names in report.clean_subset().contaminated.values() for name in names
        }
    return found
