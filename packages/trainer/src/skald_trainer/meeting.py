"""How the processes of a run find one another: torchrun's environment, a file, the process group.

Knows the environment and process groups; refuses to know who started the processes, and what for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from skald_process import hosts
from skald_specs.errors import UserInputError
from skald_specs.execution import ExecutionRecipe


@contextmanager
def process_group(
    rank: int,
    world_size: int,
    device: Literal["cpu", "cuda"],
    rendezvous: Path | None,
    timeout: timedelta | None = None,
) -> Iterator[None]:
    """Join the default process group: gloo on a CPU, nccl on a GPU.

    Args:
        rank: This process.
        world_size: All processes.
        device: Where they compute.
        rendezvous: A file they meet at, or None to use torchrun's environment.
        timeout: How long a collective may take; None: torch's default.

    Yields:
        Nothing; the group is left at the end. After an error it is left only by a process alone:
        others would see the connection break, and fail of it, before this rank has said why.
    """
    # torch is imported here so that starting a launcher costs nothing.
    import torch

    given = {}
    if rendezvous is not None:
        # nanotron reads these even where torch does not need them.
        given = {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(rank)}
    os.environ.update(given)
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with _meeting_told():
        torch.distributed.init_process_group(
            "gloo" if device == "cpu" else "nccl",
            init_method="env://" if rendezvous is None else f"file://{rendezvous}",
            rank=rank,
            world_size=world_size,
            timeout=timeout,
        )
    ended_well = False
    try:
        yield
        ended_well = True
    finally:
        if ended_well or world_size == 1:
            torch.distributed.destroy_process_group()
        # Left behind, they would look like torchrun's to the next run in this process.
        for name in given:
            os.environ.pop(name, None)


@contextmanager
def _meeting_told() -> Iterator[None]:
    """Say in one line that the processes cannot meet, where torch prints a page."""
    from torch.distributed import DistNetworkError

    try:
        yield
    except RuntimeError as problem:
        if not isinstance(problem, DistNetworkError) and hosts.UNREACHED not in str(problem):
            raise
        raise hosts.not_met(str(problem)) from None


#: What nanotron and env:// read of a process that a launcher started; each a number but the address.
_TOLD_BY_LAUNCHER = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def started_elsewhere() -> bool:
    """Return whether torchrun (or a scheduler like it) started this process as one of several.

    Raises:
        UserInputError: WORLD_SIZE says so, and the rest that a launcher sets is missing or no number.
    """
    started = _number_in_environment("WORLD_SIZE", "1")
    if started == 1:
        return False
    for name in _TOLD_BY_LAUNCHER:
        if name not in os.environ:
            raise UserInputError(
                name,
                f"not set, though WORLD_SIZE = {started} says that this is one of several processes",
                "Start with torchrun, which sets it, or unset WORLD_SIZE to have the ranks started here",
            )
        if name != "MASTER_ADDR":
            _number_in_environment(name)
    if _number_in_environment("RANK") >= started:
        raise UserInputError(
            "RANK", f"{os.environ['RANK']}, but WORLD_SIZE = {started}", "Count ranks from 0"
        )
    return True


def _number_in_environment(name: str, default: str = "") -> int:
    text = os.environ.get(name, default)
    if not text.isdecimal():
        raise UserInputError(name, f"{text!r} is no number", "Start with torchrun, which sets it")
    return int(text)


def allow_overlap(execution: ExecutionRecipe) -> None:
    """Have a GPU take kernels in the order they were given, before anything looks at one.

    Overlapping tensor-parallel messages with products relies on it, and nanotron checks it (on a CPU,
    too).
    """
    if execution.tp_mode == "reduce_scatter_async":
        os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] = "1"


def leads() -> bool:
    """Return whether this process keeps the run folder: the one that is alone, or rank 0."""
    return not started_elsewhere() or os.environ["RANK"] == "0"
