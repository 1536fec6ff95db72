"""The part of the transfer proof that trains: Skald's own sweep on a CPU, and one transfer out of it.

The sweep is a grid over batch, learning rate and seed with a constant rate after the warmup, so that each
run yields every horizon. What it can show: how the best rate follows the batch, and that rate and
sensitivity fall with the horizon. What it cannot: at 4e5 tokens no batch of the grid is large for its
horizon for long, so the rise and the plateau of arXiv 2410.05838 stay out of sight
(recipes/gpu-time-transfer.yaml is for that).

The transfer is to a wider model at a horizon longer than any swept, once at the rate that the fit gives for
that horizon, and once at the one it gives for the longest swept horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _grammar_corpus import grammar_corpus
from scipy import stats
from skald_mup.counts import n_params_non_embedding
from skald_mup.shrink import widened
from skald_planner.predict import Asked, decide
from skald_planner.proxy import proxy_plans
from skald_planner.runs import read_runs
from skald_planner.transfer import fit_time
from skald_specs.claims import Measure
from skald_specs.corpus import CorpusManifest
from skald_specs.plan import COVERAGE, Plan
from skald_specs.recipe import Recipe
from skald_specs.timefit import Estimate, TimeFit
from skald_trainer.sweep import TABLE_FILE, run_sweep
from skald_trainer.trunk import tokens_trained

SEEDS = (1, 2, 3)
BATCHES = (256, 768, 2048)
HORIZONS = (49_152, 98_304, 196_608, 393_216)
#: log2 of the base rates at a batch of 768; at another one they follow its square root.
LOG2_LRS = (-7.9, -7.2, -6.5, -5.8, -5.1, -4.4)
#: The transfer: width, batch and horizon, two octaves past the longest swept.
TARGET_WIDTH, TARGET_BATCH, TARGET_HORIZON = 64, 768, 1_572_864
TARGET_SEEDS = (1, 2, 3)
#: Tokens of the warmup, at every horizon and batch.
WARMUP = 8192
LEAST_SAVED = 1.8


def measures(folder: Path) -> list[Measure]:
    """Train, fit, transfer, and write `sweep.csv` and `transferred.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = _recipe()
    corpus, manifest = grammar_corpus(folder, recipe)
    plans = proxy_plans(recipe, manifest)
    runs = _trained(plans, corpus, folder, "sweep")
    fit = fit_time(runs, "sweep.csv", "bits/byte")
    return [
        _saved(plans),
        _bracketed(fit),
        _exponent(
            "best rate over batch at one horizon, exponent", fit.batch_exponent,
            "0.4 .. 0.7", lambda value, interval: 0.4 <= value <= 0.7,
        ),
        _exponent(
            "best rate over horizon at one batch, exponent", fit.horizon_exponent,
            "< 0, interval too", lambda value, interval: interval[1] < 0,
        ),
        _exponent(
            "rise of log loss an octave off the best rate, over horizon, exponent",
            fit.sensitivity_exponent, "< 0, interval too",
            lambda value, interval: interval[1] < 0,
            "by horizon " + ", ".join(
                f"2^{math.log2(one.horizon_tokens):.3g}: {one.rise_at_one_octave:.4f}"
                for one in fit.sensitivities
            ),
        ),
        _transferred(fit, recipe, corpus, manifest, folder),
    ]  # fmt: skip


def _recipe(**update: Any) -> Recipe:
    """Return the sweep's recipe: the width family of the muP proof at its base."""
    given = Recipe.load(Path("recipes/mup-transfer.yaml")).model_dump(mode="json")
    sweep = {
        "base_lrs": [float(f"{2.0**x:.4g}") for x in LOG2_LRS],
        "horizons_tokens": HORIZONS,
        "seeds": SEEDS,
        "global_batches_tokens": BATCHES,
        "lr_batch_exponent": 0.5,
        "validation_tokens": given["sweep"]["validation_tokens"],
    }
    middle = BATCHES[1]
    changes = {
        "name": "time",
        "schedule": {"kind": "wsd", "warmup_tokens": WARMUP, "decay_fraction": 0.0},
        "budget": {"horizon_tokens": HORIZONS[-1], "global_batch_tokens": middle},
        "execution": given["execution"]
        | {"micro_batch_sequences": middle // given["model"]["seq_len"]},
        "sweep": sweep,
    }
    return Recipe.check(given | changes | update, "the proof's recipe")


def _trained(plans: list[Plan], corpus: Path, folder: Path, name: str) -> pd.DataFrame:
    """Run a sweep, write its table, and return it; finished runs of an earlier call are kept."""
    run_sweep(plans, corpus, folder / name, kept=folder / "runs")
    runs = read_runs(folder / name / TABLE_FILE)
    columns = ["width", "depth", "n_params_non_embedding", "horizon_tokens", "global_batch_tokens"]
    table = runs[[*columns, "lr", "schedule", "seed", "loss", "loss_se", "diverged"]]
    table.to_csv(folder / f"{name}.csv", index=False, float_format="%.7g")
    return runs


def _saved(plans: list[Plan]) -> Measure:
    apart = sum(
        plan.identity.schedule.n_steps.value * plan.identity.global_batch_tokens.value
        for plan in plans
    )
    together = tokens_trained(plans)
    return Measure(
        measure="tokens of the sweep's runs one by one, over those trained on shared trunks",
        value=round(apart / together, 3),
        unit="x",
        bound=f">= {LEAST_SAVED:g}",
        holds=apart / together >= LEAST_SAVED,
        detail=f"{len(plans)} runs, {together:,} tokens trained",
    )


def _bracketed(fit: TimeFit) -> Measure:
    inside = sum(one.log2_lr is not None for one in fit.local)
    at_edge = [
        f"2^{math.log2(one.horizon_tokens):.3g} tokens at batch {one.global_batch_tokens}: {one.bound}"
        for one in fit.local
        if one.log2_lr is None
    ]
    return Measure(
        measure="best rates that the grid brackets",
        value=inside,
        unit=f"of {len(fit.local)}",
        bound=f">= {len(fit.local) - 1}",
        holds=inside >= len(fit.local) - 1,
        detail="; ".join(at_edge),
    )


def _exponent(
    name: str, found: Estimate | None, bound: str,
    holds: Callable[[float, tuple[float, float]], bool], detail: str = "",
) -> Measure:  # fmt: skip
    if found is None:
        return Measure(
            measure=name, value=None, unit="", bound=bound, holds=False,
            detail="the fit offers none: too few optima are bracketed",
        )  # fmt: skip
    low, high = found.interval
    told = f"{COVERAGE:.0%} interval {low:+.3f} .. {high:+.3f}, {len(SEEDS)} seeds"
    return Measure(
        measure=name,
        value=round(found.value, 3),
        unit="",
        bound=bound,
        holds=holds(found.value, found.interval),
        detail=f"{told}; {detail}" if detail else told,
    )


def _transferred(
    fit: TimeFit, recipe: Recipe, corpus: Path, manifest: CorpusManifest, folder: Path
) -> Measure:
    """Train the wider model at the transferred and at the untransferred rate, paired by seed."""
    model = widened(recipe.model, TARGET_WIDTH)
    size = n_params_non_embedding(model)
    rates = {}
    for label, horizon in (("transferred", TARGET_HORIZON), ("untransferred", HORIZONS[-1])):
        decision = decide(fit, Asked("the proof", horizon, TARGET_BATCH, size))
        # Not more digits than a plan's name has: a rate has to find its runs again.
        rates[label] = float(f"{decision.base_lr.value:.4g}")
    target = _recipe(
        name="target",
        model=model.model_dump(mode="json"),
        budget={"horizon_tokens": TARGET_HORIZON, "global_batch_tokens": TARGET_BATCH},
        sweep={
            # A grid has at least three; the last one is not trained.
            "base_lrs": [*rates.values(), max(rates.values()) * 2],
            "horizons_tokens": [TARGET_HORIZON],
            "seeds": TARGET_SEEDS,
            "validation_tokens": recipe.sweep.validation_tokens if recipe.sweep else None,
        },
    )
    wanted = set(rates.values())
    plans = [
        plan
        for plan in proxy_plans(target, manifest)
        if plan.identity.optimizer.base_lr.value in wanted
    ]
    runs = _trained(plans, corpus, folder, "transferred")
    losses = {
        label: runs[runs["lr"] == lr].sort_values("seed")["loss"].to_numpy(dtype=np.float64)
        for label, lr in rates.items()
    }
    paired = np.log(losses["transferred"] / losses["untransferred"])
    mean, error = float(paired.mean()), float(paired.std(ddof=1)) / math.sqrt(len(paired))
    half = float(stats.t.ppf(0.5 + COVERAGE / 2, len(paired) - 1)) * error
    octaves = math.log2(TARGET_HORIZON / HORIZONS[-1])
    shown = ", ".join(
        f"{label} 2^{math.log2(lr):.2f}: {losses[label].mean():.4f}" for label, lr in rates.items()
    )
    return Measure(
        measure="transferred against untransferred rate, paired difference of log loss",
        value=round(100 * mean, 3),
        unit="%",
        bound="measured",
        holds=bool(np.isfinite(paired).all()) and len(paired) >= 3,
        detail=f"{COVERAGE:.0%} interval {100 * (mean - half):+.3f} .. {100 * (mean + half):+.3f}, "
        f"{len(paired)} seeds; width {TARGET_WIDTH}, {octaves:g} octaves past the sweep's horizons; "
        f"bits/byte {shown}; below 0 the transferred one is better",
    )
