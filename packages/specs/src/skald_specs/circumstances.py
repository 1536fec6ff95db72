"""When, on what and with what a measured claim's script ran.

Never a DVC dependency and never in a fingerprint: the same result has other circumstances each time.
"""

from __future__ import annotations

from skald_specs.models import Spec


class Circumstances(Spec):
    """One run of a script.

    `date`: of its end, UTC. `load_at_start`: processes that wanted to run, mean of the minute before.
    `git_dirty` is None where there is no repository; `memory_gb` is that of the machine; `gpus` are
    names with the driver's version.
    """

    date: str
    arguments: tuple[str, ...]
    wall_seconds: float
    cpu_seconds: float
    load_at_start: float
    git_commit: str
    git_dirty: bool | None
    cpu: str
    cores: int
    memory_gb: float
    gpus: tuple[str, ...]
    system: str
    python: str
    libraries: dict[str, str]
