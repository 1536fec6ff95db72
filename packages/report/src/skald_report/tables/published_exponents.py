"""What each fitted exponent is of, and what published work found for it: text beside the fitted numbers."""

from __future__ import annotations

from skald_specs.exponents import (
    BJORCK_HORIZON,
    JSC_BEST_BATCH_HORIZON,
    JSC_LR_BATCH,
    JSC_LR_HORIZON,
    STEPLAW_BATCH_HORIZON,
    STEPLAW_LR_HORIZON,
    STEPLAW_LR_SIZE,
    Constant,
)


def _quoted(one: Constant) -> str:
    error = "" if one.sd is None else f" ± {one.sd:.2f}"
    return f"{one.value:.2f}{error}".replace("-", "−")


#: What each exponent is of, and what published work found for it. Standing: quoted, as cited.
EXPONENTS = {
    "horizon": (
        "best learning rate over the horizon, at one batch",
        f"{_quoted(JSC_LR_HORIZON)} (arXiv 2510.03871), {_quoted(BJORCK_HORIZON)} (2409.19913); "
        "at the best batch of each horizon "
        f"−0.28 ± 0.07 (2510.03871) or +{_quoted(STEPLAW_LR_HORIZON)} (2503.04715)",
    ),
    "batch": (
        "best learning rate over the batch",
        f"{_quoted(JSC_LR_BATCH)} (2510.03871); 0.5 far below the critical batch, where Adam's rate grows as the "
        "square root (2405.14578)",
    ),
    "best_batch": (
        "best batch over the horizon",
        f"{_quoted(JSC_BEST_BATCH_HORIZON)} (2510.03871), {_quoted(STEPLAW_BATCH_HORIZON)} (2503.04715)",
    ),
    "critical": (
        "critical batch over the horizon, by the knee of the learning rate",
        "1, in proportion (2410.05838)",
    ),
    "overhead": (
        "critical batch over the horizon, by 20 % overhead",
        "0.46 (from the step counts of 2410.21676)",
    ),
    "sensitivity": (
        "rise of loss at one octave over the horizon",
        "negative: the optimum flattens as training gets longer (2410.05838)",
    ),
    "size": (
        "best learning rate over non-embedding parameters",
        f"0 where muP holds (2203.03466); {_quoted(STEPLAW_LR_SIZE)} without it (2503.04715)",
    ),
}
