"""A second look: some requests of every run are scored again by the plain path.

Which ones is decided by their tokens, so that a resumed run draws the same ones. Knows requests and
scores; refuses to know networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

import numpy as np

from skald_harness.scoring.requests import Request, Score

#: Share of requests that is drawn.
SHARE = 0.01
#: Largest difference of a request's sum in nats, for one target token; it grows with the root of
#: their number, as the sum of independent roundings does. Standing: measured on the two miniatures
#: and on random networks of up to 8 layers (largest differences seen: float32 6e-6, float16 4e-3,
#: bfloat16 5e-2; a token that sees its siblings differs by 0.1 and more).
TOLERANCE_NATS = {"float64": 1e-3, "float32": 1e-3, "float16": 2e-2, "bfloat16": 2e-1}


class Judge(Protocol):
    """What a network says of itself: `scoring.scorer.Scorer`."""

    @property
    def dtype(self) -> str:
        """The network's precision, by torch's name."""
        ...

    def margin_nats(self, request: Request) -> float:
        """Return by how much it is decided whether a target is the most probable throughout."""
        ...


class RecheckError(Exception):
    """A score differs from the plain path's by more than rounding: nothing of the run counts."""


def drawn(requests: Sequence[Request]) -> list[int]:
    """Return which requests of a unit are scored again: about 1 %, and at least one.

    Args:
        requests: The requests of one unit of work that were not scored plainly before.

    Returns:
        Their indices, ascending; empty only where there are no requests.
    """
    shares = [_share(request) for request in requests]
    chosen = {r for r, share in enumerate(shares) if share < SHARE}
    if shares:
        chosen.add(min(range(len(shares)), key=lambda r: (shares[r], r)))
    return sorted(chosen)


def tolerance_nats(dtype: str, n_tokens: int) -> float:
    """Return the largest difference allowed between two sums over a target of `n_tokens`.

    Args:
        dtype: The network's precision, by torch's name.
        n_tokens: Tokens of the target.
    """
    return TOLERANCE_NATS[dtype] * math.sqrt(n_tokens)


def check(
    requests: Sequence[Request],
    scores: Sequence[Score],
    plain: Sequence[Score],
    judge: Judge,
) -> None:
    """Compare scores with those of the plain path.

    Args:
        requests: The requests that were drawn.
        scores: Their scores in the run.
        plain: Their scores by the plain path.
        judge: Tells the precision, and where the two paths disagree whether it was a near tie.

    Raises:
        RecheckError: One differs by more than the tolerance, or is no number; or a target is the
            most probable by one path alone, and that by more than the tolerance of one token.
    """
    dtype = judge.dtype
    for request, score, again in zip(requests, scores, plain, strict=True):
        difference = abs(score.logprob_nats - again.logprob_nats)
        most = tolerance_nats(dtype, len(request.target))
        if not difference <= most:
            raise RecheckError(
                f"a target of {len(request.target)} tokens has {score.logprob_nats:.6g} nats, and "
                f"{again.logprob_nats:.6g} by the plain path: {difference:.2g} apart, at most "
                f"{most:.2g} in {dtype}"
            )
        if (
            score.is_greedy != again.is_greedy
            and judge.margin_nats(request) > TOLERANCE_NATS[dtype]
        ):
            raise RecheckError(
                f"a target of {len(request.target)} tokens is the most probable by one path and not "
                f"by the other, and no near tie in {dtype}"
            )


def _share(request: Request) -> float:
    condition, target = (np.asarray(part, np.int64).tobytes() for part in request)
    digest = blake2b(len(condition).to_bytes(8, "little") + condition + target, digest_size=8)
    return int.from_bytes(digest.digest(), "little") / 2.0**64
