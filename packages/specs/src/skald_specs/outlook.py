"""What a plan expects of itself, and what published laws would have said: the outlook of a plan.

Stands beside identity and execution in plan.yaml and is never fingerprinted: it changes no result.
"""

from __future__ import annotations

from typing import Literal

from skald_specs.models import Spec
from skald_specs.timefit import Estimate


class PriorShare(Spec):
    """How much of a prediction is a published law's, between 0 and 1, and which law's."""

    quantity: Literal["base_lr", "global_batch_tokens"]
    share: float
    prior: str


class Distance(Spec):
    """Octaves between what was swept and what is planned; 0 within the swept range."""

    horizon_octaves: float
    batch_octaves: float
    size_octaves: float


class PublishedSays(Spec):
    """One published law's answer beside the plan's.

    `octaves` is log2(ours / theirs). `comparable`: the two mean the same thing; otherwise `note` says what
    differs.
    """

    law: str
    source: str
    quantity: Literal["lr", "global_batch_tokens", "tau_ema", "weight_decay"]
    theirs: float
    ours: float
    octaves: float
    comparable: bool
    note: str


class SiteCost(Spec):
    """What the run costs on one machine at a stated utilisation.

    `gpu_hours` and `days` follow from FLOPs, the dense peak of the device and `mfu` (model FLOPs over peak);
    `energy_mwh` from board power. `layout` is the leanest (dp, tp, pp) that fits the device's memory.
    """

    site: str
    device: str
    nodes: int
    n_devices: int
    mfu: float
    layout: tuple[int, int, int] | None = None
    memory_gib: float | None = None
    gpu_hours: float
    days: float
    energy_mwh: float
    note: str = ""


class Cost(Spec):
    """Floating-point work of the run and of the proxy sweep for it, and the run on known machines."""

    training_flops: float
    sweep_flops: float | None = None
    sweep_share: float | None = None
    sites: tuple[SiteCost, ...] = ()


class Outlook(Spec):
    """What the plan expects.

    `regret`: expected excess of log loss over the best learning rate at the batch given (0.001: a loss 0.1 % above
    it). `final_loss`: in `loss_unit`, on the sweep's validation text. `chosen_below_median_octaves`: how far the
    learning rate was put below the middle of its distribution, because too high costs more than too
    low. `tau_ema`: batch / (lr x weight decay x horizon), the share of training that AdamW's weights remember.
    """

    distance: Distance | None = None
    regret: Estimate | None = None
    chosen_below_median_octaves: float = 0.0
    best_batch_tokens: Estimate | None = None
    final_loss: Estimate | None = None
    loss_unit: str = ""
    tau_ema: float | None = None
    priors: tuple[PriorShare, ...] = ()
    published: tuple[PublishedSays, ...] = ()
    cost: Cost | None = None
    warnings: tuple[str, ...] = ()
