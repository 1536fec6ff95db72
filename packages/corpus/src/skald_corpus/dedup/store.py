"""One part of a corpus on disk: document ids, and (hash, row) records as sorted runs.

Memory stays bounded because nothing is kept per document while writing: records wait in a buffer
of `RUN_RECORDS`, are sorted, and go to disk as one run. Reads go through `pread`, not `mmap`, so
that a process's resident memory is what it really needs. Knows files; refuses to know what a hash
stands for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from skald_specs.errors import UserInputError
from skald_specs.files import write_json
from skald_specs.models import Spec

from skald_corpus.words import Hashes

Rows = NDArray[np.uint32]
#: A hash and the row of the document that has it, counted within a part: 12 bytes.
RECORD = np.dtype([("hash", "<u8"), ("row", "<u4")])
Records = NDArray[np.void]
#: Records are divided by the top 8 bits of their hash, so that equal hashes meet in one partition.
PARTITIONS = 256
#: Records in memory before a run is written: 48 MB, and the same again while they are sorted.
RUN_RECORDS = 4_000_000
#: Rows are 32-bit.
MAX_DOCUMENTS = 2**32 - 1


class PartFacts(Spec):
    """`part.json`, written last: what a part holds. Parts with another `rule` are not joined."""

    schema_version: Literal[1]
    rule: str
    n_documents: Annotated[int, Field(ge=0)]
    n_records: Annotated[int, Field(ge=0)]
    with_shingles: bool


class PartWriter:
    """Writes one part; a context manager, whose clean exit makes the part complete.

    Args:
        folder: An empty or new folder.
        rule: Says how the hashes were made.
        with_shingles: Whether `add` gets every document's shingles, for verification.
    """

    def __init__(self, folder: Path, rule: str, with_shingles: bool = False) -> None:
        if (folder / "part.json").exists():
            raise UserInputError(str(folder), "holds a part already", "Choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._rule = folder, rule
        self._ids, self._id_ends = self._open("ids.bin"), self._open("id_ends.bin")
        self._records, self._runs = self._open("records.bin"), self._open("runs.bin")
        self._shingles = self._open("shingles.bin") if with_shingles else None
        self._shingle_ends = self._open("shingle_ends.bin") if with_shingles else None
        self._id_bytes = self._n_documents = self._n_records = self._n_shingles = 0
        self._waiting: list[Records] = []
        self._n_waiting = 0

    def _open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("wb")

    def add(
        self,
        ids: Sequence[str],
        hashes: Hashes,
        has_hashes: NDArray[np.bool_],
        shingles: Sequence[Hashes] = (),
    ) -> None:
        """Append documents.

        Args:
            ids: Their ids, unique within the whole corpus.
            hashes: (documents, hashes per document).
            has_hashes: Which documents can have duplicates at all; the others' hashes are left out.
            shingles: Sorted, distinct shingle hashes of each document, where the part keeps them.
        """
        encoded = [text.encode("utf-8", "surrogatepass") for text in ids]
        self._ids.write(b"".join(encoded))
        ends = self._id_bytes + np.cumsum([len(text) for text in encoded], dtype=np.uint64)
        self._id_ends.write(ends.astype("<u8").tobytes())
        self._id_bytes += sum(len(text) for text in encoded)
        rows = self._n_documents + np.flatnonzero(has_hashes)
        records = np.empty((len(rows), hashes.shape[1]), dtype=RECORD)
        records["hash"] = hashes[has_hashes]
        records["row"] = rows[:, None]
        self._n_documents += len(ids)
        if self._n_documents > MAX_DOCUMENTS:
            raise UserInputError(
                str(self._folder), "more than 2^32 - 1 documents", "Divide the language"
            )
        self._waiting.append(records.ravel())
        self._n_waiting += records.size
        if self._n_waiting >= RUN_RECORDS:
            self._flush()
        if self._shingles is not None and self._shingle_ends is not None:
            ends = self._n_shingles + np.cumsum([len(s) for s in shingles], dtype=np.uint64)
            self._shingle_ends.write(ends.astype("<u8").tobytes())
            for distinct in shingles:
                self._shingles.write(distinct.astype("<u8").tobytes())
            self._n_shingles += sum(len(s) for s in shingles)

    def _flush(self) -> None:
        records = np.concatenate(self._waiting)
        self._waiting, self._n_waiting = [], 0
        records = records[np.argsort(records["hash"])]
        top = (records["hash"] >> np.uint64(56)).astype(np.int64)
        offsets = self._n_records + np.searchsorted(top, np.arange(PARTITIONS + 1))
        self._records.write(records.tobytes())
        self._runs.write(offsets.astype("<u8").tobytes())
        self._n_records += len(records)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._n_waiting:
            self._flush()
        for stream in (self._ids, self._id_ends, self._records, self._runs):
            stream.close()
        for extra in (self._shingles, self._shingle_ends):
            if extra is not None:
                extra.close()
        if kind is None:
            facts = PartFacts(
                schema_version=1,
                rule=self._rule,
                n_documents=self._n_documents,
                n_records=self._n_records,
                with_shingles=self._shingles is not None,
            )
            write_json(self._folder / "part.json", facts.model_dump(mode="json"))


class Part:
    """A complete part, open for reading.

    Args:
        folder: Where a `PartWriter` wrote.

    Raises:
        UserInputError: The part is missing or was not finished.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "part.json").is_file():
            raise UserInputError(str(folder), "no complete part here", "Run the stage again")
        self.facts = PartFacts.load(folder / "part.json")
        self._files = {
            path.stem: os.open(path, os.O_RDONLY) for path in sorted(folder.glob("*.bin"))
        }
        runs = np.fromfile(folder / "runs.bin", dtype="<u8").astype(np.int64)
        self._runs = runs.reshape(-1, PARTITIONS + 1)

    def close(self) -> None:
        """Close the files; the part cannot be read after that."""
        for handle in self._files.values():
            os.close(handle)
        self._files = {}

    def records(self, partition: int) -> Iterator[Records]:
        """Yield the records of a partition, one sorted piece a run."""
        for offsets in self._runs:
            first, last = int(offsets[partition]), int(offsets[partition + 1])
            if last > first:
                yield np.frombuffer(
                    self._bytes("records", first * RECORD.itemsize, last * RECORD.itemsize), RECORD
                )

    def id_bytes(self, row: int) -> bytes:
        """Return a document's id in UTF-8, whose order is that of the code points."""
        first, last = self._span("id_ends", row)
        return self._bytes("ids", first, last)

    def ids(self, first_row: int, last_row: int) -> list[str]:
        """Return the ids of a range of rows.

        Args:
            first_row: Counted within the part.
            last_row: One past the last.
        """
        if last_row <= first_row:
            return []
        begin = self._span("id_ends", first_row)[0]
        ends = np.frombuffer(self._bytes("id_ends", 8 * first_row, 8 * last_row), "<u8") - begin
        text, cuts = self._bytes("ids", begin, begin + int(ends[-1])), [0, *ends.tolist()]
        return [
            text[cuts[i] : cuts[i + 1]].decode("utf-8", "surrogatepass")
            for i in range(last_row - first_row)
        ]

    def shingles(self, row: int) -> Hashes:
        """Return a document's sorted, distinct shingle hashes."""
        first, last = self._span("shingle_ends", row)
        return np.frombuffer(self._bytes("shingles", 8 * first, 8 * last), "<u8")

    def _span(self, name: str, row: int) -> tuple[int, int]:
        if row == 0:
            return 0, int.from_bytes(self._bytes(name, 0, 8), "little")
        pair = self._bytes(name, 8 * (row - 1), 8 * (row + 1))
        return int.from_bytes(pair[:8], "little"), int.from_bytes(pair[8:], "little")

    def _bytes(self, name: str, first: int, last: int) -> bytes:
        return os.pread(self._files[name], last - first, first)
