"""Scores requests, plainly."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from skald_harness.scoring.plain import CausalScorer
from skald_harness.scoring.requests import Request, Score


class Scorer:
    """Scores requests with a causal language model of transformers."""

    def __init__(self, model: torch.nn.Module, max_length: int, kv_bytes: int = 1 << 28) -> None:
        self._plain = CausalScorer(model, max_length)
        self.how = "tree"

    def chunks(self, requests: Sequence[Request]) -> list[list[int]]:
        """Part requests into units of work."""
        return [list(range(i, min(i + 64, len(requests)))) for i in range(0, len(requests), 64)]

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Score every request."""
        return self.score_plainly(requests)

    def score_plainly(self, requests: Sequence[Request]) -> list[Score]:
        """Score every request by the plain path."""
        pairs = [(request.condition, request.target) for request in requests]
        return [Score(*answer) for answer in self._plain.score(pairs)]
