"""Read records out of files: JSON lines, paragraphs, CoNLL-U and Parquet, gzipped or not.

Knows file formats. What cannot be read comes out in its place as `Bad`, so that the caller decides
whether to stop or to go on with the rest; nothing is passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
from skald_specs.errors import UserInputError
from skald_specs.files import read_by_library
from skald_specs.packed import open_packed

#: A longer line is no document that anything here can hold several of.
MAX_LINE_BYTES = 64 << 20
_ROWS = 1024


@dataclass(frozen=True)
class Bad:
    """Something that could not be read: where, what is wrong, what to do, and its size.

    Args:
        where: `file:line`, or the file.
        problem: What is wrong.
        remedy: What to do.
        n_bytes: Bytes of the line, 0 where they are not known.
    """

    where: str
    problem: str
    remedy: str
    n_bytes: int = 0

    def error(self) -> UserInputError:
        """Return it as the error to stop with."""
        return UserInputError(self.where, self.problem, self.remedy)


#: Where it stands, and its keys and values.
Record = tuple[str, Mapping[str, Any]]


def lines(path: Path) -> Iterator[tuple[int, str] | Bad]:
    """Yield numbered lines of UTF-8 text, line ends included.

    A byte that is no UTF-8 is named with its line and column; damage of a gzip ends the file.
    """
    number = 0
    with open_packed(path) as stream:
        try:
            while raw := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                where = f"{path}:{number}"
                if len(raw) > MAX_LINE_BYTES:
                    size = len(raw) + _skip_line(stream, raw)
                    yield Bad(
                        where,
                        f"a line of {size / 1e6:.0f} MB, {MAX_LINE_BYTES / 1e6:.0f} MB is the most",
                        "Divide the document, or remove the line",
                        size,
                    )
                    continue
                try:
                    yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    yield Bad(
                        where,
                        f"not UTF-8: byte 0x{error.object[error.start]:02x} at byte "
                        f"{error.start + 1} of the line",
                        "Convert the file, for example with `iconv -f LATIN1 -t UTF-8`",
                        len(raw),
                    )
        except UserInputError as error:  # a gzip that is damaged, or that unpacks without end
            yield Bad(f"{path}:{number + 1}", error.problem, error.remedy)


def json_lines(path: Path) -> Iterator[Record | Bad]:
    """Yield JSON objects, one a line."""
    for line in lines(path):
        if isinstance(line, Bad):
            yield line
            continue
        number, text = line
        if not text.strip():
            continue
        where, size = f"{path}:{number}", len(text.encode())
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problem = "a lone surrogate" if "surrogate" in error.msg else error.msg.split(":")[0]
            yield Bad(where, f"not JSON ({problem})", "Mend or remove the line", size)
            continue
        if not isinstance(row, dict):
            yield Bad(where, "no `text`", 'Write {"text": "..."} or remove the line', size)
            continue
        yield where, row


def paragraphs(path: Path) -> Iterator[Record | Bad]:
    """Yield the paragraphs of plain text, parted by blank lines, as `{"text": ...}`."""
    gathered: list[str] = []
    first = 1
    for line in lines(path):
        if isinstance(line, Bad):
            yield line
            continue
        number, text = line
        if text.strip():
            first = first if gathered else number
            gathered.append(text.rstrip())
        elif gathered:
            yield f"{path}:{first}", {"text": "\n".join(gathered)}
            gathered = []
    if gathered:
        yield f"{path}:{first}", {"text": "\n".join(gathered)}


def conllu(path: Path) -> Iterator[Record | Bad]:
    """Yield the documents of a treebank: the `# text` of its sentences, one document a `# newdoc`.

    Where a file names no documents, each sentence is one.

    Source: https://universaldependencies.org/format.html, sentence-level comments.
    """
    name, sentences, where, in_document, sentence_id = "", list[str](), str(path), False, ""
    seen = False
    for line in lines(path):
        if isinstance(line, Bad):
            yield line
            continue
        number, text = line
        key, _, value = text.removeprefix("#").partition("=")
        key, value = key.strip(), value.strip()
        if text.startswith("#") and key.split()[:1] == ["newdoc"]:
            if sentences:
                yield where, {"text": " ".join(sentences), "id": name, "key": name}
            name, sentences, in_document = value, [], True
        elif text.startswith("#") and key == "sent_id":
            sentence_id = value
        elif text.startswith("#") and key == "text":
            seen = True
            if in_document:
                where = where if sentences else f"{path}:{number}"
                sentences.append(value)
            else:
                yield f"{path}:{number}", {"text": value, "id": sentence_id}
    if sentences:
        yield where, {"text": " ".join(sentences), "id": name, "key": name}
    if not seen:
        yield Bad(str(path), "no `# text =` line in it", "Give a CoNLL-U file with texts")


def parquet(path: Path) -> Iterator[Record | Bad]:
    """Yield the rows of a Parquet file, a row group's worth of memory at a time."""
    from pyarrow import parquet as engine

    number = 0
    try:
        with (
            read_by_library(path, "damaged Parquet", "Fetch the file again"),
            engine.ParquetFile(path) as file,
        ):
            for batch in file.iter_batches(batch_size=_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except UserInputError as error:
        yield Bad(f"{path}:{number + 1}", error.problem, error.remedy)


#: Readers by how a file's name ends.
READERS: dict[str, Callable[[Path], Iterator[Record | Bad]]] = {
    ".jsonl": json_lines,
    ".jsonl.gz": json_lines,
    ".txt": paragraphs,
    ".txt.gz": paragraphs,
    ".conllu": conllu,
    ".conllu.gz": conllu,
    ".parquet": parquet,
}


def records(path: Path) -> Iterator[Record | Bad]:
    """Yield the records of a file by the reader that its name asks for; there is at least one.

    Raises:
        UserInputError: No reader knows the name.
    """
    reader = next(
        (READERS[end] for end in sorted(READERS, key=len, reverse=True) if path.name.endswith(end)),
        None,
    )
    if reader is None:
        raise UserInputError(str(path), "not a text file", f"Use {', '.join(READERS)}")
    found = False
    for record in reader(path):
        found = True
        yield record
    if not found:
        yield Bad(str(path), "no text in it", "Remove the file or fill it")


def _skip_line(stream: IO[bytes], raw: bytes) -> int:
    """Read on to the end of a line, and return how much that was."""
    size = 0
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(1 << 20)
        size += len(raw)
    return size
