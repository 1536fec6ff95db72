"""Read a folder of text: `<source>/<language>/*` with jsonl, jsonl.gz or txt files.

Knows file layouts and how documents fall into splits; refuses to judge what the text is worth.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from skald_specs.corpus import Document, Split
from skald_specs.errors import UserInputError
from skald_specs.guesses import near
from skald_specs.recipe import CorpusRecipe

from skald_corpus.keyed import fraction
from skald_corpus.readers import Bad, Record, records

#: File stems that decide the split, see `Texts`.
STEM_SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
#: Consecutive paragraphs of a .txt file that stay in one split. Neighbours tell of the same things;
#: only at the edges of a block do they fall apart. Standing: assumed.
BLOCK_PARAGRAPHS = 50
_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt")
#: Files that may lie beside the text; any other file is refused, so that no text is passed over.
_BESIDE = ("readme", "license", "licence", "copying")


class Texts:
    """The documents of a language, read anew whenever they are asked for.

    A file named after a split decides it. Where one is named after validation, every other file is
    training text; where none is, the keys of all but test files are split by their hash, so that
    no key falls into two splits. A document without a key has the hash of its text as its key, a
    paragraph of a .txt file that of its block. Text is normalised to NFC.

    Args:
        source: Folder with one sub-folder a language.
        tag: The language.
        recipe: Says how much is set aside for validation where no file is named after that split.

    Raises:
        UserInputError: A folder is missing, or (while reading) a file is empty, cut, not UTF-8 or
            malformed.
    """

    def __init__(self, source: Path, tag: str, recipe: CorpusRecipe) -> None:
        self._files = [
            (path, STEM_SPLITS.get(path.name.split(".")[0])) for path in text_files(source, tag)
        ]
        self._is_validation: Callable[[str], bool] | None = None
        if all(split != "validation" for _, split in self._files):
            keys = (
                document.key
                for path, split in self._files
                if split != "test"
                for document in _documents(path)
            )
            self._is_validation = validation_rule(keys, recipe.validation_fraction)

    def of(self, wanted: Split) -> Iterator[Document]:
        """Yield the documents of a split, in the order of the files' names.

        Test documents can be asked for, but are never trained on.
        """
        for path, split in self._files:
            by_hash = self._is_validation is not None and split != "test"
            if by_hash:
                assert self._is_validation is not None
                for document in _documents(path):
                    if ("validation" if self._is_validation(document.key) else "train") == wanted:
                        yield document
            elif (split or "train") == wanted:
                yield from _documents(path)


def held_out_documents(source: Path, tag: str) -> Iterator[Document]:
    """Yield the text of a language that is meant for evaluation.

    Args:
        source: Folder with one sub-folder a language.
        tag: The language.

    Yields:
        The documents of the files named after validation or test; where none is, of all files.

    Raises:
        UserInputError: As `Texts` does.
    """
    files = text_files(source, tag)
    named = [f for f in files if STEM_SPLITS.get(f.name.split(".")[0]) in ("validation", "test")]
    for path in named or files:
        yield from _documents(path)


def text_files(source: Path, tag: str) -> list[Path]:
    """Return a language's files in name order.

    Args:
        source: Folder with one folder a language.
        tag: The language, and the name of its folder.

    Raises:
        UserInputError: The folder is missing (the nearest name is given), has no text file, or has
            a file of another kind.
    """
    folder = source / tag
    if not folder.is_dir():
        present = sorted(p.name for p in source.iterdir() if p.is_dir()) if source.is_dir() else []
        if not present:
            raise UserInputError(
                str(source), "no such folder of text", "Give a folder with one folder a language"
            )
        meant = near(tag, present)
        hint = f"Did you mean {meant[0]}?" if meant else f"There are: {', '.join(present)}"
        raise UserInputError(str(folder), f"no folder for language {tag}", hint)
    files: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower().startswith(_BESIDE):
            continue
        if not path.is_file() or not path.name.endswith(_SUFFIXES):
            raise UserInputError(
                str(path), "not a text file", f"Use {', '.join(_SUFFIXES)}, or move it away"
            )
        files.append(path)
    if not files:
        raise UserInputError(
            str(folder), "no text file in it", f"Put {', '.join(_SUFFIXES)} files there"
        )
    return files


def validation_rule(keys: Iterable[str], validation_fraction: float) -> Callable[[str], bool]:
    """Return the rule by which keys are set aside, the same on every machine.

    Each goes with the given probability, whatever other keys there are. Where chance leaves none
    of several, the one with the lowest hash goes: a short text has few blocks.

    Args:
        keys: All keys that may go, in any order, repeated or not; none of them is remembered.
        validation_fraction: Probability.
    """
    first, lowest, several = "", 2.0, False
    for key in keys:
        several = several or (bool(first) and key != first)
        first = first or key
        lowest = min(lowest, fraction(key))
    if lowest >= validation_fraction and several:
        return lambda key: fraction(key) == lowest
    return lambda key: fraction(key) < validation_fraction


def _documents(path: Path) -> Iterator[Document]:
    """Yield the documents of a file, all with a key; there is at least one."""
    return (_plain if path.name.endswith(".txt") else _rows)(path)


def _plain(path: Path) -> Iterator[Document]:
    texts, number = (text_of(row, where) for where, row in _read(path)), 0
    while block := list(islice(texts, BLOCK_PARAGRAPHS)):
        key = text_key(block)
        for text in block:
            number += 1
            yield Document(id=f"{_name(path)}:{number}", text=text, key=key)


def _rows(path: Path) -> Iterator[Document]:
    for where, row in _read(path):
        text = text_of(row, where)
        number = where.rsplit(":", 1)[1]
        yield Document(
            id=str(row.get("id", f"{_name(path)}:{number}")),
            text=text,
            key=str(row.get("key") or row.get("doc") or text_key([text])),
        )


def _read(path: Path) -> Iterator[Record]:
    for record in records(path):
        if isinstance(record, Bad):
            raise record.error()
        yield record


def text_of(row: Mapping[str, Any], where: str) -> str:
    """Return a record's text in NFC.

    Args:
        row: A record as it was read.
        where: `file:line`, for the message.

    Raises:
        UserInputError: It has none.
    """
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise UserInputError(where, "no `text`", 'Write {"text": "..."} or remove the line')
    return unicodedata.normalize("NFC", text)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def text_key(texts: Sequence[str]) -> str:
    """Hash the words of texts, so that copies of one text, laid out anyhow, share a key."""
    words = " ".join(word for text in texts for word in text.split())
    return hashlib.sha256(words.encode("utf-8")).hexdigest()
