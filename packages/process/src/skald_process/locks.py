"""Locks on what one command writes at a time: held by one process alone, or by all of one run together.

The system lets go when a process ends, however it ends. Of a lock for a run: whoever finds it free
writes the run's name into it; whoever finds it held may join a run of its own name. File systems without
locks guard nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skald_specs.errors import EXIT_RESUMABLE, UserInputError
from skald_specs.files import disk_error

#: Writing a name takes far less, on any disk.
PATIENCE_SECONDS, _PAUSE_SECONDS = 5.0, 0.02
_NAME_BYTES = 256


class LockedError(UserInputError):
    """Another command writes there: nothing is wrong, and the same command goes on afterwards."""

    exit_code = EXIT_RESUMABLE


@contextmanager
def held(path: Path, refusal: LockedError) -> Iterator[None]:
    """Hold a lock alone.

    Args:
        path: The file of the lock; it stays, and its folder is made.
        refusal: What is said where another process holds it.

    Raises:
        LockedError: Another process holds it.
        UserInputError: The file cannot be opened.
    """
    with _opened(path) as handle:
        try:
            free = _locks(handle, fcntl.LOCK_EX)
        except OSError:
            free = True  # Some file systems of clusters have no locks.
        if not free:
            raise refusal
        yield


@contextmanager
def held_by(path: Path, run: str, refusal: LockedError) -> Iterator[None]:
    """Hold a lock with the other processes of a run.

    Args:
        path: The file of the lock; it stays, and its folder is made.
        run: A name that no other run has.
        refusal: What is said where another run holds it.

    Raises:
        LockedError: Another run holds it.
        UserInputError: The file cannot be opened.
    """
    with _opened(path) as handle:
        if not _joined(handle, run.encode()):
            raise refusal
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the file of a lock; the system lets go of the lock when it is closed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise disk_error(path.parent, error) from error
    try:
        yield handle
    finally:
        os.close(handle)


def _joined(handle: int, run: bytes) -> bool:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if _locks(handle, fcntl.LOCK_EX):
                # Nobody holds it: all who join from now on read this name.
                os.ftruncate(handle, 0)
                os.pwrite(handle, run, 0)
            if _locks(handle, fcntl.LOCK_SH):
                # Nobody can write a name while this is held, so what is read stays true.
                return os.pread(handle, _NAME_BYTES, 0) == run
        except OSError:
            return True  # Some file systems of clusters have no locks.
        if time.monotonic() > ends:
            return False
        time.sleep(_PAUSE_SECONDS)


def _locks(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
