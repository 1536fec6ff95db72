"""What is fuzzed, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from _fuzz_mutate import mutated

#: Where a command costs many times what its reader does, so many inputs are read for each that is run.
ONE_IN = 16


@dataclass(frozen=True)
class Target:
    """One reader.

    `seeds` makes whole, valid examples in a folder given to it, small ones. `call` writes the bytes
    where the real reader looks, below a folder given to it (the current one), and runs that reader.
    `words`: keys and values worth inserting. `whole`: the rest of the command as well, where it costs many
    times what reading does; one input in `ONE_IN` gets it. `mutate`: the format's own mutation, where `mutated`
    knows nothing of its structure.
    """

    name: str
    seeds: Callable[[Path], list[bytes]]
    call: Callable[[bytes, Path], object]
    words: tuple[bytes, ...] = ()
    mutate: Callable[[bytes, Random, tuple[bytes, ...]], bytes] = mutated
    whole: Callable[[bytes, Path], object] | None = None


@dataclass(frozen=True)
class Finding:
    """What a reader did that no reader may do, with the first input that made it.

    `kind`: `traceback`, `hang`, `memory`, `died` or `message`.
    """

    kind: str
    where: str
    problem: str
    data_hex: str


@dataclass(frozen=True)
class Outcome:
    """How a target fared so far: inputs by what became of them, and findings without repetition.

    `harms`: of its files in order, given before the inputs and counted beside them.
    """

    name: str
    code: str
    inputs: int = 0
    harms: int = 0
    covered: int = 0
    returned: int = 0
    refused: int = 0
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    findings: tuple[Finding, ...] = field(default=())

    @property
    def per_second(self) -> float:
        """Inputs and harms for each second of processor time."""
        return (self.inputs + self.harms) / self.cpu_s if self.cpu_s else 0.0
