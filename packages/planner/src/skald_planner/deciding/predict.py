"""From a fit to a decision: learning rate and batch at a horizon, how sure, and at what risk.

Knows how far the data carry and what stands in beyond it; refuses to answer far outside the sweep unless
asked to lean on published exponents.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from skald_specs.errors import UserInputError
from skald_specs.outlook import Distance, Outlook, PriorShare
from skald_specs.plan import Quantity, Standing
from skald_specs.ridge import named
from skald_specs.timefit import Estimate, TimeFit

from skald_planner.deciding.best_batch import batch_for, best_y, opening, quantity_of, weigh
from skald_planner.deciding.published import PRIORS, Anchor, Prior
from skald_planner.deciding.reach import (
    Asked,
    check_reach,
    distance_of,
    edge,
    is_far,
    outside_rates,
    warnings_of,
)
from skald_planner.fitting.cells import Floats
from skald_planner.fitting.families import normal_quantile
from skald_planner.fitting.loss_law import predict_loss
from skald_planner.fitting.mixture import at_point, by_weight, interval_of, rounded

#: Standard deviation of the form itself, octaves of learning rate for each octave of horizon beyond
#: `FORM_REACH`: no family need hold there. Assumed.
FORM_SD_PER_OCTAVE, FORM_REACH = 0.1, 2.0
#: A learning rate too high costs this many times what one too low by the same factor costs: loss surfaces
#: are steeper above, and end in divergence. Assumed.
TOO_HIGH_COSTS = 2.0
#: Where a fit is asked between its own points; one seed, so that a plan repeats.
NOISE_SEED = 20241105
#: No learning rate is further from 1 than so many octaves; beyond, 2 to that power is no number.
_BEYOND_ANY_OCTAVES = 200.0


class Decision(NamedTuple):
    """Learning rate (at the base shape) and batch, and what they are expected to do.

    `anchor`: the optimum at the edge of the swept range, which published exponents start from.
    """

    base_lr: Quantity[float]
    global_batch_tokens: Quantity[int] | None
    outlook: Outlook
    anchor: Anchor


class _Step(NamedTuple):
    """A prediction as draws, how much of the step out of the swept range is the prior's, and its start."""

    draws: Floats
    share: float
    at_edge: Floats


def decide(fit: TimeFit, asked: Asked) -> Decision:
    """Predict learning rate and batch.

    Within the swept range the families answer by their weights. Beyond it, the step from the range's edge
    is weighed between the families and published exponents, each by its inverse variance; the families'
    grows with the octaves by what leaving the last horizon out cost.

    Args:
        fit: What was fitted.
        asked: Where.

    Returns:
        The decision. The learning rate lies below the middle of its distribution, since too high costs
        more than too low.

    Raises:
        UserInputError: The point lies beyond what the data carry; the message gives the octaves and the
            way to insist.

    Source: inverse-variance weighing; expectile of the loss that `TOO_HIGH_COSTS` describes (Newey & Powell
        1987).
    Standing: fitted within the sweep; the priors' part is assumed and its share is stated.
    """
    rng = np.random.default_rng(NOISE_SEED)
    chosen_batch = batch_for(fit, asked, rng)
    batch = chosen_batch.tokens
    distance = distance_of(fit, asked, batch)
    if not asked.extrapolate:
        check_reach(fit, asked, batch)
    n = math.log2(asked.n_params_non_embedding) - fit.centre.log2_size
    y, t = _from_centre(fit, batch, asked.horizon_tokens)
    step = _learning_rate(fit, y, t, n, distance, rng)
    middle, chosen = float(np.median(step.draws)), _expectile(step.draws)
    low, high = interval_of(step.draws)
    base = fit.centre.log2_lr
    if not all(abs(base + octaves) < _BEYOND_ANY_OCTAVES for octaves in (low, chosen, high)):
        raise UserInputError(
            asked.where,
            f"by the fit of {fit.table.source} the best learning rate is 2^{base + chosen:.3g}, which no "
            "model has",
            "Run `skald plan fit` again, on runs that are like this one",
        )
    taken = chosen if asked.given_base_lr is None else math.log2(asked.given_base_lr) - base
    rise = _rise(fit, step.draws, taken, t)
    priors = []
    if distance.horizon_octaves > 0 or distance.batch_octaves > 0:
        horizon, over_batch = PRIORS["horizon_exponent"], PRIORS["batch_exponent"]
        said = f"over the horizon {horizon.source}; over the batch {over_batch.source}"
        priors.append(PriorShare(quantity="base_lr", share=step.share, prior=said))
    if chosen_batch.share:
        source = PRIORS["best_batch_exponent"].source
        priors.append(
            PriorShare(quantity="global_batch_tokens", share=chosen_batch.share, prior=source)
        )
    # Rules that hold the optimum still are no published law; without rules one stands in.
    if distance.size_octaves > 0 and not fit.size_terms and not fit.family:
        drift = _drift(fit)
        priors.append(PriorShare(quantity="base_lr", share=1.0, prior=f"over size {drift.source}"))
    unsure = is_far(distance) or step.share > 0.5 or outside_rates(fit, base + chosen)
    standing: Standing = "assumed" if unsure else "fitted"
    return Decision(
        base_lr=Quantity[float](
            value=rounded(2.0 ** (base + chosen)),
            standing=standing,
            source=_source(fit, distance, step.share),
            interval=(rounded(2.0 ** (base + low)), rounded(2.0 ** (base + high))),
        ),
        global_batch_tokens=quantity_of(asked, chosen_batch),
        outlook=Outlook(
            distance=distance,
            regret=Estimate(value=rounded(float(rise.mean())), interval=_pair(interval_of(rise))),
            chosen_below_median_octaves=rounded(middle - taken),
            best_batch_tokens=chosen_batch.best,
            final_loss=_final_loss(fit, asked, distance),
            loss_unit=fit.table.loss_unit,
            priors=tuple(priors),
            warnings=warnings_of(fit, distance, base + chosen),
        ),
        anchor=_anchor(fit, batch, asked.horizon_tokens, step),
    )


def _anchor(fit: TimeFit, batch: float, horizon_tokens: float, step: _Step) -> Anchor:
    table = fit.table
    horizons, batches = table.horizons_tokens, table.global_batches_tokens
    horizon = min(max(horizon_tokens, min(horizons)), max(horizons))
    known = opening(fit)
    best = None
    if known:
        t = math.log2(horizon) - fit.centre.log2_horizon
        best = 2.0 ** (fit.centre.log2_batch + float(np.median(best_y(known[0], t, 0.0))))
    return Anchor(
        base_lr=2.0 ** (fit.centre.log2_lr + float(np.median(step.at_edge))),
        horizon_tokens=horizon,
        global_batch_tokens=min(max(batch, min(batches)), max(batches)),
        best_batch_tokens=best,
    )


def _from_centre(fit: TimeFit, batch: float, horizon_tokens: float) -> tuple[float, float]:
    return (
        math.log2(batch) - fit.centre.log2_batch,
        math.log2(horizon_tokens) - fit.centre.log2_horizon,
    )


def _ridge(fit: TimeFit, y: float, t: float, n: float) -> Floats:
    draws = [
        at_point(
            family.kind, family.names, np.array(family.values), np.array(family.draws), y, t, n
        )[1]
        for family in fit.families
    ]
    return by_weight([family.weight for family in fit.families], draws)


def _learning_rate(
    fit: TimeFit, y: float, t: float, n: float, distance: Distance, rng: np.random.Generator
) -> _Step:
    n_edge = edge(n, fit.table.n_params_non_embedding, fit.centre.log2_size)
    y_edge = edge(y, fit.table.global_batches_tokens, fit.centre.log2_batch)
    t_edge = edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
    at_edge = _ridge(fit, y_edge, t_edge, n_edge)
    step, share = np.zeros_like(at_edge), 0.0
    if y != y_edge or t != t_edge:
        horizon, batch = PRIORS["horizon_exponent"], PRIORS["batch_exponent"]
        prior = Prior(
            horizon.mean * (t - t_edge) + batch.mean * (y - y_edge),
            math.hypot(horizon.sd * (t - t_edge), batch.sd * (y - y_edge)),
            "",
        )
        shown = len(fit.table.horizons_tokens) > 1 or t == t_edge
        shown = shown and (len(fit.table.global_batches_tokens) > 1 or y == y_edge)
        own = _ridge(fit, y, t, n_edge) - at_edge if shown else None
        beyond = max(0.0, distance.horizon_octaves - FORM_REACH)
        shown_error = _form_error(fit) * abs(t - t_edge)
        error = math.hypot(shown_error, FORM_SD_PER_OCTAVE * beyond)
        step, share = weigh(own, at_edge.size, error, prior, rng)
    drift = _by_size(fit, n, n_edge, step.size, rng)
    return _Step(at_edge + step + drift, share, at_edge)


def _form_error(fit: TimeFit) -> float:
    """Return the form's error for each octave of horizon; an assumed one where the table could not show it."""
    shown = fit.extrapolation_sd_per_octave
    return FORM_SD_PER_OCTAVE if shown is None else shown


def _drift(fit: TimeFit) -> Prior:
    """Return how the best rate moves with size: as fitted, as the rules have it, or as nobody knows."""
    if fit.size_terms and fit.size_drift is not None:
        low, high = fit.size_drift.interval
        return Prior(fit.size_drift.value, (high - low) / (2 * normal_quantile()), "")
    return PRIORS["size_drift" if fit.family else "size_drift_without_rules"]


def _by_size(fit: TimeFit, n: float, n_edge: float, count: int, rng: np.random.Generator) -> Floats:
    """Return the drift with size beyond the swept sizes: fitted where it shows, else the rules' zero."""
    drift = _drift(fit)
    return np.asarray((n - n_edge) * (drift.mean + drift.sd * rng.standard_normal(count)))


def _expectile(draws: Floats) -> float:
    """Return the value whose expected cost is least where too high costs `TOO_HIGH_COSTS` times more."""
    at = float(np.median(draws))
    for _ in range(100):
        weight = np.where(draws < at, TOO_HIGH_COSTS, 1.0)
        moved = float((weight * draws).sum() / weight.sum())
        if abs(moved - at) < 1e-12:
            break
        at = moved
    return at


def _rise(fit: TimeFit, draws: Floats, chosen: float, t: float) -> Floats:
    """Return the growth of log loss at the chosen learning rate, for each draw of the best."""
    # Curvature is not carried beyond the swept horizons: sensitivity there is unknown, hardly larger.
    t = edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
    main = named(fit.families[0], np.array(fit.families[0].draws))
    h = np.exp(main["curvature"] + main.get("curvature_horizon", 0.0) * t)
    h = h[np.linspace(0, h.size - 1, draws.size).astype(int)]
    away = chosen - draws
    return np.asarray(h * away**2 * np.where(away > 0, TOO_HIGH_COSTS, 1.0))


def _final_loss(fit: TimeFit, asked: Asked, distance: Distance) -> Estimate | None:
    if fit.loss_law is None:
        return None
    told = predict_loss(fit.loss_law, asked.n_params_non_embedding, asked.horizon_tokens, distance)
    return Estimate(value=rounded(told.value), interval=_pair(told.interval))


def _source(fit: TimeFit, distance: Distance, share: float) -> str:
    table = fit.table
    horizons = f"{min(table.horizons_tokens):,} to {max(table.horizons_tokens):,}"
    shares = ", ".join(f"{one.kind} {100 * one.weight:.0f} %" for one in fit.families)
    text = f"{table.n_runs} runs at {horizons} tokens; weight of each form: {shares}"
    if distance.horizon_octaves or distance.batch_octaves:
        text += (
            f"; {distance.horizon_octaves:.2g} octaves of horizon and {distance.batch_octaves:.2g} of batch "
            f"beyond the sweep, of which published exponents decide {100 * share:.0f} %"
        )
    return text


def _pair(interval: tuple[float, float]) -> tuple[float, float]:
    return rounded(interval[0]), rounded(interval[1])
