"""A trie cut into rows that a network computes side by side, and trunks that rows share.

A row is a subtree, with the nodes above it that no trunk holds. A trunk is a path whose keys and
values are computed once and kept while the rows below it are computed. What is cheapest is found
by cost: a small item is one row with its choices, a long block of examples becomes a trunk.

Knows numbers of tokens; refuses to know tensors and models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skald_harness.scoring.trie import Ints, Trie

#: Keys at which attention to them costs as much as all the rest of a token. Standing: measured
#: (4 layers of width 256, one core); too small for wide networks, where rows then only get shorter.
EVEN_KEYS = 1024
#: What a trunk costs on top of its tokens, and what copying it for one row costs, in tokens.
#: Standing: measured (as above).
TRUNK_TOKENS, COPY_TOKENS = 48, 1 / 24
#: Trunks shorter than this are repeated in each row instead.
SHORTEST_TRUNK = 24
#: Rows up to this length are not worth cutting.
SMALL_ROW = 64


@dataclass(frozen=True)
class Row:
    """Inputs of the trie that stand in one row: a path from the trunk down, then a subtree.

    Attributes:
        nodes: The inputs, in pre-order.
        ends: One past the last position in this row below each.
        n_seen: How many first ones an earlier row or a trunk holds too.
    """

    nodes: Ints
    ends: Ints
    n_seen: int


@dataclass(frozen=True)
class Scope:
    """A trunk and the rows that hang from it; the first scope has no trunk.

    Attributes:
        parent: The scope whose trunk comes before this one's, -1 for none.
        trunk: This trunk's own part, without its parent's.
        length: Tokens of the whole trunk.
        rows: The rows.
    """

    parent: int
    trunk: Row | None
    length: int
    rows: list[Row]


#: A row of the inputs from a to b, with its cost; or a trunk down to input a, with what it holds.
_Piece = tuple[float, int, int, "list[_Piece] | None"]


def cut(trie: Trie, longest_trunk: int) -> list[Scope]:
    """Cut a trie into scopes, parents first.

    Args:
        trie: The trie.
        longest_trunk: Tokens that a trunk may have in all.

    Returns:
        The scopes; every input stands in some row or trunk.
    """
    return _Cutting(trie, longest_trunk).scopes()


class _Cutting:
    def __init__(self, trie: Trie, longest_trunk: int) -> None:
        self._trie, self._longest = trie, longest_trunk
        index = np.arange(len(trie.ends))
        lonely = np.zeros(len(index), bool)
        lonely[:-1] = trie.ends[1:] == trie.ends[:-1]
        # The last of the nodes with one child below each node: where its path forks or ends.
        forks = np.where(lonely, len(index), index)
        self._fork = np.minimum.accumulate(forks[::-1])[::-1].tolist()
        self._end, self._depth = trie.ends.tolist(), trie.depths.tolist()
        self._best: dict[tuple[int, int], list[_Piece]] = {}
        self._trunks: set[int] = set()
        self._frontier = 0

    def scopes(self) -> list[Scope]:
        # From the leaves up, so that no call goes deeper than one level.
        for top, starts in reversed(list(self._tops())):
            for start in starts:
                self._choose(top, start)
        scopes = [Scope(-1, None, 0, [])]
        self._lay(self._fold(0, len(self._end), 0), 0, scopes)
        return scopes

    def _children(self, start: int, stop: int) -> Iterator[int]:
        while start < stop:
            yield start
            start = self._end[start]

    def _tops(self) -> Iterator[tuple[int, list[int]]]:
        """Yield each node below a fork, and the lengths that a trunk above it could have."""
        stack = [(0, len(self._end), [0])]
        while stack:
            start, stop, starts = stack.pop()
            for top in self._children(start, stop):
                yield top, starts
                fork = self._fork[top]
                length = self._depth[fork] + 1
                below = starts
                if length - starts[-1] >= SHORTEST_TRUNK and length <= self._longest:
                    self._trunks.add(fork)
                    below = [*starts, length]
                stack.append((fork + 1, self._end[fork], below))

    def _choose(self, top: int, above: int) -> list[_Piece]:
        """Return the cheapest pieces for the subtree of `top` under a trunk of `above` tokens."""
        known = self._best.get((top, above))
        if known is not None:
            return known
        fork, stop = self._fork[top], self._end[top]
        n_tokens = self._depth[top] - above + stop - top
        options: list[list[_Piece]] = [[(_row_cost(n_tokens, above), top, stop, None)]]
        if n_tokens > SMALL_ROW and fork + 1 < stop:
            options.append(self._fold(fork + 1, stop, above))
            if fork in self._trunks:
                length = self._depth[fork] + 1
                inner = self._fold(fork + 1, stop, length)
                n_own = length - above
                cost = TRUNK_TOKENS + n_own * (1 + length / EVEN_KEYS) + _total(inner)
                options.append([(cost, fork, 0, inner)])
        self._best[top, above] = best = min(options, key=_total)
        return best

    def _fold(self, start: int, stop: int, above: int) -> list[_Piece]:
        """Take each child's best pieces; neighbours share a row where that is cheaper."""
        pieces: list[_Piece] = []
        for child in self._children(start, stop):
            mine = self._choose(child, above)
            last = pieces[-1] if pieces else None
            if last and last[3] is None and last[2] == child and len(mine) == 1 and not mine[0][3]:
                (cost, _, end, _) = mine[0]
                n_above = self._depth[child] - above
                # A row whose beginning lies deeper carries more nodes than these siblings share.
                together = _row_cost(n_above + end - last[1], above)
                if self._depth[last[1]] == self._depth[child] and together < last[0] + cost:
                    pieces[-1] = (together, last[1], end, None)
                    continue
            pieces += mine
        return pieces

    def _lay(self, pieces: list[_Piece], scope: int, scopes: list[Scope]) -> None:
        """Turn pieces into rows and scopes, in pre-order."""
        todo = [(piece, scope) for piece in reversed(pieces)]
        while todo:
            (_, start, stop, inner), scope = todo.pop()
            above = scopes[scope].length
            if inner is None:
                scopes[scope].rows.append(self._row(start, stop, above))
            else:
                trunk = self._row(start, start + 1, above)
                scopes.append(Scope(scope, trunk, above + len(trunk.nodes), []))
                todo += [(piece, len(scopes) - 1) for piece in reversed(inner)]

    def _row(self, start: int, stop: int, above: int) -> Row:
        path = []
        node = int(self._trie.parents[start])
        while node >= 0 and self._depth[node] >= above:
            path.append(node)
            node = int(self._trie.parents[node])
        nodes = np.concatenate([np.array(path[::-1], np.int64), np.arange(start, stop)])
        ends = np.minimum(self._trie.ends[nodes], stop) - start + len(path)
        n_seen = int(np.searchsorted(nodes, self._frontier))
        self._frontier = stop
        return Row(nodes, ends, n_seen)


def _row_cost(n_tokens: int, above: int) -> float:
    return n_tokens * (1 + (n_tokens + above) / EVEN_KEYS) + above * COPY_TOKENS


def _total(pieces: list[_Piece]) -> float:
    return sum(piece[0] for piece in pieces)
