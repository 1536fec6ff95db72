"""Published exponents of the best learning rate and batch, which plans lean on and reports quote."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: `confirmed`: read in the source, or recomputed from what its authors published; `assumed`: not read there.
SourceStanding = Literal["confirmed", "assumed"]


class Constant(NamedTuple):
    """A published number; `sd` is its published standard error, None where none is known."""

    value: float
    standing: SourceStanding
    sd: float | None = None


STEPLAW = "arXiv 2503.04715"
JSC = "arXiv 2510.03871"
BJORCK = "arXiv 2409.19913"

# Recomputed from the 1,000 bootstrap rows of the authors' repository.
STEPLAW_LR_SIZE = Constant(-0.7129, "confirmed", 0.0298)
STEPLAW_LR_HORIZON = Constant(0.3075, "confirmed", 0.0191)
STEPLAW_BATCH_HORIZON = Constant(0.5709, "confirmed", 0.0187)

#: Learning rate over the horizon at a fixed batch, AdamW.
BJORCK_HORIZON = Constant(-0.32, "confirmed")

# Along the best batch these give 0.62 x 0.45 - 0.56 = -0.28, which is also what its authors fit there.
JSC_LR_BATCH = Constant(0.62, "confirmed", 0.05)
JSC_LR_HORIZON = Constant(-0.56, "confirmed", 0.05)
JSC_BEST_BATCH_HORIZON = Constant(0.45, "confirmed", 0.07)
