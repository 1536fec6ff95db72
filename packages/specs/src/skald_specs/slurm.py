"""Settings of a Slurm cluster for `skald corpus build --engine FILE`: execution, never identity."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skald_specs.models import Spec
from skald_specs.shape import Positive


class SlurmSettings(Spec):
    """Where and how the parts of a corpus run; nothing in it changes a byte of what comes out.

    Args:
        partition: Slurm's partition.
        time: Limit of one job, as Slurm writes it (`04:00:00`).
        cpus: Cores of one job; the work of a part uses one, more are asked for their memory.
        memory_gb_per_cpu: Memory of one core, GB.
        parts_per_job: Parts of 16 MB of text that one job works on, one after the other.
        max_array: The cluster's MaxArraySize; more jobs become several arrays, one after the other.
        env_command: Shell line that makes `launch_pickled_pipeline` (datatrove's) and Skald
            available on a node; '' where the environment of the command is there anyway.
        sbatch: More options of sbatch, such as `account`.
    """

    schema_version: Literal[1]
    partition: str
    time: Annotated[str, Field(pattern=r"^(\d+-)?\d+(:\d\d){0,2}$")]
    cpus: Positive = 1
    memory_gb_per_cpu: Positive = 4
    parts_per_job: Positive = 64
    max_array: Positive = 1001
    env_command: str = ""
    sbatch: dict[str, str] = Field(default_factory=dict)
