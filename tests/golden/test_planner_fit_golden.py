"""Three whole fits as committed files: a grid, a scattered design, and a ridge that bends.

The tables are drawn from planted laws; that the fits find them is said elsewhere, with tolerances that
noise asks for. Here nothing may move: a change is a change of what plans say of the same runs. Regenerate
with `python tests/golden/test_planner_fit_golden.py` and read the difference.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skald_planner.fitting.transfer import fit_time
from skald_specs.files import read_json, write_json
from skald_specs.ridge import ridge
from support_planner import run_table

FOLDER = Path(__file__).with_name("fits")
HORIZONS = (131_072, 262_144, 524_288)
N_DRAWS = 24


def grid():
    """Two sizes, two seeds, a bend over horizons, and losses that diverge at one's largest rates."""
    rows = run_table(
        np.random.default_rng(0), horizons=(65_536, *HORIZONS), batches=(512, 1024, 2048),
        lrs=tuple(0.002 * 2 ** (i / 2) for i in range(7)), noise=0.002, seeds=(1, 2),
        sizes=(90_192, 360_768), drift=-0.2,
    )  # fmt: skip
    # The last octave moves more than those before foretell.
    rows["lr"] *= np.where(rows["horizon_tokens"] == HORIZONS[2], 2.0**1.5, 1.0)
    lost = (rows["horizon_tokens"] == HORIZONS[2]) & (rows["lr"] > 0.9 * rows["lr"].max())
    # Of no family whose rules are known, so that the optimum may move with size.
    return rows.assign(diverged=lost, loss=rows["loss"].where(~lost), family="")


def scattered():
    """Rates and batches drawn at random, as in many published tables."""
    rng = np.random.default_rng(1)
    parts = []
    for horizon in HORIZONS:
        for i in range(24):
            # A few share a batch, by which held-out horizons can be judged.
            batch = 1024 if i < 5 else round(1024 * 2 ** rng.uniform(-2, 2))
            lr = 2 ** rng.uniform(-9.5, -6.5)
            one = run_table(
                rng, horizons=(horizon,), batches=(batch,), noise=0.002,
                lrs=(lr / (batch / 1024) ** 0.5,),
            )  # fmt: skip
            parts.append(one)
    rows = pd.concat(parts, ignore_index=True)
    # A level of its own for each run is the design's noise, not its cells'.
    return rows.assign(seed=1, fingerprint=[str(i) for i in range(len(rows))])


def bent():
    """A ridge with a knee at six batches."""
    rows = run_table(
        np.random.default_rng(2), horizons=HORIZONS, batches=tuple(256 * 2**i for i in range(6)),
        lrs=tuple(0.002 * 2 ** (i / 2) for i in range(5)),
    )  # fmt: skip
    knee = 10 + 0.7 * (np.log2(rows["horizon_tokens"]) - 18)
    y, x = np.log2(rows["global_batch_tokens"]), np.log2(rows["lr"])
    best = -7.5 + ridge("surge", {"knee": 0.0}, y - knee, 0, 0)
    x = best + x - (x.groupby([rows["horizon_tokens"], y]).transform("mean"))
    noise = np.random.default_rng(3).normal(0, 0.001, len(rows))
    gained = 0.08 * np.log2(rows["horizon_tokens"] / HORIZONS[0])
    log_loss = 0.9 - gained + 0.03 * (x - best) ** 2 + 0.004 * (y - 9.5) ** 2 + noise
    return rows.assign(lr=2.0**x, loss=np.exp(log_loss))


TABLES = {"grid": grid, "scattered": scattered, "bent": bent}


def summary(name):
    """Return what a fit says; draws as their quartiles, the runs as how many are in it."""
    fit = fit_time(TABLES[name](), "a test", "bits/byte", n_draws=N_DRAWS).model_dump(mode="json")
    fit["in_fit"] = [run["in_fit"] for run in fit.pop("runs")]
    for family in fit["families"]:
        family["draws"] = np.quantile(family["draws"], [0.25, 0.5, 0.75], axis=0).tolist()
    for law in filter(None, [fit["loss_law"]]):
        law.pop("draws", None)
    return fit


def flat(node, path=""):
    if isinstance(node, dict):
        return {k: v for key, item in node.items() for k, v in flat(item, f"{path}/{key}").items()}
    if isinstance(node, list):
        return {k: v for i, item in enumerate(node) for k, v in flat(item, f"{path}/{i}").items()}
    return {path: node}


@pytest.mark.parametrize("name", TABLES)
def test_a_fit_is_the_committed_one(name):
    expected, got = flat(read_json(FOLDER / f"{name}.json")), flat(summary(name))
    assert got.keys() == expected.keys()
    odd = {}
    for key, value in expected.items():
        same = value == got[key]
        if isinstance(value, float) and isinstance(got[key], (int, float)):
            # Optimisers of another libm end a hair elsewhere.
            same = math.isclose(value, got[key], rel_tol=1e-3, abs_tol=1e-6)
        if not same:
            odd[key] = (value, got[key])
    assert not odd


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for table in TABLES:
        write_json(FOLDER / f"{table}.json", summary(table))
