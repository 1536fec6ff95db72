"""A folder of runs is written by one command at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skald_specs.errors import EXIT_RESUMABLE, UserInputError
from skald_specs.files import disk_error

LOCK_FILE = ".lock"


class HeldError(UserInputError):
    """Another command writes there: nothing is wrong, and the same command goes on afterwards."""

    exit_code = EXIT_RESUMABLE


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder alone; the system lets go when this process ends, however it ends.

    Args:
        folder: Made if it is missing. File systems without locks guard nothing.

    Raises:
        HeldError: Another process holds it.
        UserInputError: It cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise disk_error(folder, error) from error
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HeldError(
            str(folder),
            "another training writes there",
            "Run the same command again when it has ended",
        ) from None
    except OSError:
        pass
