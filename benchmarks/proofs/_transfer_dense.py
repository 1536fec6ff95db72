"""The tables that the bake-off is fought on: runs of StepLaw's design drawn here, and its published ones.

Knows a design and a surface that no fitted family contains; refuses to know how a table is fitted. The
published table carries no licence, so it is read from `SKALD_STEPLAW_CSV` and is not in the project.
"""

from __future__ import annotations

import os
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skald_planner.fitting.runs import read_runs
from skald_specs.columns import ColumnMap

Floats = NDArray[np.float64]
VARIABLE = "SKALD_STEPLAW_CSV"
COLUMNS = Path("recipes/columns/steplaw.yaml")
#: Non-embedding parameters in millions and horizons in billions of tokens (arXiv 2503.04715).
CELLS = (
    (215, 4.0), (215, 11.4), (215, 20.0), (215, 100.0), (268, 5.0), (268, 14.2), (268, 25.0),
    (268, 80.0), (429, 8.0), (429, 22.7), (429, 40.0), (429, 50.0), (537, 10.0), (537, 28.4),
    (537, 50.0), (1074, 20.0), (1074, 56.9),
)  # fmt: skip
#: Half octaves of learning rate, and sequences of 2,048 tokens: about 120 runs a cell.
LOG2_LRS = tuple(-12.0 + 0.5 * i for i in range(12))
SEQUENCES = (32, 64, 128, 192, 256, 352, 512, 736, 1024, 2048)
SEQ_LEN = 2048
#: Neighbouring runs of the published table scatter about a smooth surface by 0.1 % of the loss.
NOISE_SD = 0.001


class Dense(NamedTuple):
    """Runs, and where they are from."""

    table: pd.DataFrame
    source: str
    published: bool


def own_table() -> Dense:
    """Return the table that is drawn here, the same on every machine."""
    return Dense(drawn_table(np.random.default_rng(2503)), "a table of StepLaw's design", False)


def published_table() -> Dense | None:
    """Return StepLaw's published runs where their path is given, with the checksum of the file."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    table = read_runs(Path(path), ColumnMap.load(COLUMNS))
    checksum = sha256(Path(path).read_bytes()).hexdigest()
    return Dense(table, f"{len(table)} published runs, sha256 {checksum[:16]}", True)


def drawn_table(rng: np.random.Generator) -> pd.DataFrame:
    """Draw a table of StepLaw's design.

    Args:
        rng: Draws the noise.

    Returns:
        A run table; runs far above the best rate diverged.
    """
    rows = []
    for (millions, billions), log2_lr, sequences in product(CELLS, LOG2_LRS, SEQUENCES):
        size, horizon, batch = millions * 10**6, round(billions * 1e9), sequences * SEQ_LEN
        off, excess = surface(log2_lr, np.log2(batch), np.log2(size), np.log2(horizon))
        level = np.log(1.7 + 480 * size**-0.34 + 1200 * horizon**-0.33)
        diverged = bool(off > 3.5)
        loss = np.nan if diverged else float(np.exp(level + excess + NOISE_SD * rng.normal()))
        rows.append(
            (0, 0, 0, size, horizon, batch, 2.0**log2_lr, "cosine", 0, loss, None, diverged)
        )
    names = [
        "width", "depth", "n_params_total", "n_params_non_embedding", "horizon_tokens",
        "global_batch_tokens", "lr", "schedule", "seed", "loss", "loss_se", "diverged",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names).assign(fingerprint="", family="{}")


def surface(x: float, y: float, n: float, t: float) -> tuple[float, float]:
    """Return octaves above the best rate, and log loss above the lowest of that size and horizon.

    Outside every family that the planner fits: the ridge bends in the batch and in the horizon, the best batch
    grows ever more slowly, too high a rate costs ever more than too low a one, and the rise falls with the
    horizon. Its size and its slopes are near the published table's.

    Args:
        x: log2 of the learning rate.
        y: log2 of the batch in tokens.
        n: log2 of the non-embedding parameters.
        t: log2 of the horizon in tokens.
    """
    later, larger = t - 34, n - 28.5
    best_y = 18.6 + 0.55 * later - 0.04 * later**2
    away = y - best_y
    ridge = -9.2 + 0.28 * later - 0.03 * later**2 - 0.6 * larger + 0.35 * away - 0.05 * away**2
    off = x - ridge
    rise = 0.0042 * 2 ** (-0.3 * later)
    skew = 0.35
    by_rate = rise * 2 * (np.exp(skew * off) - 1 - skew * off) / skew**2
    by_batch = 0.003 * away**2 + 0.0006 * np.maximum(away, 0) ** 3
    return off, float(by_rate + by_batch)
