"""A simulated fit of a sweep and what a plan says of it, for tests of the report."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np
from skald_specs.outlook import Cost, Distance, Outlook, PriorShare, PublishedSays
from skald_specs.timefit import (
    Centre,
    CriticalBatch,
    Estimate,
    FamilyFit,
    FittedRun,
    HeldOut,
    LocalOptimum,
    Sensitivity,
    TableFacts,
    TimeFit,
)


def make_fit(
    batches: Iterable[int] = (4096,),
    horizons: Iterable[int] = (131_072, 262_144),
    widths: Iterable[int] = (64,),
    seeds: Iterable[int] = (1, 2),
    scattered: bool = False,
    seed: int = 1,
) -> TimeFit:
    """Return a fit of runs drawn from a power-law ridge: lr ~ batch^0.5 horizon^-0.35.

    `scattered` gives it the surface of a design without rows of learning rates, which knows the best
    batch. The largest learning rate of every row diverged, and the last batch's optimum at the first
    horizon is a bound.
    """
    rng = np.random.default_rng(seed)
    batches, horizons, widths, seeds = (tuple(v) for v in (batches, horizons, widths, seeds))
    centre = Centre(
        log2_lr=-5.8,
        log2_batch=float(np.mean(np.log2(batches))),
        log2_size=20.0,
        log2_horizon=float(np.mean(np.log2(horizons))),
    )
    runs, local, held_out = [], [], []
    for width, horizon, batch in itertools.product(widths, horizons, batches):
        y = math.log2(batch) - centre.log2_batch
        t = math.log2(horizon) - centre.log2_horizon
        best = centre.log2_lr + 0.5 * y - 0.35 * t
        rise = 0.021 * 2 ** (-0.3 * t)
        away = 0.006 * (y - 0.45 * t) ** 2
        level = 2.31 * 2 ** (-0.17 * t) * (1 if width == 64 else 0.97)
        cell = {
            "width": width, "depth": 3, "n_params_non_embedding": 36 * width**2,
            "horizon_tokens": horizon, "global_batch_tokens": batch,
        }  # fmt: skip
        grid = [round(best) + step for step in (-2, -1, 0, 1, 2, 3)]
        for lr, s in itertools.product(grid, seeds):
            lost = lr == grid[-1]
            excess = rise * (lr - best) ** 2 + away + rng.normal(0, 0.004)
            runs.append(FittedRun(
                **cell, lr=2.0**lr, seed=s, loss=None if lost else level * math.exp(excess),
                diverged=lost, in_fit=abs(lr - best) < 2,
            ))  # fmt: skip
        if len(batches) > 1 and (batch, horizon) == (batches[-1], horizons[0]):
            local.append(LocalOptimum(**cell, bound="at_least", bound_log2_lr=best - 0.5))
            continue
        found = best + rng.normal(0, 0.1)
        local.append(LocalOptimum(
            **cell, log2_lr=found, interval=(found - 0.3, found + 0.4), loss=level * math.exp(away),
            rise_at_one_octave=rise,
        ))  # fmt: skip
        if horizon != horizons[0]:
            held_out.append(HeldOut(
                horizon_tokens=horizon, global_batch_tokens=batch,
                n_params_non_embedding=36 * width**2, predicted_log2_lr=best - 0.1,
                predicted_interval=(best - 0.6, best + 0.4), measured_log2_lr=found,
                measured_interval=(found - 0.3, found + 0.4),
            ))  # fmt: skip
    several = len(batches) > 1
    return TimeFit(
        schema_version=1,
        table=TableFacts(
            sha256="0" * 64, source="artifacts/sweep", loss_unit="bits/byte", n_runs=len(runs),
            n_diverged=sum(r.diverged for r in runs), n_in_fit=sum(r.in_fit for r in runs),
            widths=widths, depths=(3,), n_params_non_embedding=tuple(36 * w**2 for w in widths),
            horizons_tokens=horizons, global_batches_tokens=batches,
            lr_range=(min(r.lr for r in runs), max(r.lr for r in runs)), seeds=seeds,
            schedule="wsd",
        ),
        runs=tuple(runs),
        centre=centre,
        families=tuple(_families(several, scattered, rng)),
        spread_octaves=0.1,
        size_terms=False,
        size_drift=Estimate(value=0.02, interval=(-0.1, 0.15)) if len(widths) > 1 else None,
        size_drift_p_value=0.7 if len(widths) > 1 else None,
        horizon_exponent=Estimate(value=-0.35, interval=(-0.5, -0.2)),
        batch_exponent=Estimate(value=0.5, interval=(0.4, 0.6)) if several else None,
        best_batch_exponent=Estimate(value=0.45, interval=(0.3, 0.6)) if scattered else None,
        local=tuple(local),
        sensitivities=tuple(
            Sensitivity(
                horizon_tokens=h,
                rise_at_one_octave=0.021 * (h / 2**centre.log2_horizon) ** -0.3,
                interval=(0.012, 0.031),
            )
            for h in horizons
        ),
        sensitivity_exponent=Estimate(value=-0.3, interval=(-0.5, -0.1)),
        held_out=tuple(held_out),
        extrapolation_sd_per_octave=0.1,
        critical=tuple(
            CriticalBatch(
                definition=what, horizon_tokens=h, tokens=factor * (h / 4096) ** 0.5,
                interval=(factor * (h / 8192) ** 0.5, factor * (h / 2048) ** 0.5),
            )
            for what, factor in (("knee", 4000.0), ("overhead", 9000.0))
            for h in horizons
            if several
        ),
        critical_exponent=Estimate(value=0.5, interval=(0.2, 0.8)) if several else None,
        overhead_exponent=Estimate(value=0.5, interval=(0.3, 0.7)) if several else None,
        loss_law=None,
        noise_sd=0.004,
        offered=() if several else ("the best batch: one batch was swept",),
        family={},
    )  # fmt: skip


def _families(several: bool, scattered: bool, rng: np.random.Generator) -> Iterator[FamilyFit]:
    surface = {"curvature": math.log(0.021), "curvature_horizon": -0.2, "skew": 0.06}
    if scattered:
        surface |= {"profile": 0.006, "profile_batch": 0.0, "profile_horizon": -2 * 0.006 * 0.45}
    power = surface | {"level": 0.0, "batch": 0.5, "horizon": -0.35}
    surge = surface | {"level": 0.0, "horizon": -0.1, "knee": 1.0, "knee_horizon": 0.5}
    kinds = {"power": (power, 0.7), "surge": (surge, 0.28), "saturating": (surge, 0.02)}
    if not several:
        del power["batch"]
        kinds = {"power": (power, 1.0)}
    for kind, (values, weight) in kinds.items():
        fitted = np.array(list(values.values()))
        spread = [0.05 if "profile" not in name else 0.0005 for name in values]
        draws = fitted + rng.normal(0, 1, (40, len(fitted))) * spread
        yield FamilyFit(
            kind=kind, names=tuple(values), values=tuple(fitted),
            draws=tuple(map(tuple, draws.tolist())), held_out_error=0.0021, weight=weight,
        )  # fmt: skip


def make_outlook(size: int) -> Outlook:
    """Return what a plan expects of itself, three octaves beyond its sweep."""
    return Outlook(
        distance=Distance(horizon_octaves=1.6, batch_octaves=0, size_octaves=2.3),
        regret=Estimate(value=0.004, interval=(0.001, 0.012)),
        chosen_below_median_octaves=0.1,
        final_loss=Estimate(value=1.5 - 0.1 * size, interval=(1.4 - 0.1 * size, 1.62 - 0.1 * size)),
        loss_unit="bits/byte",
        tau_ema=0.2,
        priors=(PriorShare(quantity="base_lr", share=0.35, prior="horizon exponent of 2409.19913"),),
        published=tuple(
            PublishedSays(
                law=law, source=source, quantity=quantity, theirs=theirs, ours=ours,
                octaves=math.log2(ours / theirs), comparable=law == "Power Lines", note=note,
            )
            for law, source, quantity, theirs, ours, note in (
                ("StepLaw", "arXiv 2503.04715", "lr", 0.0031, 0.0118, "standard parametrisation"),
                ("Power Lines", "arXiv 2505.13738", "tau_ema", 0.31, 0.2, ""),
            )
        ),
        cost=Cost(training_flops=3e15),
        warnings=("the horizon lies 1.6 octaves beyond the sweep",),
    )  # fmt: skip
