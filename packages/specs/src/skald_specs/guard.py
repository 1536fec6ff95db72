"""What a bad step is, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skald_specs.models import Spec
from skald_specs.shape import Positive, PositiveFloat


class GuardRecipe(Spec):
    """What a bad step is, and what to do about it.

    A step is bad when its loss or gradient norm is not finite, or when its loss lies more than
    `spike_nats` above the median of the last `window_steps` good steps (None: no such bound). `stop`
    ends the run before the step changes a weight; `skip` leaves the update out, logs it and goes on,
    up to `max_skipped_steps` times in a run.
    """

    on_bad_step: Literal["stop", "skip"] = "stop"
    spike_nats: PositiveFloat | None = None
    window_steps: Annotated[int, Field(ge=2)] = 32
    max_skipped_steps: Positive = 8
