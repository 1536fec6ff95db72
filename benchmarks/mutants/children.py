"""Work in a forked child: its answer, what it cost, and how it ended."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

#: Memory that a child may take beyond what it was forked with, bytes.
_MORE_BYTES = 3 << 30


class Ended(NamedTuple):
    """What a child answered (None: nothing), its CPU seconds, and whether it ran out of time."""

    answer: Any
    cpu_s: float
    late: bool


def in_child(work: Callable[[], Any], cpu_s: float) -> Ended:
    """Run work in a fork of this process, which it cannot change.

    Args:
        work: Returns something that can be pickled.
        cpu_s: CPU seconds it may take; by the clock so much more that only a deadlock meets it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(work, writing, cpu_s)
    os.close(writing)
    deadline, parts, late = time.monotonic() + 15 * cpu_s + 15, [], False
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            late = True
            break
        part = os.read(reading, 1 << 20)
        if not part:
            break
        parts.append(part)
    os.close(reading)
    # The whole group: a test may have started programs.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    late = late or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
    answer = pickle.loads(b"".join(parts)) if parts and not late else None  # noqa: S301 - our own child's
    return Ended(answer, used.ru_utime + used.ru_stime, late)


def _answer(work: Callable[[], Any], writing: int, cpu_s: float) -> None:
    """Answer into a pipe and end; nothing of the parent's may run on."""
    code = 1
    try:
        os.setpgid(0, 0)
        limit = int(cpu_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - no file of ours
            held = int(pages.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + _MORE_BYTES, resource.RLIM_INFINITY))
        answer = pickle.dumps(work())
        while answer:
            answer = answer[os.write(writing, answer) :]
        code = 0
    finally:
        os._exit(code)
