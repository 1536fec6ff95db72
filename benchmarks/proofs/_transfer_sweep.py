"""The part of the transfer proof that trains: Skald's own sweep on a CPU, and one transfer out of it.

The sweep is a grid over batch, learning rate and seed with a rate that is constant after the warmup, so that
each run yields every horizon. What it can show: how the best rate follows the batch, and that it falls with
the horizon. What it cannot: no batch of the grid is large for its horizon for long, so the rise and the plateau
of arXiv 2410.05838 stay out of sight (recipes/gpu-time-transfer.yaml is for that), and sensitivity hardly moves.

The transfer is to a model twice as wide at a horizon longer than any swept: once at the rate that the fit
gives for that horizon, and once at the one it gives for the longest swept horizon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _stdlib_corpus import stdlib_corpus
from scipy import stats
from skald_mup.counts import n_params_non_embedding
from skald_mup.shrink import widened
from skald_planner.deciding.predict import decide
from skald_planner.deciding.reach import Asked
from skald_planner.fitting.runs import read_runs
from skald_planner.fitting.transfer import fit_time
from skald_planner.plans.proxy import proxy_plans
from skald_report.sections.fit_figures import fit_drawings
from skald_specs.claims import Measure
from skald_specs.corpus import CorpusManifest
from skald_specs.files import write_text
from skald_specs.plan import COVERAGE, Plan
from skald_specs.recipe import Recipe
from skald_specs.timefit import Estimate, TimeFit
from skald_trainer.sweep import TABLE_FILE, run_sweep
from skald_trainer.trunk import tokens_trained

SEEDS = (1, 2, 3)
BATCHES = (256, 768, 2048)
HORIZONS = (49_152, 98_304, 196_608, 393_216)
#: log2 of the base rates at the middle batch; at another one they follow its square root.
LOG2_LRS = (-7.9, -7.2, -6.5, -5.8, -5.1, -4.4)
WARMUP_TOKENS = 8192
#: The transfer, two octaves past the longest swept horizon.
TARGET_WIDTH, TARGET_HORIZON, TARGET_SEEDS = 64, 1_572_864, (1, 2, 3)
LEAST_SAVED = 1.8
#: Draws of the bootstrap: enough for 90 % intervals, few enough for a file that is committed.
N_DRAWS = 400


def measures(folder: Path) -> list[Measure]:
    """Train, fit, transfer; write `sweep.csv`, `transferred.csv`, `fit.json` and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = _recipe("time", [2.0**x for x in LOG2_LRS], HORIZONS, SEEDS, BATCHES)
    corpus, manifest = stdlib_corpus(folder, recipe)
    plans = proxy_plans(recipe, manifest)
    runs = _trained(plans, corpus, folder, "sweep")
    fit = fit_time(runs, "the proof's sweep", "bits/byte", n_draws=N_DRAWS)
    fit.save(folder / "fit.json")
    for drawing in fit_drawings(fit):
        write_text(folder / f"{drawing.name}.svg", drawing.svg + "\n")
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
            # Rising here (docs/negative-results.md), falling in arXiv 2410.05838: told, not bound.
            fit.sensitivity_exponent, "measured", lambda value, interval: True,
            "by horizon " + ", ".join(
                f"2^{math.log2(one.horizon_tokens):.3g}: {one.rise_at_one_octave:.4f}"
                for one in fit.sensitivities
            ),
        ),
        _transferred(fit, recipe, corpus, manifest, folder),
    ]  # fmt: skip


def _recipe(
    name: str, base_lrs: Sequence[float], horizons: Sequence[int], seeds: Sequence[int],
    batches: Sequence[int], width: int | None = None,
) -> Recipe:  # fmt: skip
    """Return a sweep in the width family of the muP proof, on the standard library's text."""
    family = Recipe.load(Path("recipes/mup-transfer.yaml"))
    given = family.model_dump(mode="json")
    middle, seq_len = BATCHES[1], family.model.seq_len
    tokens = given["sweep"]["validation_tokens"]
    changes = {
        "name": name,
        "corpus": given["corpus"] | {"source": "stdlib", "languages": ["code"]},
        "mixture": {"code": 1.0},
        "model": widened(family.model, width or family.model.d_model).model_dump(mode="json"),
        "schedule": {"kind": "wsd", "warmup_tokens": WARMUP_TOKENS, "decay_fraction": 0.0},
        "budget": {"horizon_tokens": max(horizons), "global_batch_tokens": middle},
        "execution": given["execution"] | {"micro_batch_sequences": middle // seq_len},
        "sweep": {
            # Not more digits than a plan's name has: a rate has to find its runs again.
            "base_lrs": [float(f"{lr:.4g}") for lr in base_lrs],
            "horizons_tokens": horizons,
            "seeds": seeds,
            "global_batches_tokens": batches,
            "lr_batch_exponent": 0.5,
            "validation_tokens": tokens,
        },
    }
    return Recipe.check(given | changes, f"recipe {name} of the proof")


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
    """Count best rates at the grid's edge; what is bracketed but too noisy to place is told."""
    at_edge = [one for one in fit.local if one.bound in ("at_least", "at_most")]
    unplaced = [one for one in fit.local if one.log2_lr is None]
    return Measure(
        measure="best rates at an edge of the grid",
        value=len(at_edge),
        unit=f"of {len(fit.local)}",
        bound="= 0",
        holds=not at_edge,
        detail="not placed: "
        + (
            ", ".join(
                f"batch {one.global_batch_tokens} at 2^{math.log2(one.horizon_tokens):.3g} tokens"
                for one in unplaced
            )
            or "none"
        ),
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
    batch, size = BATCHES[1], n_params_non_embedding(widened(recipe.model, TARGET_WIDTH))
    rates = {
        label: float(f"{decide(fit, Asked('proof', horizon, batch, size)).base_lr.value:.4g}")
        for label, horizon in (("transferred", TARGET_HORIZON), ("untransferred", HORIZONS[-1]))
    }
    # A grid has at least three; the last one is not trained.
    asked = [*rates.values(), 2 * max(rates.values())]
    target = _recipe("target", asked, [TARGET_HORIZON], TARGET_SEEDS, [batch], TARGET_WIDTH)
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
        f"{len(paired)} seeds; width {TARGET_WIDTH}, {octaves:.1f} octaves past the sweep's horizons; "
        f"bits/byte {shown}; below 0 the transferred one is better",
    )
