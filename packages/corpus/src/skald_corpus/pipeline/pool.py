"""Work on parts in several processes; what comes out does not depend on how many."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Self, TypeVar

from skald_process.stopping import ignoring_interrupts
from skald_specs.errors import EXIT_RESUMABLE, SkaldError

A = TypeVar("A")
B = TypeVar("B")


class Pool:
    """Some worker processes, or none: with one worker everything runs in this process.

    Args:
        workers: Processes.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[A], B], items: Sequence[A]) -> Iterable[B]:
        """Return the results in the order of the items.

        Args:
            function: Of a module's top level, or a partial of one: with several workers it is
                pickled.
            items: Each pickled, too.

        Raises:
            SkaldError: A worker was killed, for want of memory for example.
        """
        if self.workers == 1 or len(items) == 1:
            return map(function, items)
        if self._executor is None:
            # Not fork: threads of numpy or tokenizers would not survive it.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(
                self.workers, mp_context=context, initializer=_become_worker
            )
        # Here the workers start: Ctrl-C is their parent's from the first line that they import.
        with ignoring_interrupts():
            results = self._executor.map(function, items)
        return self._guarded(results)

    @contextmanager
    def ended_by_errors(self) -> Iterator[None]:
        """End the workers when the block fails, before what they write to is taken away."""
        try:
            yield
        except BaseException:
            if self._executor is not None:
                for worker in (workers := multiprocessing.active_children()):
                    worker.kill()
                for worker in workers:
                    worker.join()
                self._executor.shutdown(wait=False, cancel_futures=True)
                self._executor = None
            raise

    def _guarded(self, results: Iterator[B]) -> Iterator[B]:
        try:
            yield from results
        except BrokenProcessPool:
            raise SkaldError(
                "workers: one was killed, perhaps for want of memory. Use fewer with --workers"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)


def _become_worker() -> None:
    """End with the parent, however it ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(EXIT_RESUMABLE)

    threading.Thread(target=follow, daemon=True).start()
