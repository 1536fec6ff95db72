"""Units of work: which requests are scored together.

A pure function of the requests, so that answers have the same bits on any number of ranks and
after any interruption. Knows token ids; refuses to know tensors and models.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skald_harness.scoring.trie import shared_lengths

#: Distinct tokens and requests of a unit. Standing: assumed; a unit is a few seconds of a small
#: network on one core, and a block of 600 tokens that all share costs 4 % if each unit repeats it.
UNIT_TOKENS, UNIT_REQUESTS = 16_384, 512


def chunks_of(rows: Sequence[list[int]]) -> list[list[int]]:
    """Part requests into units in which those with a common beginning stand together.

    A unit ends where its limits end or, in its last quarter, where neighbours share least, so that
    the choices of one item stay together. A unit cut again is one unit.

    Args:
        rows: Each request's tokens, condition and target.

    Returns:
        Indices of `rows`, each once, by unit.
    """
    order = sorted(range(len(rows)), key=lambda r: (rows[r], r))
    arrays = [np.asarray(rows[r], np.int64) for r in order]
    common = shared_lengths(arrays)
    units, start = [], 0
    while start < len(order):
        stop = _stop(start, [len(row) for row in arrays], common)
        units.append(order[start:stop])
        start = stop
    return units


def _stop(start: int, lengths: Sequence[int], common: Sequence[int]) -> int:
    tokens = lengths[start]
    candidates = []
    for k in range(start + 1, len(lengths)):
        if tokens > 0.75 * UNIT_TOKENS or k - start > 0.75 * UNIT_REQUESTS:
            candidates.append(k)
        tokens += lengths[k] - common[k]
        if tokens > UNIT_TOKENS or k - start == UNIT_REQUESTS:
            return min(candidates or [k], key=lambda k: (common[k], -k))
    return len(lengths)
