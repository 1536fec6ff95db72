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
from collections.abc import Iterator
from pathlib import Path

from skald_specs.corpus import Document, Split
from skald_specs.errors import UserInputError
from skald_specs.recipe import CorpusRecipe

#: File stems that decide the split. Anything else is split by a hash of each document's key.
STEM_SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_SUFFIXES = (".jsonl", ".jsonl.gz", ".txt")


def read_language(source: Path, tag: str, recipe: CorpusRecipe) -> Iterator[tuple[Split, Document]]:
    """Yield every document of a language with its split.

    Test documents are yielded too, so that the caller can count them; they are never trained on.

    Args:
        source: Folder with one sub-folder a language.
        tag: The language.
        recipe: Says how much an unnamed split sets aside for validation.

    Yields:
        Split and document, in file-name order. Text is normalised to NFC.

    Raises:
        UserInputError: A folder is missing, or a file is empty, cut, not UTF-8 or malformed.
    """
    folder = source / tag
    if not folder.is_dir():
        present = sorted(p.name for p in source.iterdir() if p.is_dir()) if source.is_dir() else []
        near = difflib.get_close_matches(tag, present, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(present) or 'none'}"
        raise UserInputError(str(folder), f"no folder for language {tag}", hint)
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name.endswith(_SUFFIXES))
    if not files:
        raise UserInputError(
            str(folder), "no text file in it", f"Put {', '.join(_SUFFIXES)} files there"
        )
    for path in files:
        named = STEM_SPLITS.get(path.name.split(".")[0])
        found = False
        for document in _documents(path):
            found = True
            split = named or hashed_split(document.key or document.id, recipe.validation_fraction)
            yield split, document
        if not found:
            raise UserInputError(str(path), "no text in it", "Remove the file or fill it")


def hashed_split(key: str, validation_fraction: float) -> Split:
    """Send a key to validation with the given probability, the same on every machine."""
    digest = hashlib.sha256(key.encode()).digest()
    drawn = int.from_bytes(digest[:8], "big") / 2**64
    return "validation" if drawn < validation_fraction else "train"


def _documents(path: Path) -> Iterator[Document]:
    stem = f"{path.parent.name}/{path.name}"
    if path.name.endswith(".txt"):
        for number, paragraph in enumerate(_paragraphs(path), start=1):
            yield Document(id=f"{stem}:{number}", text=paragraph)
        return
    for number, line in _lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserInputError(where, f"not JSON ({error.msg})", "Mend or remove the line") from None
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise UserInputError(where, "no `text`", 'Write {"text": "..."} or remove the line')
        # A lone surrogate parses as JSON but is no text: it has no UTF-8 encoding.
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise UserInputError(where, "`text` holds a lone surrogate", "Mend or remove the line")
        yield Document(
            id=str(row.get("id", f"{stem}:{number}")),
            text=unicodedata.normalize("NFC", text),
            key=str(row.get("key") or row.get("doc") or ""),
        )


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
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    number = 0
    with opened as stream:
        try:
            for number, raw in enumerate(stream, start=1):
                try:
                    yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserInputError(
                        f"{path}:{number}",
                        f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}",
                        "Convert the file, for example with `iconv -f LATIN1 -t UTF-8`",
                    ) from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserInputError(
                f"{path}:{number + 1}", f"damaged gzip ({error})", "Fetch the file again"
            ) from None
