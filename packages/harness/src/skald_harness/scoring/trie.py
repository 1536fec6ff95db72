"""Requests as one token trie: each distinct prefix is a node, and is computed once.

Knows token ids; refuses to know tensors and models.

Letters: I inputs (nodes a model must see), A asked nodes, R requests, P steps of all requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trie:
    """Token sequences as a trie in depth-first pre-order.

    A node is an input where a sequence goes on below it: a leaf is only predicted. A node is asked
    where it belongs to a target; the input above it predicts it, together with its siblings.

    Attributes:
        tokens: The inputs' tokens.
        depths: Their positions in the sequences.
        parents: The inputs above them, -1 at a root.
        ends: One past the last input below each: j is i or above i where j <= i < ends[j].
        asked_from: The asked nodes under input i are asked_from[i] to asked_from[i + 1].
        asked_tokens: Their tokens.
        steps: The asked nodes of all targets, one target after the other.
        starts: Where each target begins in `steps`.

    Shapes: as the suffixes say; I1 is one more than I.
    """

    tokens: Ints
    depths: Ints
    parents: Ints
    ends: Ints
    asked_from: Ints
    asked_tokens: Ints
    steps: Ints
    starts: Ints


def shared_lengths(rows: Sequence[Ints]) -> list[int]:
    """Return how many first tokens each row has in common with the row before it."""
    lengths = [0] * len(rows)
    for k in range(1, len(rows)):
        width = min(len(rows[k - 1]), len(rows[k]))
        differs = rows[k - 1][:width] != rows[k][:width]
        lengths[k] = int(differs.argmax()) if differs.any() else width
    return lengths


def trie_of(rows: Sequence[list[int]], n_targets: Sequence[int]) -> Trie:
    """Build the trie of some rows; the order of the rows does not change it.

    Args:
        rows: Token sequences, none empty.
        n_targets: How many last tokens of each row are asked: at least one, and not the first.

    Returns:
        The trie. Steps and starts are in the order of `rows`.
    """
    order = sorted(range(len(rows)), key=lambda r: rows[r])
    arrays = [np.asarray(rows[r], np.int64) for r in order]
    common = shared_lengths(arrays)
    fresh = [len(row) - k for row, k in zip(arrays, common, strict=True)]
    n_nodes = sum(fresh)
    token = np.concatenate([row[k:] for row, k in zip(arrays, common, strict=True)])
    depth = np.concatenate([np.arange(k, len(row)) for row, k in zip(arrays, common, strict=True)])
    parent, end = np.arange(-1, n_nodes - 1), np.empty(n_nodes, np.int64)
    path = np.empty(max(len(row) for row in arrays), np.int64)
    steps: list[Ints] = [path] * len(rows)
    asked = np.zeros(n_nodes, bool)
    at = length = 0
    for r, row, k, n_new in zip(order, arrays, common, fresh, strict=True):
        end[path[k:length]] = at
        if n_new:
            parent[at] = path[k - 1] if k else -1
            path[k : len(row)] = np.arange(at, at + n_new)
        at, length = at + n_new, len(row)
        steps[r] = path[length - n_targets[r] : length].copy()
        asked[steps[r]] = True
    end[path[:length]] = n_nodes
    return _numbered(token, depth, parent, end, asked, steps)


def _numbered(
    token: Ints, depth: Ints, parent: Ints, end: Ints, asked: NDArray[np.bool_], steps: list[Ints]
) -> Trie:
    """Number inputs and asked nodes on their own: pre-order stays pre-order without the leaves."""
    is_input = end > np.arange(len(end)) + 1
    before = np.concatenate([[0], np.cumsum(is_input)])
    above = np.where(parent < 0, -1, before[parent])
    nodes = np.flatnonzero(asked)
    nodes = nodes[np.argsort(above[nodes], kind="stable")]
    number = np.empty(len(end), np.int64)
    number[nodes] = np.arange(len(nodes))
    n_inputs = int(before[-1])
    return Trie(
        tokens=token[is_input],
        depths=depth[is_input],
        parents=above[is_input],
        ends=before[end[is_input]],
        asked_from=np.searchsorted(above[nodes], np.arange(n_inputs + 1)),
        asked_tokens=token[nodes],
        steps=number[np.concatenate(steps)],
        starts=np.cumsum([0, *(len(s) for s in steps[:-1])]),
    )
