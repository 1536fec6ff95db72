"""Randomness by name: every stream of choices is a pure function of its key.

Only `random.Random.random()` is used, whose sequence for a given integer seed Python guarantees
across versions, and weights are quotients, so the same bytes come out on every platform.
"""

from __future__ import annotations

import hashlib
import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

#: Shift of the Zipf-Mandelbrot law weight = 1 / (rank + shift); flattens the head.
ZIPF_SHIFT = 4.0


class Stream:
    """A sequence of choices that depends on its key alone."""

    def __init__(self, key: str) -> None:
        digest = hashlib.sha256(key.encode("utf-8")).digest()
        self._next = random.Random(int.from_bytes(digest, "big")).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._next() < probability

    def below(self, n: int) -> int:
        """Return a whole number from 0 to n - 1."""
        return int(self._next() * n)

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, all equally likely."""
        return options[int(self._next() * len(options))]

    def draw(self, options: Sequence[T], cumulated: Sequence[float]) -> T:
        """Return one of the options with the given cumulated weights.

        Args:
            options: One at least.
            cumulated: Sums of the weights up to each option, of any scale; `zipf` makes them.
        """
        return options[bisect(cumulated, self._next() * cumulated[-1], 0, len(options) - 1)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """Return the options in random order (Fisher-Yates)."""
        rest, draw = list(options), self._next
        for last in range(len(rest) - 1, 0, -1):
            other = int(draw() * (last + 1))
            rest[last], rest[other] = rest[other], rest[last]
        return rest


def zipf(n: int) -> tuple[float, ...]:
    """Return cumulated Zipf-Mandelbrot weights for ranks 0 to n - 1.

    Source: Mandelbrot 1953, exponent 1; only divisions, which every platform rounds alike.
    """
    return tuple(accumulate(1.0 / (rank + ZIPF_SHIFT) for rank in range(n)))


def fraction(key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:6], "big") / 2.0**48
