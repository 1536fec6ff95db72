"""Scores requests with any causal language model: by a token trie where that suits it, else plainly.

The one place that decides which path a request takes. Knows networks and tokens; refuses to know
text, tasks and records.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch

from skald_harness.scoring.chunks import chunks_of
from skald_harness.scoring.network import Network
from skald_harness.scoring.padded import PlainScorer
from skald_harness.scoring.probe import probe
from skald_harness.scoring.reach import reach_of
from skald_harness.scoring.requests import Request, Score, row_of
from skald_harness.scoring.tree import TreeScorer, sums
from skald_harness.scoring.trie import trie_of

#: Keys and values held at once unless told otherwise. Standing: assumed.
KV_BYTES = 1 << 30


class Scorer:
    """Scores requests with a causal model of transformers.

    Use `chunks` to part a task's requests and `score` for one part at a time where work is shared
    or resumed: a request's score has the same bits whenever it is scored with the same part.

    Args:
        model: A `...ForCausalLM`, in evaluation mode, on its device.
        max_length: Tokens the model can see at once.
        kv_bytes: Most bytes of cached keys and values held at once.
        workers: Batches computed at the same time; None for one per free core on a CPU.

    Attributes:
        dtype: The network's precision, by torch's name.
        how: "tree", "tree up to N tokens, ..." or "plain: " and why.
    """

    def __init__(
        self,
        model: Any,
        max_length: int,
        kv_bytes: int = KV_BYTES,
        workers: int | None = None,
    ) -> None:
        self.max_length = max_length
        network = Network(model)
        self.dtype = str(network.dtype).removeprefix("torch.")
        if workers is None:
            workers = _workers(network.device)
        verdict = probe(network)
        self._plain = PlainScorer(network, verdict.is_headed, workers)
        self._tree: TreeScorer | None = None
        self._reach = 0
        self.how = f"plain: {verdict.why_not}"
        if verdict.why_not is None:
            self._tree = TreeScorer(
                network, kv_bytes, verdict.layer_bytes, verdict.n_layers, workers
            )
            self._reach, why = reach_of(model.config, max_length)
            self.how = "tree"
            if why:
                self.how = f"tree up to {self._reach} tokens, plain beyond ({why})"

    def chunks(self, requests: Sequence[Request]) -> list[list[int]]:
        """Part requests into units of work: indices of all requests, each once.

        A pure function of the requests and `max_length`. Requests with a common beginning stand
        together.
        """
        return chunks_of([row_of(request, self.max_length) for request in requests])

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Score requests, part by part; one part of `chunks` is one part here too.

        Args:
            requests: The requests. A condition that is too long loses its beginning.

        Returns:
            Their scores.

        Raises:
            ValueError: A request has no condition, no target, or too long a target.
        """
        scores = [Score(0.0, True)] * len(requests)
        for chunk in self.chunks(requests):
            rows = [row_of(requests[r], self.max_length) for r in chunk]
            n_targets = [len(requests[r].target) for r in chunk]
            for r, score in zip(chunk, self._score_unit(rows, n_targets), strict=True):
                scores[r] = score
        return scores

    def score_plainly(self, requests: Sequence[Request]) -> list[Score]:
        """Score requests one row each by the model's own causal forward, whatever `how` says."""
        rows = [row_of(request, self.max_length) for request in requests]
        return self._plain.scores(rows, [len(request.target) for request in requests])

    def takes_tree(self, request: Request) -> bool:
        """Return whether a request is scored in a tree; any other is scored plainly already."""
        return self._within(row_of(request, self.max_length))

    def margin_nats(self, request: Request) -> float:
        """Return by how much it is decided whether a target is the most probable one throughout.

        Plainly, that is for a target which is: the least lead that one of its tokens has over all
        others; for one which is not: the most that one of its tokens lacks.
        """
        return self._plain.margin_nats(row_of(request, self.max_length), len(request.target))

    def _within(self, row: list[int]) -> bool:
        return self._tree is not None and len(row) - 1 <= self._reach

    def _score_unit(self, rows: list[list[int]], n_targets: list[int]) -> list[Score]:
        within = [self._within(row) for row in rows]
        scores = [Score(0.0, True)] * len(rows)
        near = [r for r, is_within in enumerate(within) if is_within]
        far = [r for r, is_within in enumerate(within) if not is_within]
        if far:
            found = self._plain.scores([rows[r] for r in far], [n_targets[r] for r in far])
            for r, score in zip(far, found, strict=True):
                scores[r] = score
        if near and self._tree is not None:
            trie = trie_of([rows[r] for r in near], [n_targets[r] for r in near])
            totals, greedy = sums(trie, self._tree.answers(trie))
            for r, total, is_greedy in zip(near, totals, greedy, strict=True):
                scores[r] = Score(float(total), bool(is_greedy))
        return scores


def _workers(device: torch.device) -> int:
    """Small networks gain more from two batches at once than from two threads in one product."""
    if device.type != "cpu":
        return 1
    return max(1, (os.cpu_count() or 1) // torch.get_num_threads())
