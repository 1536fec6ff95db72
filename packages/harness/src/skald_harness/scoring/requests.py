"""What a scorer is asked and what it answers, in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Request(NamedTuple):
    """A target to be scored after a condition; both are token ids."""

    condition: Sequence[int]
    target: Sequence[int]


class Score(NamedTuple):
    """The sum of a target's log-probabilities, and whether each token was the most probable."""

    logprob_nats: float
    is_greedy: bool


def row_of(request: Request, max_length: int) -> list[int]:
    """Return the tokens that matter: all but the beginning of a condition that is too long.

    Args:
        request: The request.
        max_length: Tokens the model can see at once.

    Returns:
        Condition and target, at most `max_length` + 1 tokens: the last one is predicted, not seen.

    Raises:
        ValueError: The target is empty, too long, or has nothing before it.

    Source: lm-eval's `HFLM._loglikelihood_tokens`, which cuts at the same place.
    """
    condition, target = request
    if not condition or not target or len(target) > max_length:
        raise ValueError(
            f"a condition of {len(condition)} and a target of {len(target)} tokens: both need one, "
            f"and a target has at most {max_length}"
        )
    return [*condition, *target][-(max_length + 1) :]
