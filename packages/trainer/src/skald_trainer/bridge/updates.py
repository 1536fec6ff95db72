"""Asks before each of nanotron's updates whether to make it.

nanotron's step runs forward, backward, reduction, clipping and update in one go. The loss is kept where
the pipeline engine hands it out, and the optimizer's `step` is where the question is put: every
gradient is reduced and its norm known, and no weight has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch


def guard_updates(trainer: Any, admits: Callable[[int, float, float], bool]) -> None:
    """Leave out the updates that are not admitted.

    Weights, moments and Adam's count of steps stay as they are then; gradients are cleared and the
    schedule goes on.

    Args:
        trainer: A nanotron trainer with its optimizer.
        admits: Called on every rank with step, loss in nats and gradient norm, alike on all of them.
    """
    engine, optimizer = trainer.config.parallelism.pp_engine, trainer.optimizer
    run_batch, update = engine.train_batch_iter, optimizer.step
    kept: list[Any] = []

    def train_batch_iter(*args: Any, **kwargs: Any) -> Any:
        outputs = run_batch(*args, **kwargs)
        kept[:] = [output["loss"] for output in outputs]
        return outputs

    def step(*args: Any, **kwargs: Any) -> Any:
        loss, grad_norm = _agreed(trainer, kept)
        if admits(trainer.iteration_step, loss, grad_norm):
            return update(*args, **kwargs)
        # torch warns of a schedule that moves before the first update.
        optimizer.get_base_optimizer()._opt_called = True
        return None

    engine.train_batch_iter, optimizer.step = train_batch_iter, step


def _agreed(trainer: Any, losses: list[Any]) -> tuple[float, float]:
    """Return the global batch's loss and the gradient norm, alike on all ranks."""
    mine = [loss for loss in losses if isinstance(loss, torch.Tensor)]
    # Already divided by the number of micro-batches.
    loss = float(torch.stack(mine).sum()) if mine else 0.0
    grad_norm, context = trainer.grad_norm, trainer.parallel_context
    if context.world_pg.size() == 1:
        return loss, grad_norm
    speaks = mine and torch.distributed.get_rank(context.tp_pg) == 0
    share = loss / context.dp_pg.size() if speaks else 0.0
    loss, n_bad = trainer.sum_over_ranks([share, float(not math.isfinite(grad_norm))])
    return loss, math.nan if n_bad else grad_norm
