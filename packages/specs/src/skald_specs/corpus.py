"""What the corpus station hands on: documents in, shards and `corpus.json` out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skald_specs.fingerprint import fingerprint
from skald_specs.models import Spec
from skald_specs.recipe import CorpusRecipe

#: The one special token: it ends a document and conditions the next one (begin and end of text).
END_OF_TEXT = "<|endoftext|>"
END_OF_TEXT_ID = 0

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
    path: str
    sha256: str
    n_documents: int
    n_tokens: int
    n_bytes: int


class CorpusManifest(Spec):
    """`corpus.json`: what was built, from which intent, with a hash of every file."""

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
        """Return one shard's row, or None."""
        rows = [s for s in self.shards if s.language == language and s.split == split]
        return rows[0] if rows else None
