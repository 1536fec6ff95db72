"""What a corpus' data card says: everything that the stages wrote down, in one file."""

from __future__ import annotations

from typing import Literal

from skald_specs.decontamination import TaskHits
from skald_specs.fertility import Fertility
from skald_specs.funnel import Amount, Funnel
from skald_specs.mixture import Mixture
from skald_specs.models import Spec


class CardSource(Spec):
    """One source: where it came from and the hash of its files as they were read."""

    id: str
    language: str
    kind: str
    place: str
    licence: str
    citation: str
    sha256: str


class Confusion(Spec):
    """`confusion.json`: which language the identifier takes held-out reference texts for.

    Shapes: `counts` (true language, language taken for), in the order of `languages`; `accuracy`
    None where a language had no held-out text of `min_chars` characters.
    """

    schema_version: Literal[1] = 1
    languages: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    accuracy: tuple[float | None, ...]
    min_chars: int


class CardText(Spec):
    """One file of the finished text."""

    language: str
    split: str
    amount: Amount
    sha256: str


class LimitComplaint(Spec):
    """One thing that the lint of the quality limits has to say."""

    language: str
    subject: str
    problem: str


class DataCard(Spec):
    """`card.json`.

    `clusters` counts duplicate clusters by stage, language and size; `lengths` documents by
    language and n, of 2^n to 2^(n+1) - 1 bytes; `idle_opt_outs` are ledger entries that met no document; `licences` what is left by language and licence;
    `masked` replaced personal data by language and kind. None: that stage is off.
    """

    schema_version: Literal[1] = 1
    name: str
    about: str
    sources: tuple[CardSource, ...]
    funnels: tuple[Funnel, ...]
    text: tuple[CardText, ...]
    licences: dict[str, dict[str, Amount]]
    lengths: dict[str, dict[int, int]]
    clusters: dict[str, dict[str, dict[int, int]]]
    idle_opt_outs: tuple[str, ...]
    masked: dict[str, dict[str, int]] | None
    confusion: Confusion | None
    complaints: tuple[LimitComplaint, ...] | None
    contamination: tuple[TaskHits, ...] | None
    fertility: tuple[Fertility, ...] | None
    mixture: Mixture | None
