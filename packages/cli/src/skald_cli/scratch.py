"""A temporary folder for the processes that a verb starts; standard library alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "TMPDIR"


@contextmanager
def scratch_of_workers() -> Iterator[None]:
    """Have what processes that start inside the block leave in the temporary folder removed at its end.

    A worker that is killed, as Ctrl-C does to those of a sweep, removes nothing itself.
    """
    before = os.environ.get(_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="skald-", ignore_cleanup_errors=True) as folder:
        os.environ[_VARIABLE] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
