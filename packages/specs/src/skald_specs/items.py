"""Evaluation items as files: one JSON object a line under `<items>/<kind>/<language>.jsonl`.

`key` clusters items that share vocabulary or template; statistics resample keys, not items.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from skald_specs.models import Spec


class PairItem(Spec):
    """A minimal pair: one grammatical and one ungrammatical sentence."""

    id: str
    key: str
    phenomenon: str
    good: str
    bad: str


class ClozeItem(Spec):
    """A context and its possible continuations; `answer` is the index of the right one."""

    id: str
    key: str
    context: str
    choices: Annotated[tuple[str, ...], Field(min_length=2)]
    answer: int


class TextItem(Spec):
    """A held-out document for bits per byte."""

    id: str
    key: str
    text: str
