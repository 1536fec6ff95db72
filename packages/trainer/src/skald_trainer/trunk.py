"""Runs that differ in their horizon alone: the part they have in common is trained once.

Until its decay begins, a run does what every longer one does. So one trainer goes along the constant
part, and at each horizon it keeps its state, trains that horizon's decay, validates, and goes back. The
batches are functions of the step, so rows and curves are those of separate runs to the last bit.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from skald_specs.corpus import CorpusManifest
from skald_specs.fingerprint import fingerprint
from skald_specs.plan import Plan, Quantity

from skald_trainer.guard import DivergedError
from skald_trainer.loader import TrainingData, ValidationSet, validation_sets
from skald_trainer.run import Validation, drive

if TYPE_CHECKING:
    from skald_trainer.bridge.trainer import SkaldTrainer

#: Called with each finished run: its plan, what validation measured (nothing after a divergence), and the
#: training loss of each step in nats.
Finished = Callable[[Plan, Validation, tuple[float, ...]], None]


def trunk_groups(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Sort plans into groups that share a trunk.

    Args:
        plans: One-process plans.

    Returns:
        Each plan once; within a group by the step at which the decay begins, then by the last step.
    """
    ordered = sorted(plans, key=lambda plan: (_trunk_key(plan), *_branch(plan), plan.name))
    return [list(group) for _, group in groupby(ordered, key=_trunk_key)]


def trunk_steps(group: Sequence[Plan]) -> int:
    """Return how many steps a group of `trunk_groups` trains in all.

    Args:
        group: Plans that share a trunk.
    """
    branches = [_branch(plan) for plan in group]
    return max(start for start, _ in branches) + sum(last - start for start, last in branches)


def tokens_trained(plans: Sequence[Plan]) -> int:
    """Return how many tokens a sweep trains on, each trunk once.

    Args:
        plans: All of its plans.
    """
    return sum(
        trunk_steps(group) * group[0].identity.global_batch_tokens.value
        for group in trunk_groups(plans)
    )


def _trunk_key(plan: Plan) -> str:
    """Return what must be equal in two plans of one trunk: all but the horizon and what follows."""
    identity, none = plan.identity, Quantity[int](value=0, standing="derived")
    schedule = identity.schedule.model_copy(update={"n_steps": none, "decay_steps": none})
    rest = identity.model_copy(update={"horizon_tokens": none, "schedule": schedule})
    # How often a run saves or validates is a matter of its length; a sweep's runs do neither.
    execution = plan.execution.model_dump(
        exclude={"checkpoint_every_steps", "validate_every_steps"}
    )
    return fingerprint([plan.model_copy(update={"identity": rest}).fingerprint, execution])


def _branch(plan: Plan) -> tuple[int, int]:
    """Return the last step before a plan's decay, and its last step."""
    schedule = plan.identity.schedule
    return schedule.n_steps.value - schedule.decay_steps.value, schedule.n_steps.value


def train_trunk(group: Sequence[Plan], corpus: Path, finished: Finished) -> None:
    """Train plans that share a trunk in this process, in the order of their decays.

    Args:
        group: One group of `trunk_groups`.
        corpus: Folder of the built corpus.
        finished: Called with each run as soon as it is done, a diverged one included.
    """
    longest = max(group, key=lambda plan: plan.identity.schedule.n_steps.value)
    manifest = CorpusManifest.load(corpus / "corpus.json")
    line = _Line(group, finished, validation_sets(longest, corpus, manifest))
    with tempfile.TemporaryDirectory() as folder:
        drive(
            0, 1, Path(folder) / "rendezvous", longest, TrainingData(longest, corpus, manifest),
            line.on_step, take_steps=line.take_steps,
        )  # fmt: skip


class _Line:
    """Goes along a trunk and out on its branches."""

    def __init__(
        self, group: Sequence[Plan], finished: Finished, held_out: list[ValidationSet]
    ) -> None:
        self._group, self._finished, self._held_out = group, finished, held_out
        self._losses: list[float] = []

    def on_step(self, trainer: SkaldTrainer, step: int, loss: float | None, seconds: float) -> None:
        """Keep a step's loss; see `bridge.trainer.StepHook`."""
        if loss is None or not math.isfinite(loss):
            raise DivergedError(self._group[0].name)
        self._losses.append(loss)

    def take_steps(self, trainer: SkaldTrainer) -> None:
        """Train every run of the group."""
        from skald_trainer.bridge import snapshot

        at = 0
        for number, plan in enumerate(self._group, start=1):
            start, last = _branch(plan)
            if not self._reached(trainer, at, start, plan):
                # Each of these would have diverged at this very step by itself.
                for left in self._group[number - 1 :]:
                    self._finished(left, {}, tuple(self._losses))
                return
            at = start
            kept = snapshot.taken(trainer) if start < last and number < len(self._group) else None
            whole = self._reached(trainer, start, last, plan)
            self._finished(
                plan, trainer.validate(self._held_out) if whole else {}, tuple(self._losses)
            )
            if kept is not None:
                snapshot.put_back(trainer, kept)
                del self._losses[start:]

    def _reached(self, trainer: SkaldTrainer, first: int, last: int, plan: Plan) -> bool:
        """Train up to a step by a plan's schedule; return whether every loss was a number."""
        if first < last:
            try:
                trainer.run_part(first, last, plan.identity.schedule)
            except DivergedError:
                return False
        return True
