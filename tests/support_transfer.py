"""What tests of fits and of decisions share: a table of a grid, its fit, and a question."""

import numpy as np
from skald_planner.deciding.reach import Asked
from skald_planner.fitting.transfer import fit_time
from skald_specs.timefit import TimeFit
from support_planner import run_table

HORIZONS = (131_072, 262_144, 524_288)
BATCHES = (512, 1024, 2048)
RATES = tuple(0.002 * 2 ** (i / 2) for i in range(7))
SIZE = 90_192


def table(seed=0, **settings):
    planted = {"horizons": HORIZONS, "batches": BATCHES, "lrs": RATES, "noise": 0.001, **settings}
    return run_table(np.random.default_rng(seed), **planted)


def fitted(rows, **settings) -> TimeFit:
    return fit_time(rows, "a test", "bits/byte", n_draws=200, **settings)


def asked(horizon=524_288, batch=1024, **settings) -> Asked:
    return Asked("a test", int(horizon), batch, SIZE, **settings)
