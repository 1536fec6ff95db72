"""What the ranks of a run tell one another before the first step: that they do the same, and where they are.

Under a launcher every node reads the plan and the code for itself; two that differ would train on,
each by its own. Knows what must be alike; refuses to know what is done with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from skald_process import hosts
from skald_specs.errors import UserInputError
from skald_specs.plan import Plan

from skald_trainer.origin import code_fingerprint

_REMEDY = "Start every node from one checkout and one environment, with one plan"
#: The ranks of this run, this one among them; empty where they were started here.
_peers: list[hosts.Peer] = []


class _Introduction(NamedTuple):
    """What a rank tells the others."""

    plan: str
    execution: dict[str, object]
    code: str
    resume: str | None
    peer: hosts.Peer | None


def introduced(
    rank: int, world_size: int, plan: Plan, resume: Path | None, launched: bool
) -> Path | None:
    """Check that all ranks have one plan and one code, and learn where they are.

    Args:
        rank: This process.
        world_size: All processes; they have joined a group.
        plan: This rank's plan.
        resume: Checkpoint to continue from.
        launched: Whether a launcher like torchrun started the ranks, on whatever hosts.

    Returns:
        Rank 0's checkpoint, on every rank: under torchrun only that one has looked.

    Raises:
        UserInputError: A rank has another plan or other code than rank 0; on every rank.
    """
    if world_size == 1:
        return resume
    import torch

    door = hosts.Door(rank, os.environ["MASTER_ADDR"]) if launched else None
    own = _Introduction(
        plan.fingerprint, plan.execution.model_dump(mode="json"), code_fingerprint(),
        None if resume is None else str(resume), None if door is None else door.peer,
    )  # fmt: skip
    told: list[_Introduction] = [own] * world_size
    torch.distributed.all_gather_object(told, own)
    _peers[:] = [one.peer for one in told if one.peer is not None]
    for number, one in enumerate(told):
        if problem := _difference(one, told[0]):
            where = f" on {one.peer.host}" if one.peer is not None else ""
            raise UserInputError(f"rank {number}{where}", f"{problem} than rank 0", _REMEDY)
    return None if told[0].resume is None else Path(told[0].resume)


def _difference(one: _Introduction, first: _Introduction) -> str:
    """Say what a rank has that rank 0 has not; nothing where all is alike."""
    if one.plan != first.plan:
        return f"has another plan ({one.plan[:12]}, not {first.plan[:12]})"
    # Two versions of the code may know other fields.
    names = sorted(one.execution.keys() | first.execution.keys())
    differing = ", ".join(n for n in names if one.execution.get(n) != first.execution.get(n))
    if differing:
        return f"has other values of execution ({differing})"
    return "" if one.code == first.code else "has other code or libraries"


def missing_hosts() -> str:
    """Say which of the run's ranks do not answer, and where; nothing where it cannot be known."""
    if not _peers:
        return ""
    gone = hosts.missing(_peers)
    return f"no answer from {hosts.told(gone)}" if gone else "every rank's host answers"


def lost_in(error: Exception) -> str:
    """Say which ranks an error of a collective is about; nothing where that is not known."""
    return hosts.told(hosts.lost(str(error), _peers))
