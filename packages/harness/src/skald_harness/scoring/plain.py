"""Log-probabilities of token sequences under a causal language model.

The one place where a network runs: requests of (condition, target) tokens in, sums of
log-probabilities out. Knows tensors, refuses to know text, tasks and records.

Letters: B requests of a batch, T tokens, D d_model, N target tokens of a batch, V vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

#: Padded tokens of a batch. Standing: measured (d_model 192 on one core: 256 to 2,048 within 10 %,
#: 8,192 a third slower).
BATCH_TOKENS = 1024
#: Logits held at once, so that a large vocabulary does not decide how much memory is needed.
CHUNK_LOGITS = 1 << 24

Request = tuple[Sequence[int], Sequence[int]]


class CausalScorer:
    """Scores requests with a causal language model of transformers.

    Args:
        model: The network; called as `model.model(input_ids)` and `model.lm_head(hidden)`.
        max_length: Tokens the model can see at once.
    """

    def __init__(self, model: torch.nn.Module, max_length: int) -> None:
        self._body: torch.nn.Module = model.get_submodule("model")
        self._head: torch.nn.Module = model.get_submodule("lm_head")
        self.max_length = max_length
        self._device = next(model.parameters()).device
        # Small networks gain more from two batches at once than from two threads in one product;
        # a batch's bits depend on neither.
        cores = os.cpu_count() or 1
        self._workers = (
            max(1, cores // torch.get_num_threads()) if self._device.type == "cpu" else 1
        )

    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """Score every request.

        A condition that is too long loses its beginning. Batches depend only on the requests, so
        the same requests give the same bits.

        Args:
            requests: Pairs of (condition, target) tokens; a target has at most `max_length`.

        Returns:
            For each request the sum of the target's log-probabilities in nats, and whether every
            target token was the most probable one.
        """
        rows = [
            (list(condition) + list(target))[-(self.max_length + 1) :]
            for condition, target in requests
        ]
        order = sorted(range(len(rows)), key=lambda i: (-len(rows[i]), rows[i]))
        results: list[tuple[float, bool]] = [(0.0, True)] * len(rows)
        batches = list(_batches(order, [len(row) - 1 for row in rows]))

        def run(batch: list[int]) -> list[tuple[float, bool]]:
            return self._batch([rows[i] for i in batch], [len(requests[i][1]) for i in batch])

        with ThreadPoolExecutor(self._workers) as pool:
            for batch, answers in zip(batches, pool.map(run, batches), strict=True):
                for i, answer in zip(batch, answers, strict=True):
                    results[i] = answer
        return results

    @torch.inference_mode()
    def _batch(self, rows: list[list[int]], lengths: list[int]) -> list[tuple[float, bool]]:
        width = max(len(row) - 1 for row in rows)
        # Padding stands on the right, where a causal model cannot see it: no mask is needed.
        x_BT = self._tensor([row[:-1] + [0] * (width - len(row) + 1) for row in rows])
        hidden_BTD = self._body(input_ids=x_BT, use_cache=False).last_hidden_state
        # The output layer runs at target positions only.
        picked = [
            b * width + t
            for b, (row, length) in enumerate(zip(rows, lengths, strict=True))
            for t in range(len(row) - 1 - length, len(row) - 1)
        ]
        hidden_ND = hidden_BTD.flatten(0, 1)[self._tensor(picked)]
        target_N = self._tensor(
            [t for row, length in zip(rows, lengths, strict=True) for t in row[-length:]]
        )
        logprobs, greedy = [], []
        for start in range(0, len(target_N), chunk := self._chunk()):
            logits_NV = self._head(hidden_ND[start : start + chunk]).float()
            targets = target_N[start : start + chunk]
            logprobs.append(
                torch.log_softmax(logits_NV, dim=-1).gather(-1, targets[:, None]).squeeze(-1)
            )
            greedy.append(logits_NV.argmax(-1) == targets)
        return [
            (float(part.sum()), bool(hits.all()))
            for part, hits in zip(
                torch.split(torch.cat(logprobs), lengths),
                torch.split(torch.cat(greedy), lengths),
                strict=True,
            )
        ]

    def _tensor(self, values: Sequence[int] | list[list[int]]) -> torch.Tensor:
        return torch.tensor(values, device=self._device)

    def _chunk(self) -> int:
        (vocabulary, _) = next(self._head.parameters()).shape
        return max(1, CHUNK_LOGITS // int(vocabulary))


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Cut requests, longest first, into batches of at most `BATCH_TOKENS` padded tokens."""
    start = 0
    while start < len(order):
        size = max(1, BATCH_TOKENS // lengths[order[start]])
        yield list(order[start : start + size])
        start += size
