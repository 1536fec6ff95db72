"""Requests and scores: what passes into and out of a scorer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """Tokens to condition on, and tokens whose log-probability is asked."""

    condition: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """A target's log-probability in nats, and whether every token of it was the most probable."""

    logprob_nats: float
    is_greedy: bool
