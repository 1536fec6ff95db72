"""Files as bytes, and gzip with a bound on what it unpacks to: a small file must not fill memory, or take hours.

Knows how far real text can be packed. Refuses to know what the bytes mean. What is fetched from an address
has a bound of its own (`skald_report.landscape.importing`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from skald_specs.errors import UserInputError, file_error

#: What any gzip may unpack to, bytes.
FREE_BYTES = 1 << 20
#: Beyond that, so many times its own size; deflate reaches 1030, on zeros alone. Standing: measured: the
#: generator's text unpacks to at most 9 times its size, records of an evaluation to 11.
MAX_RATIO = 50


class _Bounded(io.RawIOBase):
    """What a gzip unpacks to, up to its bound."""

    def __init__(self, path: Path, stream: gzip.GzipFile) -> None:
        self._path, self._stream = path, stream
        self._left = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            # One piece at a time: what comes before a damage is still read.
            data = self._stream.read1(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserInputError(
                str(self._path), f"damaged gzip ({error})", "Fetch or pack the file again"
            ) from None
        self._left -= len(data)
        if self._left < 0:
            raise UserInputError(
                str(self._path),
                f"unpacks to more than {MAX_RATIO} times its size",
                "Unpack it by hand, if it is yours, and give the file without .gz",
            )
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_packed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as bytes; one whose name ends in `.gz` is unpacked as it is read.

    Args:
        path: The file.

    Yields:
        The stream. Reading from it raises `UserInputError` where a gzip is damaged, or unpacks to
        more than `FREE_BYTES` and `MAX_RATIO` times its size.

    Raises:
        UserInputError: There is no such file, or it cannot be read.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise file_error(path, error) from None
    with raw:
        if path.suffix != ".gz":
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as stream:
            yield io.BufferedReader(_Bounded(path, stream), 1 << 16)


def read_packed(path: Path) -> bytes:
    """Return a file's bytes, unpacked where its name ends in `.gz`; raises as `open_packed` does."""
    with open_packed(path) as stream:
        try:
            return stream.read()
        except OSError as error:  # a folder opens, and cannot be read
            raise file_error(path, error) from None
