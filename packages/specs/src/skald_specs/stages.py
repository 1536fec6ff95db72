"""The stages of real text, named once; imports nothing, because the command line asks for them."""

from __future__ import annotations

from typing import Literal, get_args

StageName = Literal[
    "ingest",
    "rights",
    "normalise",
    "language",
    "quality",
    "pii",
    "exact",
    "near",
    "decontaminate",
    "split",
]
#: In the order they run; each reads what the ones before it left.
STAGES: tuple[StageName, ...] = get_args(StageName)
