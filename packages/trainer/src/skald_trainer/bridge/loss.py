"""Cross entropy of one rank that has the whole vocabulary, in the memory of the logits.

torch's own keeps log-probabilities, a gradient of them and a gradient of the logits, each as large as
the logits, which are the largest tensor of a step. Nothing reads logits once their loss is known, so
their gradient takes their place, piece by piece, while a piece is still in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from skald_mup.counts import LOSS_PIECE
from torch.nn import functional as F

from skald_trainer.loader import IGNORED


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits_MV: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
        taken_M = labels_M != IGNORED
        n_taken = taken_M.sum().clamp(min=1)
        target_M1 = labels_M.clamp(min=0)[:, None]
        weight_M1 = taken_M[:, None] * (-1.0 / n_taken)
        log_prob_M1 = torch.empty(weight_M1.shape, device=logits_MV.device)
        n_rows = max(1, LOSS_PIECE[logits_MV.device.type] // logits_MV.shape[1])
        for start in range(0, len(logits_MV), n_rows):
            rows = slice(start, start + n_rows)
            piece = logits_MV[rows]
            log_probs = torch.log_softmax(piece.float(), -1)
            torch.gather(log_probs, 1, target_M1[rows], out=log_prob_M1[rows])
            if ctx.needs_input_grad[0]:
                grad = torch.zeros_like(log_probs).scatter_(1, target_M1[rows], weight_M1[rows])
                # What torch's own backward pass calls, so no bit of the gradient differs from it.
                piece.copy_(
                    torch.ops.aten._log_softmax_backward_data(grad, log_probs, -1, torch.float32)
                )
        ctx.grad_MV = logits_MV
        # For the same reason: the sum over positions in nll_loss's order.
        nats = F.nll_loss(
            log_prob_M1, torch.where(taken_M, 0, IGNORED), ignore_index=IGNORED, reduction="sum"
        )
        return nats / n_taken

    @staticmethod
    def backward(ctx: Any, grad_loss: torch.Tensor) -> tuple[torch.Tensor, None]:
        grad_MV = ctx.grad_MV
        del ctx.grad_MV
        # One where a step is one micro-batch; asking a GPU for it would wait for the GPU.
        if grad_loss.device.type == "cuda" or grad_loss != 1:
            grad_MV.mul_(grad_loss)
        return grad_MV, None


def mean_nats(logits_MV: torch.Tensor, labels_M: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy over the positions that have a label.

    Args:
        logits_MV: Logits by position, of any floating type. Where a gradient is wanted they hold it
            afterwards: use them for nothing else, and go backward once.
        labels_M: Token ids; `IGNORED` counts for nothing.

    Returns:
        Nats a token, in fp32: to the bit what `torch.nn.functional.cross_entropy` gives, its gradient
        too, wherever the number of a step's micro-batches is a power of two.
    """
    loss: torch.Tensor = _MeanNats.apply(logits_MV, labels_M)  # type: ignore[no-untyped-call]  # torch's
    return loss
