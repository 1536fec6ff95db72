"""The column map: how somebody else's table of runs becomes the run table.

Knows names, units and constants; refuses to guess a unit.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from skald_specs.guesses import offer
from skald_specs.kinds import Kind
from skald_specs.models import Spec

#: What a fit cannot do without.
REQUIRED: tuple[str, ...] = (
    "n_params_non_embedding", "horizon_tokens", "global_batch_tokens", "lr", "loss",
)  # fmt: skip
#: What it uses where it is given.
OPTIONAL: tuple[str, ...] = (
    "width", "depth", "n_params_total", "seed", "schedule", "loss_se", "diverged", "family",
)  # fmt: skip


class Column(Spec):
    """One column of the run table: read from `column` and multiplied by `scale`, or one `value`.

    `times` names further columns of the table to multiply by: a batch in sequences times a sequence
    length gives tokens.
    """

    column: str | None = None
    scale: float = 1.0
    times: tuple[str, ...] = ()
    value: float | str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Column:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either `column` or `value`, not both")
        return self


class ColumnMap(Spec):
    """A YAML file that names, for each column of the run table, where it comes from.

    `loss_unit` says what the losses are in; no table may mix two, and a fit on log loss does not
    depend on which it is. `source` is where the table was published.
    """

    file_kind: ClassVar[Kind | None] = "column map"

    schema_version: Literal[1]
    loss_unit: Literal["bits/byte", "nats/token"]
    source: str = ""
    columns: Annotated[dict[str, Column], Field(min_length=1)]

    @model_validator(mode="after")
    def _complete(self) -> ColumnMap:
        known = (*REQUIRED, *OPTIONAL)
        if unknown := [name for name in self.columns if name not in known]:
            raise ValueError(f"unknown column {unknown[0]!r}. {offer(unknown[0], known)}")
        if missing := [name for name in REQUIRED if name not in self.columns]:
            raise ValueError(f"no source for the column {missing[0]!r}; add it")
        return self
