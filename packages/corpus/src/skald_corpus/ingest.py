"""Read a folder of text: `<source>/<language>/*` with jsonl, jsonl.gz or txt files.

Knows file layouts and how documents fall into splits; refuses to judge what the text is worth.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from skald_specs.corpus import Document, Split
from skald_specs.errors import UserInputError
from skald_specs.recipe import CorpusRecipe

from skald_corpus.keyed import fraction

#: File stems that decide the split, see `read_language`.
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


def read_language(source: Path, tag: str, recipe: CorpusRecipe) -> Iterator[tuple[Split, Document]]:
    """Yield every document of a language with its split.

    A file named after a split decides it. Where one is named after validation, every other file is
    training text; where none is, the keys of all but test files are split by their hash, so that
    no key falls into two splits. A document without a key has the hash of its text as its key, a
    paragraph of a .txt file that of its block.

    Test documents are yielded too, so that the caller can count them; they are never trained on.

    Args:
        source: Folder with one sub-folder a language.
        tag: The language.
        recipe: Says how much is set aside for validation where no file is named after that split.

    Yields:
        Split and document, in file-name order. Text is normalised to NFC.

    Raises:
        UserInputError: A folder is missing, or a file is empty, cut, not UTF-8 or malformed.
    """
    files = text_files(source, tag)
    named = {path: STEM_SPLITS.get(path.name.split(".")[0]) for path in files}
    if "validation" in named.values():
        for path, split in named.items():
            for document in _documents(path):
                yield split or "train", document
        return
    read = [(split == "test", d) for path, split in named.items() for d in _documents(path)]
    validation = validation_keys(
        {document.key for held_out, document in read if not held_out}, recipe.validation_fraction
    )
    for held_out, document in read:
        if held_out:
            yield "test", document
        else:
            yield "validation" if document.key in validation else "train", document


def held_out_documents(source: Path, tag: str) -> Iterator[Document]:
    """Yield the text of a language that is meant for evaluation.

    Args:
        source: Folder with one sub-folder a language.
        tag: The language.

    Yields:
        The documents of the files named after validation or test; where none is, of all files.

    Raises:
        UserInputError: As `read_language` does.
    """
    files = text_files(source, tag)
    named = [f for f in files if STEM_SPLITS.get(f.name.split(".")[0]) in ("validation", "test")]
    for path in named or files:
        yield from _documents(path)


def text_files(source: Path, tag: str) -> list[Path]:
    """Return a language's files in name order.

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
        near = difflib.get_close_matches(tag, present, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(present)}"
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


def validation_keys(keys: set[str], validation_fraction: float) -> set[str]:
    """Choose the keys that are set aside, the same on every machine.

    Each goes with the given probability, whatever other keys there are. Where chance leaves none
    of several, the one with the lowest hash goes: a short text has few blocks.

    Args:
        keys: All keys that may go.
        validation_fraction: Probability.
    """
    chosen = {key for key in keys if fraction(key) < validation_fraction}
    return chosen or set(sorted(keys, key=fraction)[: len(keys) > 1])


def _documents(path: Path) -> Iterator[Document]:
    """Yield the documents of a file, all with a key; there is at least one."""
    found = False
    for document in (_plain if path.name.endswith(".txt") else _rows)(path):
        found = True
        yield document
    if not found:
        raise UserInputError(str(path), "no text in it", "Remove the file or fill it")


def _plain(path: Path) -> Iterator[Document]:
    paragraphs, number = _paragraphs(path), 0
    while block := list(islice(paragraphs, BLOCK_PARAGRAPHS)):
        key = _text_key(block)
        for text in block:
            number += 1
            yield Document(id=f"{_name(path)}:{number}", text=text, key=key)


def _rows(path: Path) -> Iterator[Document]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            problem = error.msg if isinstance(error, json.JSONDecodeError) else "too deep"
            raise UserInputError(
                where, f"not JSON ({problem})", "Mend or remove the line"
            ) from None
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise UserInputError(where, "no `text`", 'Write {"text": "..."} or remove the line')
        # A lone surrogate parses as JSON but is no text: it has no UTF-8 encoding.
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise UserInputError(where, "`text` holds a lone surrogate", "Mend or remove the line")
        text = unicodedata.normalize("NFC", text)
        yield Document(
            id=str(row.get("id", f"{_name(path)}:{number}")),
            text=text,
            key=str(row.get("key") or row.get("doc") or _text_key([text])),
        )


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _text_key(texts: Sequence[str]) -> str:
    """Hash the words of texts, so that copies of one text, laid out anyhow, share a key."""
    words = " ".join(word for text in texts for word in text.split())
    return hashlib.sha256(words.encode("utf-8")).hexdigest()


def _paragraphs(path: Path) -> Iterator[str]:
    lines: list[str] = []
    for _, line in _lines(path):
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield unicodedata.normalize("NFC", "\n".join(lines))
            lines = []
    if lines:
        yield unicodedata.normalize("NFC", "\n".join(lines))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines; a byte that is no UTF-8 is named with its line and column."""
    number = 0
    with _opened(path) as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                try:
                    yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserInputError(
                        f"{path}:{number}",
                        f"not UTF-8: byte 0x{error.object[error.start]:02x} at byte "
                        f"{error.start + 1} of the line",
                        "Convert the file, for example with `iconv -f LATIN1 -t UTF-8`",
                    ) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserInputError(
                f"{path}:{number + 1}", f"damaged gzip ({error})", "Fetch the file again"
            ) from None


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
