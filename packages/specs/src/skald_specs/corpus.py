"""What the corpus station hands on: documents in, shards and `corpus.json` out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.fingerprint import fingerprint
from skald_specs.kinds import Kind
from skald_specs.models import BesideName, Spec
from skald_specs.recipe import CorpusRecipe

#: The one special token that text has: it ends a document and conditions the next one (begin and end of text).
END_OF_TEXT = "<|endoftext|>"
END_OF_TEXT_ID = 0


def reserved_token(number: int) -> str:
    """Return the text of a token that is set aside for chat tuning; its id is number + 1."""
    return f"<|reserved_{number}|>"


Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Document(Spec):
    """One text. `key` groups what must stay in one split."""

    id: str
    text: str
    key: str = ""


class ShardInfo(Spec):
    """One language and split of a built corpus. `n_bytes` counts UTF-8 text, no special tokens."""

    language: str
    split: Split
    path: BesideName
    sha256: str
    n_documents: int
    n_tokens: int
    n_bytes: int


class CorpusManifest(Spec):
    """`corpus.json`: what was built, from which intent, with a hash of every file."""

    file_kind: ClassVar[Kind | None] = "corpus"

    schema_version: Literal[1]
    recipe: CorpusRecipe
    vocab_size: Annotated[int, Field(gt=0)]
    tokenizer_sha256: str
    shards: tuple[ShardInfo, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of what training sees: the tokenizer and every shard's bytes."""
        return fingerprint(
            [self.tokenizer_sha256, self.vocab_size]
            + [[s.language, s.split, s.sha256] for s in self.shards]
        )

    def shard(self, language: str, split: Split) -> ShardInfo | None:
        """Return one shard's row.

        Args:
            language: BCP-47 tag.
            split: Which of its texts.

        Returns:
            None where the corpus has no such shard.
        """
        rows = [s for s in self.shards if s.language == language and s.split == split]
        return rows[0] if rows else None


#: Shards above this size are checked by size alone: hashing a terabyte at each start takes minutes.
HASHED_SHARD_BYTES = 1 << 30
_REBUILD = "Run `skald corpus build` again"


def load_corpus(folder: Path) -> CorpusManifest:
    """Read a corpus's manifest and check that its files are the ones it describes.

    Raises:
        UserInputError: There is no corpus, or a file is missing or differs.
    """
    from skald_specs.shards import index_path, read_document_ends, token_dtype

    manifest = CorpusManifest.load(folder / "corpus.json")
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file() or sha256_file(tokenizer) != manifest.tokenizer_sha256:
        raise UserInputError(str(tokenizer), "missing, or not the one of corpus.json", _REBUILD)
    itemsize = token_dtype(manifest.vocab_size).itemsize
    for shard in manifest.shards:
        path = folder / shard.path
        if not path.is_file() or not index_path(path).is_file():
            raise UserInputError(str(path), "the shard or its index is missing", _REBUILD)
        size = path.stat().st_size
        hashed = size <= HASHED_SHARD_BYTES
        if size != shard.n_tokens * itemsize or (hashed and sha256_file(path) != shard.sha256):
            raise UserInputError(str(path), "differs from what corpus.json describes", _REBUILD)
        ends = read_document_ends(path)
        if len(ends) != shard.n_documents or (len(ends) and int(ends[-1]) != shard.n_tokens):
            raise UserInputError(str(index_path(path)), "does not fit its shard", _REBUILD)
    return manifest
