"""A cluster, as far as a job script needs it: execution, never identity.

Every value ends in a shell script, so each is a plain word by its pattern; what may hold anything
(values of environment variables, paths) is quoted where it is written.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec
from skald_specs.shape import Positive

#: A word of an `#SBATCH` line, which no shell reads and no quoting protects.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:@/+=,-]+$")]
WordOrNone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:@/+=,-]*$")]
Time = Annotated[str, Field(pattern=r"^(\d+-)?\d+(:\d\d){0,2}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Option = Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]


class Site(Spec):
    """Where `skald launch` writes job scripts for.

    Args:
        name: The file's own name.
        account: Who pays, as Slurm's `--account` has it; empty: to be named on the command line.
        account_needed: Whether Slurm refuses a job without one.
        partition: Slurm's partition; empty: the cluster's default.
        qos: Slurm's quality of service; empty: none.
        time: Limit of one job, as Slurm writes it (`1-00:00:00`).
        gpus_per_node: GPUs of a node, each for one process; 0: a partition without GPUs.
        cpu_processes_per_node: Processes of a node of a partition without GPUs.
        cpus_per_process: Cores of one process.
        exclusive: Whether a job of whole nodes must ask for them to be its own.
        modules: Loaded one after the other, after `module purge`; none: modules are left alone.
        environment: Variables, such as NCCL's.
        host_suffix: Appended to the first node's name to reach it over the fast network.
        container: Apptainer image, as `containers/skald.def` builds it; empty: none.
        signal_seconds: How long before the limit a job is told to save and make room.
        max_requeues: How often a job puts itself back into the queue; 0: never.
        sbatch: More options of sbatch; an empty value: the option alone.
    """

    name: Word
    account: WordOrNone = ""
    account_needed: bool = True
    partition: WordOrNone = ""
    qos: WordOrNone = ""
    time: Time
    gpus_per_node: Annotated[int, Field(ge=0)]
    cpu_processes_per_node: Positive = 1
    cpus_per_process: Positive
    exclusive: bool = False
    modules: tuple[Word, ...] = ()
    environment: dict[Variable, str] = Field(default_factory=dict)
    host_suffix: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]*$")] = ""
    container: str = ""
    signal_seconds: Positive = 300
    max_requeues: Annotated[int, Field(ge=0)] = 100
    sbatch: dict[Option, WordOrNone] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _time_to_save(self) -> Self:
        if seconds_of(self.time) <= self.signal_seconds:
            raise ValueError(
                f"time = {self.time} is no longer than signal_seconds = {self.signal_seconds}; a job "
                "would be told to stop as it starts"
            )
        return self

    @property
    def processes_per_node(self) -> int:
        """Processes that fill a node."""
        return self.gpus_per_node or self.cpu_processes_per_node


def seconds_of(time: str) -> int:
    """Return a limit in seconds: `minutes[:seconds]`, `h:m:s`, or `days-hours[:m[:s]]`."""
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash and len(parts) < 3:
        parts = [0, *parts]
    hours, minutes, seconds = (*parts, 0, 0)[:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
