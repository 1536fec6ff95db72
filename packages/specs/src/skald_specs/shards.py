"""Token shards: `<name>.ds` (uint16 or uint32 tokens) and `<name>.ds.index` (uint64 document ends).

The layout is datatrove's, so that its tools read ours and ours read its.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skald_specs.errors import UserInputError
from skald_specs.files import atomic_path

#: The largest vocabulary that fits uint16.
UINT16_VOCAB = 65_535


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Return the smallest token type that holds a vocabulary."""
    return np.dtype(np.uint16 if vocab_size <= UINT16_VOCAB else np.uint32)


def write_shard(path: Path, documents: Iterable[NDArray[np.integer]], vocab_size: int) -> int:
    """Write documents of token ids as one shard.

    Args:
        path: The `.ds` file; the index is written beside it.
        documents: Token ids of each document, its end-of-text token included.
        vocab_size: Decides the token type.

    Returns:
        The number of tokens written.
    """
    # An array, not a list: forty million documents are nothing rare.
    dtype, ends, total = token_dtype(vocab_size), array("Q"), 0
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        for document in documents:
            out.write(np.ascontiguousarray(document, dtype=dtype).tobytes())
            total += len(document)
            ends.append(total)
    with atomic_path(index_path(path)) as temporary:
        temporary.write_bytes(np.asarray(ends, dtype=np.uint64).tobytes())
    return total


def index_path(path: Path) -> Path:
    """Return the path of a shard's index."""
    return path.with_name(path.name + ".index")


def read_tokens(
    path: Path, vocab_size: int, n_tokens: int | None = None
) -> NDArray[np.unsignedinteger]:
    """Map a shard's tokens into memory.

    Args:
        path: The `.ds` file.
        vocab_size: Decides the token type.
        n_tokens: How many there are to be, or None.

    Raises:
        UserInputError: The shard is missing, empty, no multiple of the token type, or of another
            length.
    """
    dtype = token_dtype(vocab_size)
    if not path.is_file():
        raise UserInputError(str(path), "no such shard", "Run `skald corpus build` first")
    size = path.stat().st_size
    if size == 0 or size % dtype.itemsize:
        raise UserInputError(
            str(path), f"{size} bytes is no whole number of tokens", "Rebuild the corpus"
        )
    if n_tokens is not None and size != n_tokens * dtype.itemsize:
        raise UserInputError(
            str(path),
            f"{size} bytes, but {n_tokens} tokens of {dtype.name} (vocabulary of {vocab_size}) are "
            f"{n_tokens * dtype.itemsize}",
            "Rebuild the corpus",
        )
    # A plain array over the map: slicing a memmap itself takes ten times as long.
    return np.memmap(path, dtype=dtype, mode="r").view(np.ndarray)


def read_document_ends(path: Path) -> NDArray[np.uint64]:
    """Read the token offsets at which documents end.

    Raises:
        UserInputError: The index is missing or torn.
    """
    index = index_path(path)
    if not index.is_file() or index.stat().st_size % np.dtype(np.uint64).itemsize:
        raise UserInputError(str(index), "missing or torn", "Run `skald corpus build` again")
    return np.fromfile(index, dtype=np.uint64)
