"""The first stage: records of any file to rows in parts, each with an id and the place it stood.

Knows sources and files; judges nothing but whether there is text. What cannot be read stops the build,
or, where the user says so, is left out and written down with its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import xxhash
from skald_specs.errors import UserInputError
from skald_specs.files import sha256_file
from skald_specs.funnel import Amount, FunnelRow
from skald_specs.sources import Source

from skald_corpus.pipeline.hub import hub_files
from skald_corpus.pipeline.rows import Part, Row, json_rows, n_bytes, row_of
from skald_corpus.readers import READERS, Bad, records

#: Bytes of text after which the next part begins: what one worker takes at a time.
PART_BYTES = 16 << 20
#: Keys of a record, or of its `tdm` and `meta` blocks, that speak of rights; any other is dropped.
_RIGHTS = ("tdm-reservation", "tdm-policy", "x-robots-tag", "robots")


@dataclass
class _Parts:
    """Writes the rows of one source, part after part."""

    out: Path
    source: Source
    number: int = -1
    room: int = 0
    stream: IO[bytes] | None = None
    removed: IO[bytes] | None = None
    kept: Amount = field(default_factory=Amount)
    documents: int = 0
    bytes: int = 0
    hashes: list[int] = field(default_factory=list)

    def part(self) -> Part:
        return Part(self.source.language, f"{self.source.id}-{self.number:05d}")

    def _open(self) -> None:
        self.close()
        self.number += 1
        path = self.part().file(self.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = path.open("wb")
        self.removed = self.part().file(self.out, "removed").open("wb")
        self.room = PART_BYTES

    def add(self, row: Row) -> None:
        if self.room <= 0:
            self._open()
        assert self.stream is not None
        self.stream.write(row.encoded())
        size = n_bytes(row.text)
        self.room -= size
        self.documents += 1
        self.bytes += size

    def leave_out(self, bad: Bad, reason: str) -> None:
        if self.removed is None:
            self._open()
        assert self.removed is not None
        told = {"id": bad.where, "reason": reason, "detail": bad.problem, "bytes": bad.n_bytes}
        self.removed.write(orjson.dumps(told) + b"\n")

    def close(self) -> None:
        for stream in (self.stream, self.removed):
            if stream is not None:
                stream.close()


def ingest(source: Source, base: Path, out: Path, keep_going: bool = False) -> FunnelRow:
    """Read one source into parts.

    Args:
        source: The source.
        base: Folder of the sources file, from which its paths are counted.
        out: The stage's folder; `<out>/<language>/` is written to.
        keep_going: Whether what cannot be read is left out and written down instead of stopping.

    Returns:
        What was read, kept and left out: `unreadable`, `no-text` or `duplicate-id`. Bytes of what is
        not text are those of its line.

    Raises:
        UserInputError: There is no such file, its hash is not the stated one, something in it
            cannot be read, or an id stands there twice.
    """
    files = source_files(source, base)
    _check_hash(source, files, base)
    written = _Parts(out, source)
    removed: dict[str, Amount] = {}
    hashes = bytearray()

    def leave_out(bad: Bad, reason: str) -> None:
        if not keep_going:
            raise bad.error()
        path, _, line = bad.where.rpartition(":")
        at = f"{_shown(Path(path), base)}:{line}" if path else bad.where
        written.leave_out(replace(bad, where=at), reason)
        removed[reason] = removed.get(reason, Amount()) + Amount(documents=1, bytes=bad.n_bytes)

    try:
        for path in files:
            for record in records(path):
                if isinstance(record, Bad):
                    leave_out(record, "unreadable")
                    continue
                row = _row(source, base, *record)
                if isinstance(row, Bad):
                    leave_out(row, "no-text")
                    continue
                hashes += xxhash.xxh3_64_digest(row.id.encode())
                written.add(row)
    finally:
        written.close()
    if twice := _repeated(np.frombuffer(hashes, dtype=np.uint64)):
        _part_twins(written, twice, leave_out)
    if not written.documents:
        raise UserInputError(
            f"source {source.id}",
            "no text in its files",
            "Check the files, and its `fields` in the sources file",
        )
    kept = Amount(documents=written.documents, bytes=written.bytes)
    return FunnelRow(
        language=source.language,
        source=source.id,
        read=sum(removed.values(), kept),
        kept=kept,
        removed=removed,
    )


def source_files(source: Source, base: Path) -> list[Path]:
    """Return the files of a source in the order of their paths.

    Args:
        source: Of the sources file: a path, a pattern or a data set of the hub.
        base: Folder of the sources file, from which a relative path counts.

    Raises:
        UserInputError: There are none, or one is of a kind that no reader knows.
    """
    if source.hub is not None:
        return hub_files(source.hub, f"source {source.id}")
    assert source.path is not None
    given = Path(source.path)
    if given.is_absolute():
        found = [given] if given.is_file() else sorted(Path("/").glob(str(given)[1:]))
    else:
        found = (
            sorted(base.glob(source.path))
            if any(c in source.path for c in "*?[")
            else [base / given]
        )
    files = [path for path in found if path.is_file()]
    if not files:
        raise UserInputError(
            f"source {source.id}", f"no file {source.path} below {base}", "Check `path`"
        )
    for path in files:
        if not path.name.endswith(tuple(READERS)):
            raise UserInputError(str(path), "not a text file", f"Use {', '.join(READERS)}")
    return files


def files_sha256(files: list[Path], base: Path) -> str:
    """Return the hash by which a source is pinned: of its file, or of the lines of `sha256sum`.

    Args:
        files: Of one source, in the order of `source_files`.
        base: Folder of the sources file; the lines name what lies below it by its relative path.
    """
    if len(files) == 1:
        return sha256_file(files[0])
    lines = [f"{sha256_file(path)}  {_shown(path, base)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _shown(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()


def _check_hash(source: Source, files: list[Path], base: Path) -> None:
    if source.sha256 is None:
        return
    found = files_sha256(files, base)
    if found != source.sha256:
        raise UserInputError(
            f"source {source.id}",
            f"its files have changed: sha256 {found[:16]}..., {source.sha256[:16]}... is stated",
            f"Restore them, or state sha256: {found}",
        )


def _row(source: Source, base: Path, where: str, record: Mapping[str, Any]) -> Row | Bad:
    """Make a row of a record."""
    names = source.fields
    text = record.get(names.text)
    path, _, number = where.rpartition(":")
    at = f"{_shown(Path(path), base)}:{number}"
    if not isinstance(text, str) or not text.strip():
        remedy = (
            f"Remove it, or name the right one under fields (it has {', '.join(list(record)[:8])})"
        )
        return Bad(where, f"no text under `{names.text}`", remedy)
    own = record.get(names.id)
    return Row(
        id=f"{source.id}/{at if own in (None, '') else own}",
        text=text,
        at=at,
        key=str(record.get(names.key or "key") or ("" if names.key else record.get("doc")) or ""),
        url=str(record.get(names.url) or ""),
        licence=str(record.get(names.licence) or ""),
        meta=_rights(record) or None,
    )


def _rights(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for block in (record, record.get("tdm"), record.get("meta"), record.get("metadata")):
        for name, value in block.items() if isinstance(block, Mapping) else ():
            plain = name.lower().replace("_", "-")
            # In a block called tdm the names are short.
            plain = plain if block is record or plain.startswith(("tdm-", "x-")) else {
                "reservation": "tdm-reservation", "policy": "tdm-policy", "robots": "robots"
            }.get(plain, plain)  # fmt: skip
            if plain in _RIGHTS and isinstance(value, str | int | bool):
                found[plain] = value
    return found


def _repeated(hashes: np.ndarray[Any, np.dtype[np.uint64]]) -> set[int]:
    ordered = np.sort(hashes)
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def _part_twins(out: _Parts, suspects: set[int], leave_out: Any) -> None:
    """Leave out every row whose id stood before; only rows with a suspicious hash are compared."""
    seen: set[str] = set()
    last = out.number
    for number in range(last + 1):
        out.number = number
        path = out.part().file(out.out)
        kept = list[bytes]()
        twins = list[Row]()
        for row in _rows_of(path):
            digest = int.from_bytes(xxhash.xxh3_64_digest(row.id.encode()), "little")
            if digest in suspects and row.id in seen:
                twins.append(row)
                continue
            if digest in suspects:
                seen.add(row.id)
            kept.append(row.encoded())
        if not twins:
            continue
        out.removed = out.part().file(out.out, "removed").open("ab")
        try:
            for row in twins:
                told = f"the id {row.id} stands there twice"
                leave_out(Bad(row.at, told, "Make ids unique", n_bytes(row.text)), "duplicate-id")
                out.documents -= 1
                out.bytes -= n_bytes(row.text)
        finally:
            out.removed.close()
        path.write_bytes(b"".join(kept))


def _rows_of(path: Path) -> Iterator[Row]:
    return (row_of(fields, path) for fields in json_rows(path))
