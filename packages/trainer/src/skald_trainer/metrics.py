"""metrics.jsonl: every step of a run, in the order it happened, with its speed; never hashed.

Four kinds of row, told apart by their keys; all have `step` (from 1) and `tokens_seen` (tokens).

A step: `loss_nats` (nats/token, mean over the global batch), `lr` (of `base_lr`, resolved by the
schedule), `grad_norm` (before clipping), `tokens_per_second`; `mfu` (1) where the device's peak is
known; and every `execution.statistics_every_steps` steps `statistics`, by kind of tensor or activation:
`grad_norm` (before clipping), `update_to_weight` (norm of the update over norm of the weight), and
`activation_rms`.

A step whose update was left out (`guard`): `skipped`, `reason`, `bad_loss_nats`, `bad_grad_norm`, the
`windows` it read by language, `tokens_per_second` and `mfu`; no `loss_nats`.

A validation: `bits_per_byte` by language.

A save, where energy can be read: `energy_joules` by source (`gpu`: the boards the ranks compute on,
`cpu`: whole machines) since the save at `energy_since_step`.

A resumed run drops the rows after the checkpoint it continues from. `curve_rows` keeps what follows
from the plan alone and is small: no speed, energy or statistics.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skald_specs.errors import UserInputError
from skald_specs.files import write_jsonl
from skald_specs.plain import parse_json

Row = dict[str, Any]

_NOT_IN_CURVE = frozenset(
    {"tokens_per_second", "mfu", "statistics", "energy_joules", "energy_since_step"}
)
_PLACE = frozenset({"step", "tokens_seen"})


class MetricsFile:
    """Appends rows to metrics.jsonl; one process of a run owns it.

    Args:
        path: The file; rows after `start_step`, and a last line cut by a kill, are dropped first.
        start_step: Step the run continues from, 0 for a fresh one.
    """

    def __init__(self, path: Path, start_step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(path, [row for row in rows(path) if row["step"] <= start_step])
        self._out = path.open("a", encoding="utf-8")

    def write(self, row: Row) -> None:
        """Append one row; it has a `step`."""
        self._out.write(json.dumps(row, sort_keys=True) + "\n")
        self._out.flush()

    def sync(self) -> None:
        """Have what was written survive a loss of power."""
        os.fsync(self._out.fileno())

    def close(self) -> None:
        """Close the file."""
        self._out.close()


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a metrics file up to one that is none, such as the last after a kill."""
    if path.is_file():
        for line in path.read_bytes().split(b"\n"):
            try:
                row = parse_json(line.decode("utf-8"), str(path))
            except (UnicodeDecodeError, UserInputError):
                return
            if not _is_row(row):
                return
            yield row


def _is_row(value: Any) -> bool:
    """Return whether a value is a row as `MetricsFile` writes them, as far as they are read again."""
    if not isinstance(value, dict) or type(value.get("step")) is not int:
        return False
    joules = value.get("energy_joules", {})
    whole = "energy_joules" not in value or type(value.get("energy_since_step")) is int
    return (
        whole and isinstance(joules, dict) and all(type(x) in (int, float) for x in joules.values())
    )


def curve_rows(path: Path) -> list[Row]:
    """Return the rows of metrics.jsonl without what depends on the machine."""
    kept = ({k: v for k, v in row.items() if k not in _NOT_IN_CURVE} for row in rows(path))
    return [row for row in kept if row.keys() - _PLACE]


def steps_of(rows: list[Row]) -> list[int]:
    """Return the steps that a log tells of, in its order."""
    return [row["step"] for row in rows if "loss_nats" in row or "skipped" in row]


def first_step(metrics: Path, last: int) -> int | None:
    """Return where a log's unbroken row of steps begins.

    Args:
        metrics: The metrics file; it may be missing.
        last: The step that the row ends with.

    Returns:
        The row's first step; None where the log does not tell of the last.
    """
    steps = set(steps_of(curve_rows(metrics)))
    if last not in steps:
        return None
    first = last
    while first - 1 in steps:
        first -= 1
    return first


def energy_joules(path: Path) -> dict[str, float]:
    """Sum the energy of a run over its stretches.

    Args:
        path: The metrics file.

    Returns:
        Joules by source; no entry for a source that could not be read at some step of the run. Work
        that a crash lost is not in it.
    """
    total: dict[str, float] | None = None
    reached = 0
    for row in rows(path):
        if "energy_joules" in row:
            joules = row["energy_joules"] if row["energy_since_step"] == reached else {}
            total = (
                joules
                if total is None
                else {k: v + joules[k] for k, v in total.items() if k in joules}
            )
            reached = row["step"]
        last = row["step"]
    return {} if total is None or reached != last else total
