"""The tree path: a trie's rows in batches, each token seeing its own prefix and nothing else.

Knows tensors and tries; refuses to know which models it suits (see `probe`).

Letters: B rows of a batch, T tokens of a row, S keys (a trunk's and the row's), D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from skald_harness.scoring.cut import Row, Scope, cut
from skald_harness.scoring.head import Answers, answers_at
from skald_harness.scoring.network import Network, Trunk, TrunkCache
from skald_harness.scoring.trie import Ints, Trie

#: Padded tokens of a batch. Standing: measured on a CPU (width 192 to 256, one core: 256 to 2,048
#: within 10 %), assumed elsewhere.
BATCH_TOKENS = {"cpu": 1024, "cuda": 16_384}

#: A batch that is this full ends where a row would be this much shorter than the longest.
#: Standing: measured (as above: padding of 300 minimal pairs from 12 % to 6 %).
ENOUGH, TIGHT = 0.25, 0.9


class TreeScorer:
    """Scores tries with a network that honours masks and positions.

    Args:
        network: The network.
        kv_bytes: Most bytes of keys and values held at once: half for trunks, half for batches.
        layer_bytes: Bytes of one token's keys and values in one layer.
        n_layers: Layers that keep keys and values.
        workers: Batches computed at the same time.
    """

    def __init__(
        self, network: Network, kv_bytes: int, layer_bytes: int, n_layers: int, workers: int
    ) -> None:
        self._network, self._workers = network, workers
        self._layer_bytes, self._token_bytes = layer_bytes, layer_bytes * n_layers
        self._trunk_bytes, self._batch_bytes = kv_bytes // 2, kv_bytes // 2 // workers
        self._batch_tokens = BATCH_TOKENS.get(network.device.type, BATCH_TOKENS["cpu"])

    def answers(self, trie: Trie) -> Answers:
        """Return log-probability and greediness of every asked node of a trie."""
        logprobs = np.zeros(len(trie.asked_tokens), np.float32)
        greedy = np.zeros(len(trie.asked_tokens), bool)
        scopes = cut(trie, self._trunk_bytes // self._token_bytes)
        trunks: dict[int, Trunk | None] = {}
        running: dict[int, list[Future[tuple[Ints, Answers]]]] = {}

        def collect(index: int) -> None:
            for future in running.pop(index):
                asked, (some_logprobs, some_greedy) = future.result()
                logprobs[asked], greedy[asked] = some_logprobs, some_greedy
            del trunks[index]

        with ThreadPoolExecutor(self._workers) as pool:
            for index, scope in enumerate(scopes):
                need = self._token_bytes * (len(scope.trunk.nodes) if scope.trunk else 0)
                lineage = _lineage(scopes, index)
                for old in [s for s in trunks if s not in lineage]:
                    # Trunks that are done with are let go when room is needed, not before: waiting
                    # for their rows would leave a worker idle.
                    if self._held(trunks) + need > self._trunk_bytes:
                        collect(old)
                running[index] = []
                trunks[index] = None
                if scope.trunk is not None:
                    trunks[index], answered = self.grow(trie, scope.trunk, trunks[scope.parent])
                    running[index].append(_done(answered))
                running[index] += [
                    pool.submit(self.batch, trie, batch, trunks[index])
                    for batch in self._batches(scope)
                ]
            for index in list(trunks):
                collect(index)
        return logprobs, greedy

    def _held(self, trunks: dict[int, Trunk | None]) -> int:
        return sum(trunk.own_bytes for trunk in trunks.values() if trunk)

    def _batches(self, scope: Scope) -> Iterator[list[Row]]:
        """Cut a scope's rows, longest first, into batches within the bounds."""
        rows = sorted(scope.rows, key=lambda row: (-len(row.nodes), int(row.nodes[-1])))
        start = 0
        while start < len(rows):
            width = len(rows[start].nodes)
            by_memory = self._batch_bytes // ((scope.length + width) * self._layer_bytes)
            size = max(1, min(self._batch_tokens // width, by_memory))
            batch = rows[start : start + size]
            fill = next((n for n, row in enumerate(batch) if self._is_loose(n, row, width)), size)
            yield batch[:fill]
            start += fill

    def _is_loose(self, n_before: int, row: Row, width: int) -> bool:
        """Tell whether a row is better left to a narrower batch."""
        is_filled = n_before * width >= self._batch_tokens * ENOUGH
        return is_filled and len(row.nodes) < width * TIGHT

    def grow(
        self, trie: Trie, row: Row, parent: Trunk | None
    ) -> tuple[Trunk, tuple[Ints, Answers]]:
        """Compute a trunk on top of its parent, and answer what is asked on it.

        Args:
            trie: What is asked.
            row: The inputs that the new trunk adds.
            parent: The trunk that it hangs from; None: it begins at the root.

        Returns:
            The trunk, and as from `batch` what was answered on the way.
        """
        cache = TrunkCache(parent, keep=True)
        answered = self.batch(trie, [row], parent, cache)
        parts = (*(parent.parts if parent else ()), tuple(cache.kept))
        return Trunk(parts, (parent.length if parent else 0) + len(row.nodes)), answered

    @torch.inference_mode()
    def batch(
        self,
        trie: Trie,
        rows: Sequence[Row],
        trunk: Trunk | None = None,
        cache: TrunkCache | None = None,
    ) -> tuple[Ints, Answers]:
        """Answer all that is asked at the new inputs of some rows under one trunk.

        Args:
            trie: What is asked.
            rows: Padded to the longest; none empty.
            trunk: What stands before all of them; None: nothing.
            cache: Keeps the keys and values, as a new trunk needs them; None: they are not kept.

        Returns:
            Numbers of the asked nodes, and the answers to these.
        """
        width = max(len(row.nodes) for row in rows)
        tokens_BT = np.zeros((len(rows), width), np.int64)
        position_BT = np.zeros((len(rows), width), np.int64)
        # Padding sees itself: a row of nothing but forbidden keys would not be a number.
        end_BT = np.tile(np.arange(1, width + 1), (len(rows), 1))
        flat, nodes = [], []
        for b, row in enumerate(rows):
            n = len(row.nodes)
            tokens_BT[b, :n] = trie.tokens[row.nodes]
            position_BT[b, :n] = trie.depths[row.nodes]
            end_BT[b, :n] = row.ends
            nodes.append(row.nodes[row.n_seen :])
            flat.append(np.arange(b * width + row.n_seen, b * width + n))
        node_N, flat_N = np.concatenate(nodes), np.concatenate(flat)
        n_asked = trie.asked_from[node_N + 1] - trie.asked_from[node_N]
        is_asked = n_asked > 0
        node_N, n_asked = node_N[is_asked], n_asked[is_asked]
        network = self._network
        read_N = network.tensor(flat_N[is_asked])
        if cache is None and trunk is not None:
            cache = TrunkCache(trunk, keep=False)
        if cache is None and all((row.ends == len(row.nodes)).all() for row in rows):
            # Rows without branches are plain causal: no mask, and kernels that skip half the work.
            hidden_BTD = network.hidden(network.tensor(tokens_BT), read_N=read_N)
        else:
            allowed_BTS = seen_by(network.tensor(end_BT), trunk.length if trunk else 0)
            hidden_BTD = network.hidden(
                network.tensor(tokens_BT),
                network.tensor(position_BT),
                network.mask(allowed_BTS),
                cache,
                read_N,
            )
        hidden_ND = hidden_BTD.flatten(0, 1)[read_N]
        first_N1 = np.concatenate([[0], np.cumsum(n_asked)])
        asked = np.repeat(trie.asked_from[node_N] - first_N1[:-1], n_asked) + np.arange(
            first_N1[-1]
        )
        answers = answers_at(
            lambda start, stop: network.logits(hidden_ND[start:stop]),
            network.n_vocabulary,
            first_N1,
            trie.asked_tokens[asked],
        )
        return asked, answers


def seen_by(end_BT: torch.Tensor, n_above: int = 0) -> torch.Tensor:
    """Return which keys each token of a row sees: all of the trunk, its ancestors, and itself.

    Args:
        end_BT: One past the last position below each token, in depth-first pre-order.
        n_above: Tokens of the trunk.

    Returns:
        Booleans, (B, T, S).

    Shapes: S is `n_above` and T together.
    """
    (n_rows, width) = end_BT.shape
    index_T = torch.arange(width, device=end_BT.device)
    below_BTT = (index_T[None, :] <= index_T[:, None]) & (index_T[:, None] < end_BT[:, None, :])
    if not n_above:
        return below_BTT
    above_BTS = below_BTT.new_ones(n_rows, width, n_above)
    return torch.cat([above_BTS, below_BTT], -1)


def sums(trie: Trie, answers: Answers) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Sum the answers over each request's target.

    Args:
        trie: R requests, in the order of `trie.starts`.
        answers: To each of its asked nodes.

    Returns:
        Nats of each target, (R,) in fp64, and whether all its tokens are the most probable, (R,).
    """
    logprob_A, greedy_A = answers
    totals = np.add.reduceat(logprob_A[trie.steps].astype(np.float64), trie.starts)
    return totals, np.logical_and.reduceat(greedy_A[trie.steps], trie.starts)


def _lineage(scopes: Sequence[Scope], index: int) -> set[int]:
    found = set()
    while index >= 0:
        found.add(index)
        index = scopes[index].parent
    return found


def _done(result: tuple[Ints, Answers]) -> Future[tuple[Ints, Answers]]:
    future: Future[tuple[Ints, Answers]] = Future()
    future.set_result(result)
    return future
