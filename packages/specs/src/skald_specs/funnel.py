"""What a stage read, kept and removed, by language and source: nothing may get lost between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skald_specs.models import Spec
from skald_specs.stages import StageName

_Natural = Annotated[int, Field(ge=0)]


class Amount(Spec):
    """Documents, and the UTF-8 bytes of their text."""

    documents: _Natural = 0
    bytes: _Natural = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(documents=self.documents + other.documents, bytes=self.bytes + other.bytes)


class FunnelRow(Spec):
    """One source in one stage.

    `removed` counts by reason. `changed` documents were kept with other text, which made all text
    longer by `bytes_gained`. `noted` counts what was kept with a remark.
    """

    language: str
    source: str
    read: Amount
    kept: Amount
    removed: dict[str, Amount]
    changed: _Natural = 0
    bytes_gained: int = 0
    noted: dict[str, _Natural] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nothing_lost(self) -> Self:
        gone = sum(self.removed.values(), Amount())
        if self.kept.documents + gone.documents != self.read.documents:
            raise ValueError("documents kept and removed are not those read; rerun the stage")
        if self.kept.bytes + gone.bytes != self.read.bytes + self.bytes_gained:
            raise ValueError("bytes kept and removed are not those read; rerun the stage")
        return self


class Funnel(Spec):
    """`funnel.json` of one stage."""

    schema_version: Literal[1] = 1
    stage: StageName
    on: bool
    rows: tuple[FunnelRow, ...]


def summed(rows: Iterable[FunnelRow], language: str, source: str) -> FunnelRow:
    """Add rows of one stage up, under the given names.

    Args:
        rows: Such as those of all parts of a source, or of all sources of a language.
        language: Name of the sum.
        source: Name of the sum.
    """
    read, kept, removed, noted = Amount(), Amount(), dict[str, Amount](), dict[str, int]()
    changed = gained = 0
    for row in rows:
        read, kept = read + row.read, kept + row.kept
        changed, gained = changed + row.changed, gained + row.bytes_gained
        for reason, amount in row.removed.items():
            removed[reason] = removed.get(reason, Amount()) + amount
        for remark, n in row.noted.items():
            noted[remark] = noted.get(remark, 0) + n
    return FunnelRow(
        language=language,
        source=source,
        read=read,
        kept=kept,
        removed=dict(sorted(removed.items())),
        changed=changed,
        bytes_gained=gained,
        noted=dict(sorted(noted.items())),
    )
