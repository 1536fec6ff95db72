"""Read a folder of text: `<source>/<language>/*` with jsonl, jsonl.gz or txt files.

Knows file layouts and how documents fall into splits; refuses to judge what the text is worth.
"""

from __future__ import annotations

import difflib
import gzip
import json
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from skald_specs.corpus import Document, Split
from skald_specs.errors import UserInputError
from skald_specs.recipe import CorpusRecipe

from skald_corpus.keyed import fraction

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
#: Files that may lie beside the text; any other file is refused, so that no text is passed over.
_BESIDE = ("readme", "license", "licence", "copying")


def read_language(source: Path, tag: str, recipe: CorpusRecipe) -> Iterator[tuple[Split, Document]]:
    """Yield every document of a language with its split.

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
    has_validation = "validation" in named.values()
    for path, split in named.items():
        found = False
        for document in _documents(path):
            found = True
            if split is None or (split == "train" and not has_validation):
                key = document.key or document.id
                yield hashed_split(key, recipe.validation_fraction), document
            else:
                yield split, document
        if not found:
            raise UserInputError(str(path), "no text in it", "Remove the file or fill it")


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


def hashed_split(key: str, validation_fraction: float) -> Split:
    """Send a key to validation with the given probability, the same on every machine."""
    return "validation" if fraction(key) < validation_fraction else "train"


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
