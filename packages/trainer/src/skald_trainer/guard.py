"""What to do about a bad step: judged before it changes a weight, told in one line.

Knows no torch and no processes: the bridge asks it before each update, with a loss and a gradient norm that
are the same on every rank, so all ranks decide alike.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from skald_specs.errors import ClaimError
from skald_specs.guard import GuardRecipe

_SHOWN_WINDOWS = 4

#: Which windows of each language a global batch reads.
Windows = dict[str, list[int]]


class DivergedError(ClaimError):
    """A step is bad and the run ends before it."""


@dataclass(frozen=True)
class BadStep:
    """A step whose update must not be made.

    Args:
        step: 1-based training step.
        reason: What is wrong with it.
        loss_nats: Its loss, perhaps no number.
        grad_norm: Its gradient norm before clipping, perhaps no number.
    """

    step: int
    reason: str
    loss_nats: float
    grad_norm: float


class Guard:
    """Decides whether a step's update is made, and remembers what it needs for that.

    Args:
        recipe: What a bad step is, and what to do about it.
    """

    def __init__(self, recipe: GuardRecipe) -> None:
        self._recipe = recipe
        self.restore(0, ())
        self.bad: BadStep | None = None

    def restore(self, n_skipped: int, recent_losses_nats: Iterable[float]) -> None:
        """Go on from what `memory` gave, so that a resumed run decides as an undisturbed one.

        Args:
            n_skipped: Steps left out so far.
            recent_losses_nats: Losses of the last good steps, the oldest first; what the window
                does not hold is dropped.
        """
        self.n_skipped = n_skipped
        self._recent: deque[float] = deque(recent_losses_nats, maxlen=self._recipe.window_steps)

    def memory(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of it: fields of `CheckpointState`."""
        return {"n_skipped": self.n_skipped, "recent_losses_nats": tuple(self._recent)}

    def admits(self, step: int, loss_nats: float, grad_norm: float) -> bool:
        """Judge a step before its update.

        Args:
            step: 1-based training step.
            loss_nats: Mean loss over the global batch, the same on every rank.
            grad_norm: Global gradient norm before clipping; not finite on all ranks or on none.

        Returns:
            Whether to make the update. `bad` is None then, and says what is wrong otherwise.

        Raises:
            DivergedError: The step is bad, and the recipe stops there or has skipped its fill.
        """
        reason = self._reason(loss_nats, grad_norm)
        self.bad = BadStep(step, reason, loss_nats, grad_norm) if reason else None
        if self.bad is None:
            if self._recipe.spike_nats is not None:
                self._recent.append(loss_nats)
            return True
        if self._recipe.on_bad_step == "stop":
            raise DivergedError(f"step {step} is bad: {reason}")
        if self.n_skipped >= self._recipe.max_skipped_steps:
            raise DivergedError(
                f"step {step} is bad: {reason}, and guard.max_skipped_steps = {self._recipe.max_skipped_steps} steps "
                "are left out already"
            )
        self.n_skipped += 1
        return False

    def _reason(self, loss_nats: float, grad_norm: float) -> str:
        if not math.isfinite(loss_nats):
            return f"its loss is {loss_nats}"
        if not math.isfinite(grad_norm):
            return f"its gradient norm is not finite (loss {loss_nats:.4f} nats)"
        bound = self._recipe.spike_nats
        # Before the window is full, what there is of it counts: early spikes do harm, too.
        if bound is None or not self._recent:
            return ""
        middle = median(self._recent)
        if loss_nats - middle <= bound:
            return ""
        return (
            f"its loss {loss_nats:.4f} nats is {loss_nats - middle:.4f} above the median "
            f"{middle:.4f} of the last {len(self._recent)} good steps (guard.spike_nats = {bound:g})"
        )


def skipped_row(bad: BadStep, windows: Windows) -> dict[str, Any]:
    """Return the row of the log for a step whose update was left out.

    It has no `loss_nats`: whoever reads the curve of learning need not know of it.

    Args:
        bad: The step.
        windows: What its batch read, by language.
    """
    return {"skipped": True, **facts(bad, windows)}


def facts(bad: BadStep, windows: Windows) -> dict[str, Any]:
    """Return what is known of a bad step, as JSON can hold it.

    Args:
        bad: The step.
        windows: What its batch read, by language.
    """

    def number(value: float) -> float | str:
        # JSON has no NaN.
        return value if math.isfinite(value) else str(value)

    return {
        "step": bad.step,
        "reason": bad.reason,
        "bad_loss_nats": number(bad.loss_nats),
        "bad_grad_norm": number(bad.grad_norm),
        "windows": windows,
    }


def explained(
    error: DivergedError,
    bad: BadStep,
    windows: Windows,
    report: Path,
    last_good: Path | None,
    command: str,
) -> DivergedError:
    """Say in one line what was bad, what it read, and how to go on.

    Args:
        error: What `Guard.admits` raised.
        bad: The step.
        windows: What its global batch read.
        report: Where the whole list lies.
        last_good: The newest checkpoint, or None before the first.
        command: The words that continue from it.

    Returns:
        The error for the user.
    """
    shown = "; ".join(
        f"{language} {', '.join(map(str, these[:_SHOWN_WINDOWS]))}"
        + (f" and {len(these) - _SHOWN_WINDOWS} more" if len(these) > _SHOWN_WINDOWS else "")
        for language, these in windows.items()
    )
    going_on = (
        f"the last good checkpoint is {last_good}, and `{command}` continues from it"
        if last_good is not None
        else "there is no checkpoint yet"
    )
    return DivergedError(
        f"{error}. No weight was changed by it. It read the windows {shown} (all in {report}); "
        f"{going_on}. A fault of the machine does not come again; where it does, lower base_lr, raise "
        "eps or set guard.on_bad_step: skip in the recipe (another plan, trained from its start)"
    )
