"""The store of answers: a folder for each run key, to which lines are only ever added.

It lies beside the folder of evaluations, never in it: an evaluation is replaced as a whole, and
DVC deletes it before a rerun. Each rank of a run writes a part of its own, chunk by chunk; reading
joins the parts, so any number of ranks continues what any other left. Each line has its own
checksum: a kill tears the last one at most, and one bad line costs one answer. Refuses to know how
a model is asked.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from skald_process.locks import LockedError, held_by
from skald_specs.errors import UserInputError
from skald_specs.files import disk_error, read_json, write_json
from skald_specs.fingerprint import fingerprint
from skald_specs.records import RequestRecord

from skald_harness.store.keys import RunKey

#: What a power cut may cost; a killed process loses nothing that was written.
SYNC_SECONDS = 10.0
#: A line is `HEAD`, eight digits, `MIDDLE`, eight digits, `LAST`, the record and `TAIL`: JSON, and cut
#: without parsing. The checksum is that of all behind `MIDDLE`, `TAIL` apart.
HEAD, MIDDLE, LAST, TAIL = b'{"crc32": "', b'", "known": "', b'", "record": ', b"}"
_KNOWN = len(HEAD) + 8 + len(MIDDLE)
_START = _KNOWN + 8 + len(LAST)

#: Held by all ranks of the run that adds answers.
LOCK = "run.lock"

#: An answer's place in its task: the item and the number of the question.
Place = tuple[str, int]


class Kept(NamedTuple):
    """One record: as it was written, and read; and how many answers there were before it."""

    line: bytes
    fields: dict[str, Any]
    n_known: int


@dataclass(frozen=True)
class Stored:
    """What a key's parts hold, and the lines that are bad, as `file:line`."""

    records: dict[Place, Kept]
    damaged: tuple[str, ...]


class AnswerStore:
    """The answers of every model that was evaluated into one folder.

    Args:
        root: The store's folder; made when the first answer is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsynced: set[Path] = set()
        self._synced_at = time.monotonic()

    def read(self, key: RunKey) -> Stored:
        """Read the answers of one key.

        Of a request that was answered twice (where a file system has no locks) the first answer
        counts: that of the run that found fewer answers when it began, then of the lower rank. The
        torn end of a part, which a killed process leaves, is passed over.

        Raises:
            UserInputError: The folder holds another key's answers, or cannot be read.
        """
        folder = self.root / key.digest
        records: dict[Place, Kept] = {}
        damaged = []
        parts = sorted(folder.glob("rank-*.jsonl"))
        if parts:
            _check_key(folder, key)
        for path in parts:
            try:
                lines = path.read_bytes().split(b"\n")
            except OSError as error:
                raise UserInputError(
                    str(path), f"cannot be read ({error.strerror})", "Check the path"
                ) from None
            for number, line in enumerate(lines[:-1], start=1):
                kept = _kept(line, key)
                if kept is None:
                    damaged.append(f"{path}:{number}")
                    continue
                place = kept.fields["item_id"], kept.fields["index"]
                if place not in records or kept.n_known < records[place].n_known:
                    records[place] = kept
        return Stored(records, tuple(damaged))

    def scorer(self, key: RunKey) -> str:
        """Return how the answers of a key that has some came about."""
        return str(_check_key(self.root / key.digest, key).get("scorer"))

    @contextmanager
    def writing(self, key: RunKey, rank: int, scorer: str, run: str) -> Iterator[Part]:
        """Open a rank's part to add answers; no other run can add any to the key meanwhile.

        Args:
            key: Whose answers to what.
            rank: This process.
            scorer: How the answers come about, which the key fixes; kept for `scorer`.
            run: What all ranks of this evaluation, and no other, call it.

        Raises:
            LockedError: Another evaluation is writing answers of this key.
            UserInputError: The folder holds another key's answers, or the disk is full.
        """
        folder = self.root / key.digest
        path = folder / f"rank-{rank}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(folder, error) from error
        refusal = LockedError(
            str(folder),
            "another evaluation is writing these answers",
            "Run the same command again when it has ended",
        )
        with held_by(folder / LOCK, run, refusal), self._part(key, path, scorer) as part:
            yield part

    @contextmanager
    def _part(self, key: RunKey, path: Path, scorer: str) -> Iterator[Part]:
        folder = path.parent
        try:
            if not (folder / "key.json").exists() and not any(folder.glob("rank-*.jsonl")):
                write_json(
                    folder / "key.json",
                    {"run_key": key.digest, "facts": key.facts, "scorer": scorer},
                )
            _check_key(folder, key)
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise disk_error(path, error) from error
        try:
            _cut_torn_end(handle, path)
            yield Part(handle, path, len(self.read(key).records))
        finally:
            os.close(handle)
            self._unsynced.add(path)
            if time.monotonic() - self._synced_at > SYNC_SECONDS:
                self.sync()

    def sync(self) -> None:
        """Have everything written so far on the disk."""
        for path in sorted(self._unsynced):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._unsynced.clear()
        self._synced_at = time.monotonic()


@dataclass
class Part:
    """One rank's answers to one key, open for more; `n_known` answers there were of all ranks."""

    handle: int
    path: Path
    n_known: int

    def append(self, records: Sequence[RequestRecord]) -> None:
        """Add the answers of a chunk in one write.

        Raises:
            UserInputError: The disk is full.
        """
        data = b"".join(_line(record, self.n_known) for record in records)
        try:
            while data:
                data = data[os.write(self.handle, data) :]
        except OSError as error:
            raise disk_error(self.path, error) from error


def store_folder(out: Path) -> Path:
    """Return the store that belongs to a folder of evaluations: `eval-store` beside `eval`."""
    whole = out.resolve()
    return whole.parent / f"{whole.name}-store"


def record_json(record: RequestRecord) -> bytes:
    """Return a record as one line of JSON, without the line's end."""
    value = record.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8")


def _line(record: RequestRecord, n_known: int) -> bytes:
    told = b"%08d%s%s" % (n_known, LAST, record_json(record))
    return b"%s%08x%s%s%s\n" % (HEAD, zlib.crc32(told), MIDDLE, told, TAIL)


def _kept(line: bytes, key: RunKey) -> Kept | None:
    """Return the record of a line; None when it is damaged or another key's."""
    told = line[_KNOWN : -len(TAIL)]
    if line[:_KNOWN] != b"%s%08x%s" % (HEAD, zlib.crc32(told), MIDDLE) or not line.endswith(TAIL):
        return None
    # The checksum holds, so this is what was written.
    body = line[_START : -len(TAIL)]
    try:
        record, n_known = RequestRecord.model_validate_json(body), int(line[_KNOWN:][:8])
    except ValueError:  # or what somebody wrote
        return None
    return Kept(body, vars(record), n_known) if record.run_key == key.digest else None


def facts_digest(facts: Any) -> str:
    """Return the hash of a key's facts as they were read; none where they could never have been hashed."""
    try:
        return fingerprint(facts)
    except TypeError:
        return ""


def _check_key(folder: Path, key: RunKey) -> dict[str, Any]:
    path = folder / "key.json"
    if not path.is_file():
        raise UserInputError(
            str(folder), "has answers but no key.json", "Put it back, or delete the folder"
        )
    value = read_json(path)
    value = value if isinstance(value, dict) else {}
    if facts_digest(value.get("facts")) != key.digest:
        raise UserInputError(
            str(path),
            "names other facts than the folder's name hashes, so whose answers these are is unknown",
            "Put the right key.json back, or delete the folder",
        )
    return value


def _cut_torn_end(handle: int, path: Path) -> None:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.ftruncate(handle, whole)
