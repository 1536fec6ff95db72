"""From hidden states to log-probabilities of asked tokens, a bounded number of logits at a time.

Letters: N positions, D width, A asked tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from skald_harness.scoring.trie import Ints

#: Logits held at once, so that a large vocabulary does not decide how much memory is needed.
CHUNK_LOGITS = 1 << 21

#: For each asked token: its log-probability in nats, and whether it is the most probable one.
Answers = tuple[NDArray[np.float32], NDArray[np.bool_]]


def answers_at(
    logits_of: Callable[[int, int], torch.Tensor], n_vocabulary: int, first_N1: Ints, token_A: Ints
) -> Answers:
    """Answer every asked token; all that are asked at one position share its normalisation.

    Args:
        logits_of: Returns the logits of positions start to stop, (stop - start, V) in fp32.
        n_vocabulary: V.
        first_N1: Position n is asked tokens first_N1[n] to first_N1[n + 1].
        token_A: The asked tokens, position after position.

    Returns:
        The answers, in the order of `token_A`.
    """
    n_positions = len(first_N1) - 1
    size = max(1, CHUNK_LOGITS // n_vocabulary)
    parts = []
    for start in range(0, n_positions, size):
        stop = min(start + size, n_positions)
        row_A = np.repeat(np.arange(stop - start), np.diff(first_N1[start : stop + 1]))
        asked_A = token_A[first_N1[start] : first_N1[stop]]
        # Nothing of these logits is held when the next ones are computed.
        parts.append(_answers(logits_of(start, stop), row_A, asked_A))
    if not parts:
        return np.zeros(0, np.float32), np.zeros(0, bool)
    return np.concatenate([p for p, _ in parts]), np.concatenate([g for _, g in parts])


def _answers(logits_NV: torch.Tensor, rows: Ints, asked: Ints) -> Answers:
    row_A = torch.from_numpy(rows).to(logits_NV.device)
    asked_A = torch.from_numpy(asked).to(logits_NV.device)
    # On a CPU the fused log_softmax takes a quarter of logsumexp's time, and amax a sixth of
    # argmax's: the latter is left for where a tie would decide.
    is_best_A = logits_NV[row_A, asked_A] == logits_NV.amax(-1)[row_A]
    best = torch.nonzero(is_best_A)[:, 0]
    is_best_A[best] = logits_NV[row_A[best]].argmax(-1) == asked_A[best]
    logprob_A = torch.log_softmax(logits_NV, -1)[row_A, asked_A]
    return logprob_A.cpu().numpy(), is_best_A.cpu().numpy()
