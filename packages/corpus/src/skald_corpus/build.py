"""Build a corpus: documents to a tokenizer and token shards, `corpus.json` last.

Training text is searched for evaluation items where some are given; the tokens stay as they are.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skald_process.progress import part, tracked
from skald_specs.corpus import END_OF_TEXT_ID, CorpusManifest, Document, ShardInfo, Split
from skald_specs.decontamination import ReferenceItem
from skald_specs.errors import UserInputError
from skald_specs.files import atomic_folder, sha256_file, write_json
from skald_specs.recipe import Recipe
from skald_specs.shards import write_shard
from tokenizers import Tokenizer

from skald_corpus.decontaminate.report import search, write_findings
from skald_corpus.ingest import Texts
from skald_corpus.tokenizer import train_tokenizer

#: Splits that become shards; test documents are held out for evaluation.
_SHARDED: tuple[Split, ...] = ("train", "validation")
_MORE_OF: dict[Split, str] = {"train": "lower", "validation": "raise"}
#: Encoded at once: enough for all cores, small beside the memory of one.
_BATCH_CHARACTERS = 1 << 20


def build(
    recipe: Recipe, source: Path, out: Path, items: Sequence[ReferenceItem] = ()
) -> CorpusManifest:
    """Build the corpus of a recipe.

    Args:
        recipe: Languages, tokenizer and validation share.
        source: Folder `<source>/<language>/*` (see `ingest`).
        out: Folder to write; an existing one is replaced as a whole.
        items: Evaluation items to look for in training text; what is found is written beside the
            shards and changes none of them. None: not searched, and nothing is written.

    Returns:
        The manifest, also written as `corpus.json`.

    Raises:
        UserInputError: The text cannot be read, or is too little for the recipe.
    """
    texts = {tag: Texts(source, tag, recipe.corpus) for tag in sorted(recipe.corpus.languages)}
    for tag, found in texts.items():
        _check_splits(source / tag, found)
    training = {tag: _Training(found) for tag, found in texts.items()}
    with part("training the tokenizer"):
        tokenizer = train_tokenizer(
            {tag: _Plain(found) for tag, found in training.items()}, recipe.corpus.tokenizer
        )
    with atomic_folder(out, marker="corpus.json") as folder:
        tokenizer.save(str(folder / "tokenizer.json"))
        # A document that spells the special token out must not be cut by it.
        tokenizer.encode_special_tokens = True
        shards = [
            _write(folder, tag, split, texts[tag].of(split), tokenizer)
            for tag in texts
            for split in _SHARDED
        ]
        _check_sizes(shards, recipe)
        if items:
            with part(f"looking for {len(items):,} evaluation items"):
                write_findings(folder, search(training, items))
        manifest = CorpusManifest(
            schema_version=1,
            recipe=recipe.corpus,
            vocab_size=tokenizer.get_vocab_size(),
            tokenizer_sha256=sha256_file(folder / "tokenizer.json"),
            shards=tuple(shards),
        )
        write_json(folder / "corpus.json", manifest.model_dump(mode="json"))
    return manifest


@dataclass(frozen=True)
class _Training:
    """The training documents of a language, as often as they are asked for."""

    texts: Texts

    def __iter__(self) -> Iterator[Document]:
        return self.texts.of("train")


@dataclass(frozen=True)
class _Plain:
    """Their text alone."""

    documents: Iterable[Document]

    def __iter__(self) -> Iterator[str]:
        return (document.text for document in self.documents)


def _check_splits(folder: Path, texts: Texts) -> None:
    for split in _SHARDED:
        if next(texts.of(split), None) is None:
            raise UserInputError(
                str(folder),
                f"no {split} text",
                f"Add text to it, or {_MORE_OF[split]} corpus.validation_fraction",
            )


def _write(
    folder: Path, tag: str, split: Split, documents: Iterable[Document], tokenizer: Tokenizer
) -> ShardInfo:
    path = folder / f"{tag}.{split}.ds"
    sizes = array("Q")
    what = f"{tag}, {split} documents"
    # Around it: the last batch is encoded when its documents are read.
    with part(what):
        tokens = encode(tracked(documents, what), tokenizer, sizes)
        n_tokens = write_shard(path, tokens, tokenizer.get_vocab_size())
    return ShardInfo(
        language=tag,
        split=split,
        path=path.name,
        sha256=sha256_file(path),
        n_documents=len(sizes),
        n_tokens=n_tokens,
        n_bytes=sum(sizes),
    )


def encode(
    documents: Iterable[Document], tokenizer: Tokenizer, sizes: array[int]
) -> Iterator[NDArray[np.int64]]:
    """Yield the tokens of each document, the end-of-text token last; what `write_shard` takes.

    Args:
        documents: Read once.
        tokenizer: With `encode_special_tokens` set, so that text spelling one out stays text.
        sizes: The UTF-8 bytes of each document are appended to it.
    """
    stream = iter(documents)
    while batch := list(_some(stream)):
        sizes.extend(len(text.encode()) for text in batch)
        for encoding in tokenizer.encode_batch_fast(batch):
            yield np.asarray([*encoding.ids, END_OF_TEXT_ID], dtype=np.int64)


def _some(documents: Iterator[Document]) -> Iterator[str]:
    """Yield a batch's worth of texts."""
    room = _BATCH_CHARACTERS
    for document in documents:
        yield document.text
        room -= len(document.text)
        if room <= 0:
            return


def _check_sizes(shards: Sequence[ShardInfo], recipe: Recipe) -> None:
    """Refuse a corpus that cannot fill one sequence a language, or one batch in all."""
    seq_len, batch = recipe.model.seq_len, recipe.budget.global_batch_tokens
    training = [shard for shard in shards if shard.split == "train"]
    for shard in training:
        if shard.n_tokens < seq_len + 1:
            raise UserInputError(
                f"corpus {shard.language}",
                f"{shard.n_tokens} tokens are too few for one sequence of {seq_len} + 1",
                f"Add {shard.language} text or lower model.seq_len",
            )
    total = sum(shard.n_tokens for shard in training)
    if total < batch:
        raise UserInputError(
            "corpus",
            f"{total} training tokens are too few for one batch of {batch}",
            "Add text in any language, or lower budget.global_batch_tokens",
        )
