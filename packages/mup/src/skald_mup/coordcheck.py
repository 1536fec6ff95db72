"""The coordinate check of a recipe: shrink it, train it for a few steps at every shape, judge.

Source: the practice is microsoft/mup's; bounds, negative control and mutants are described and
measured in docs/mup.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from skald_process.progress import tracked
from skald_specs.parametrisation import Parametrisation
from skald_specs.shape import ModelShape

from skald_mup.coordinates import Coordinate, Study, coordinates
from skald_mup.rules import multipliers, tensor_rules
from skald_mup.shrink import Family, depth_family, width_family
from skald_mup.slopes import Axis, Slope, Traits, slopes
from skald_mup.tables import RuleTable

WIDTHS = (32, 64, 128, 256)
#: One seed scatters by up to 0.2 in the slope of attention logits (measured over eight).
SEEDS = (1, 2, 3, 4, 5)
#: Learning rate of hidden matrices x width that the best learning rate of a narrow model has
#: (2^-6 at width 32; measured, docs/mup.md). Above the optimum even correct rules bend within a few
#: steps, so the check stays at or below it.
HIDDEN_LR_TIMES_WIDTH = 0.5
#: Root mean square of the narrowest shape's logits before the first step, at most.
INITIAL_LOGIT = 0.5


@dataclass(frozen=True)
class Check:
    """A finished coordinate check.

    Attributes:
        axis: What varied.
        rows: All coordinates.
        slopes: Their slopes, each with its bounds.
        notes: How the study differs from the recipe.
    """

    axis: Axis
    rows: tuple[Coordinate, ...]
    slopes: tuple[Slope, ...]
    notes: tuple[str, ...]

    @property
    def judged_rows(self) -> tuple[Coordinate, ...]:
        """The coordinates of activations that have a slope here."""
        judged = {slope.quantity for slope in self.slopes}
        return tuple(row for row in self.rows if row.quantity in judged)

    @property
    def holds(self) -> bool:
        """Whether every slope lies within its bounds."""
        return all(slope.holds for slope in self.slopes)


def check_widths(
    shape: ModelShape,
    given: Parametrisation,
    base_lr: float | None = None,
    widths: Sequence[int] = WIDTHS,
    seeds: Sequence[int] = SEEDS,
    scale_heads: bool = False,
    table: RuleTable | None = None,
    loss_mult: float = 1.0,
) -> Check:
    """Check that no activation depends on the width.

    Args:
        shape: The recipe's shape.
        given: Its parametrisation.
        base_lr: Learning rate at the base shape, where known; it is lowered to what the narrowest
            shape bears.
        widths: Residual widths, at least three.
        seeds: Seeds of weights and batch.
        scale_heads: Grow `d_head` with the width instead of the number of heads.
        table: A rule table in the place of the parametrisation's own.
        loss_mult: Factor of the loss, which sets the scale at which gradients meet eps.

    Returns:
        The check.

    Raises:
        UserInputError: The widths cannot be built.
    """
    family = width_family(shape, given, widths, scale_heads)
    traits = Traits(scaled_heads=scale_heads, tied=shape.tie_embeddings)
    return _checked("width", family, base_lr, seeds, table, traits, loss_mult)


def check_depths(
    shape: ModelShape,
    given: Parametrisation,
    base_lr: float | None = None,
    depths: Sequence[int] = (2, 4, 8, 16),
    seeds: Sequence[int] = SEEDS,
) -> Check:
    """Check that no activation depends on the depth, at the least of the widths.

    Args:
        shape: The recipe's shape.
        given: Its parametrisation.
        base_lr: As in `check_widths`.
        depths: Numbers of layers, at least three.
        seeds: Seeds of weights and batch.

    Returns:
        The check.

    Raises:
        UserInputError: The depths cannot be built.
    """
    family = depth_family(shape, given, depths, WIDTHS[0])
    return _checked("depth", family, base_lr, seeds, None, Traits(tied=shape.tie_embeddings))


def bearable_lr(
    shape: ModelShape, given: Parametrisation, base_lr: float | None, table: RuleTable | None = None
) -> float:
    """Return a base learning rate that the narrowest (or shallowest) shape of a study bears.

    Args:
        shape: That shape.
        given: The parametrisation of the study.
        base_lr: The recipe's own, where known.
        table: A rule table in the place of the parametrisation's own.

    Returns:
        The recipe's learning rate, or the one at which the learning rate of that shape's hidden
        matrices, times its width, is `HIDDEN_LR_TIMES_WIDTH`, whichever is lower.

    Standing: assumed; measured at width 32 only.
    """
    hidden_lr_at_one = tensor_rules(shape, given, 1.0, table)["q_proj"].lr
    best = HIDDEN_LR_TIMES_WIDTH / shape.d_model
    return min(base_lr or math.inf, best / hidden_lr_at_one)


def quiet_readout(given: Parametrisation, family: Sequence[ModelShape]) -> Parametrisation:
    """Lower `output_std` until the narrowest shape's initial logits are no louder than 0.5.

    Where the rules divide the logits by the width, initial ones are a random sum that decays with
    it. Where the base is also much wider than the study, they are so loud in its narrowest models
    that a few steps show nothing but their decay.

    Args:
        given: The parametrisation of the study.
        family: Its shapes, narrowest first.

    Returns:
        The parametrisation with the same or a lower `output_std`.

    Source: arXiv 2203.03466, appendix D.2 recommends a zero readout for this reason.
    Standing: assumed; measured for the bounds of `slopes.py`.
    """
    if family[0].tie_embeddings:
        return given

    def loudness(shape: ModelShape) -> float:
        std = tensor_rules(shape, given, 1.0)["lm_head"].init_std
        return std * multipliers(shape, given).output_mult * math.sqrt(shape.d_model)

    narrow, wide = loudness(family[0]), loudness(family[-1])
    if narrow <= max(INITIAL_LOGIT, 1.01 * wide):
        return given
    return given.model_copy(update={"output_std": given.output_std * INITIAL_LOGIT / narrow})


def _checked(
    axis: Axis, family: Family, base_lr: float | None, seeds: Sequence[int],
    table: RuleTable | None, traits: Traits, loss_mult: float = 1.0,
) -> Check:  # fmt: skip
    given = quiet_readout(family.parametrisation, family.shapes)
    lr = bearable_lr(family.shapes[0], given, base_lr, table)
    study = Study(given, lr, table=table, loss_mult=loss_mult)
    notes = [*family.notes]
    if given.output_std != family.parametrisation.output_std:
        notes.append(
            f"output_std {family.parametrisation.output_std:.4g} -> {given.output_std:.4g}"
        )
    if lr != base_lr:
        was = "from the sweep" if base_lr is None else f"{base_lr:.4g}"
        notes.append(f"base_lr {was} -> {lr:.4g}")
    with _one_thread():
        rows = [
            row
            for seed in tracked(seeds, f"{axis}s, seed")
            for shape in family.shapes
            for row in coordinates(shape, study, seed)
        ]
    return Check(axis, tuple(rows), tuple(slopes(rows, axis, traits)), tuple(notes))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: models this small only lose by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
