"""Which requests are scored a second time, plainly, and how far the scores may differ."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

from skald_harness.scoring.requests import Request


def drawn(requests: Sequence[Request]) -> list[int]:
    """Return the indices of about 1 % of the requests, at least one."""
    ranks = [
        int.from_bytes(hashlib.sha256(repr(request).encode()).digest()[:8], "big") / 2**64
        for request in requests
    ]
    chosen = [i for i, rank in enumerate(ranks) if rank < 0.01]
    return chosen or [min(range(len(ranks)), key=ranks.__getitem__)][: len(ranks)]


def tolerance_nats(dtype: torch.dtype) -> float:
    """Return how far a score may lie from the plain one."""
    return 1e-3 if dtype in (torch.float32, torch.float64) else 2e-2
