"""What a verification compared, and what did not agree."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Two ways to one number may differ in its last bits, relative to its size.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Mismatch:
    """A number that does not follow from the records: where, what, as recorded and as computed."""

    file: Path
    item: str
    what: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.item}: {self.what} is {_shown(self.recorded)}, "
            f"recomputed {_shown(self.recomputed)}"
        )


@dataclass
class Verification:
    """What was checked, by name with its count, and what did not agree."""

    checked: collections.Counter[str] = field(default_factory=collections.Counter)
    mismatches: list[Mismatch] = field(default_factory=list)

    def check(
        self, name: str, file: Path, item: str, what: str, recorded: Any, recomputed: Any
    ) -> None:
        """Count one comparison, and keep it where the two are not the same.

        Args:
            name: What kind of figure it is; counts are told by kind.
            file: Where it is recorded.
            item: Whose it is, within the file.
            what: The field.
            recorded: As it stands there.
            recomputed: As it follows from the records; numbers may differ by `ROUNDING`.
        """
        self.checked[name] += 1
        if not _same(recorded, recomputed):
            self.mismatches.append(Mismatch(file, item, what, recorded, recomputed))


def _same(recorded: Any, recomputed: Any) -> bool:
    if isinstance(recorded, float | int) and isinstance(recomputed, float | int):
        return math.isclose(recorded, recomputed, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(recorded == recomputed)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_shown(part) for part in _flat(value))
    return repr(value) if isinstance(value, float) else str(value)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value[:12] if isinstance(value, str) and len(value) == 64 else value
