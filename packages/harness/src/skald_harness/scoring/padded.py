"""The plain path: one row per request, padded on the right, by the model's own causal forward.

What the tree path is checked against, and what answers where a tree does not suit a model. Knows
tensors; refuses to know tries.

Letters: B rows of a batch, T tokens of a row, N target tokens of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from skald_harness.scoring.head import CHUNK_LOGITS, answers_at
from skald_harness.scoring.network import Network
from skald_harness.scoring.requests import Score
from skald_harness.scoring.tree import BATCH_TOKENS


class PlainScorer:
    """Scores rows one by one, in batches.

    Args:
        network: The network.
        is_headed: Whether the network's head gives the logits of its own forward; if not, logits
            are computed everywhere by that forward.
        workers: Batches computed at the same time.
    """

    def __init__(self, network: Network, is_headed: bool, workers: int) -> None:
        self._network, self._is_headed, self._workers = network, is_headed, workers
        self._batch_tokens = BATCH_TOKENS.get(network.device.type, BATCH_TOKENS["cpu"])
        if not is_headed:
            self._batch_tokens = min(self._batch_tokens, 8 * CHUNK_LOGITS // network.n_vocabulary)

    def scores(self, rows: Sequence[list[int]], n_targets: Sequence[int]) -> list[Score]:
        """Score the last `n_targets` tokens of each row; batches depend on nothing but the rows.

        Args:
            rows: Token ids, condition and target together: two at least.
            n_targets: How many last tokens of each row are scored: at least one, and not the first.

        Returns:
            One a row, in their order: nats summed over the target, and whether it is greedy.
        """
        order = sorted(range(len(rows)), key=lambda r: (-len(rows[r]), rows[r], n_targets[r]))
        batches = list(self._batches(order, [len(row) - 1 for row in rows]))
        scores = [Score(0.0, True)] * len(rows)

        def run(batch: list[int]) -> list[Score]:
            return self._batch([rows[r] for r in batch], [n_targets[r] for r in batch])

        with ThreadPoolExecutor(self._workers) as pool:
            for batch, found in zip(batches, pool.map(run, batches), strict=True):
                for r, score in zip(batch, found, strict=True):
                    scores[r] = score
        return scores

    @torch.inference_mode()
    def margin_nats(self, row: list[int], n_target: int) -> float:
        """Return by how much a row's greediness is decided; see `Scorer.margin_nats`.

        Args:
            row: Token ids, condition and target together.
            n_target: How many last tokens are the target.
        """
        tokens_BT = self._network.tensor([row[:-1]])
        logits_NV = self._network.full_logits(tokens_BT)[0, -n_target:].float()
        target_N1 = self._network.tensor(row[-n_target:])[:, None]
        own_N1 = logits_NV.gather(1, target_N1)
        # Where the target leads, it leads by its distance from the second.
        others_N1 = logits_NV.scatter(1, target_N1, -torch.inf).amax(-1, keepdim=True)
        least = float((own_N1 - others_N1).min())
        return abs(least)

    def _batches(self, order: Sequence[int], widths: Sequence[int]) -> Iterator[list[int]]:
        start = 0
        while start < len(order):
            size = max(1, self._batch_tokens // widths[order[start]])
            yield list(order[start : start + size])
            start += size

    @torch.inference_mode()
    def _batch(self, rows: Sequence[list[int]], n_targets: Sequence[int]) -> list[Score]:
        width = max(len(row) - 1 for row in rows)
        # Padding stands on the right, where a causal model cannot see it: no mask is needed.
        tokens_BT = self._network.tensor([row[:-1] + [0] * (width + 1 - len(row)) for row in rows])
        picked_N = np.concatenate(
            [
                np.arange(len(row) - 1 - n, len(row) - 1) + b * width
                for b, (row, n) in enumerate(zip(rows, n_targets, strict=True))
            ]
        )
        target_N = np.concatenate(
            [np.asarray(row[-n:], np.int64) for row, n in zip(rows, n_targets, strict=True)]
        )
        picked = self._network.tensor(picked_N)
        if self._is_headed:
            hidden_ND = self._network.hidden(tokens_BT).flatten(0, 1)[picked]
            logprob_N, greedy_N = answers_at(
                lambda start, stop: self._network.logits(hidden_ND[start:stop]),
                self._network.n_vocabulary,
                np.arange(len(target_N) + 1),
                target_N,
            )
        else:
            logits_NV = self._network.full_logits(tokens_BT).flatten(0, 1)[picked]
            logprob_N, greedy_N = answers_at(
                lambda start, stop: logits_NV[start:stop].float(),
                self._network.n_vocabulary,
                np.arange(len(target_N) + 1),
                target_N,
            )
        firsts = np.cumsum([0, *n_targets[:-1]])
        sums = np.add.reduceat(logprob_N.astype(np.float64), firsts)
        greedy = np.logical_and.reduceat(greedy_N, firsts)
        return [Score(float(s), bool(g)) for s, g in zip(sums, greedy, strict=True)]
