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
from skald_specs.ridge import best_batch, named
from skald_specs.timefit import Estimate, FamilyFit, TimeFit

from skald_planner.deciding.published import PRIORS, Anchor, Prior
from skald_planner.fitting.cells import Floats
from skald_planner.fitting.families import normal_quantile
from skald_planner.fitting.loss_law import predict_loss
from skald_planner.fitting.mixture import at_point, by_weight, interval_of

#: Octaves outside the swept range beyond which a prediction needs `--extrapolate`. Assumed: published
#: laws hold over two to four octaves where they were tested, and bend at larger scale (arXiv 2606.29158).
HORIZON_LIMIT, BATCH_LIMIT, SIZE_LIMIT = 4.0, 3.0, 10.0
#: Standard deviation of the form itself, octaves of learning rate for each octave of horizon beyond
#: `FORM_REACH`: no family need hold there. Assumed.
FORM_SD_PER_OCTAVE, FORM_REACH = 0.1, 2.0
#: A learning rate too high costs this many times what one too low by the same factor costs: loss surfaces
#: are steeper above, and end in divergence. Assumed.
TOO_HIGH_COSTS = 2.0
#: Where a fit is asked between its own points; one seed, so that a plan repeats.
NOISE_SEED = 20241105


class Asked(NamedTuple):
    """What a plan wants to know.

    Attributes:
        where: Whom an error names.
        horizon_tokens: Tokens of the run.
        global_batch_tokens: Its batch, or the one to fall back on where the fit chooses.
        n_params_non_embedding: Its size.
        choose_batch: Take the batch that the fit finds best.
        batch_step_tokens: A chosen batch is a multiple of this.
        extrapolate: Answer beyond the limits.
    """

    where: str
    horizon_tokens: int
    global_batch_tokens: int
    n_params_non_embedding: int
    choose_batch: bool = False
    batch_step_tokens: int = 1
    extrapolate: bool = False


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
    batch, best_batch, batch_share = _batch(fit, asked, rng)
    distance = _distance(fit, asked, batch)
    _check_reach(asked, distance, fit)
    n = math.log2(asked.n_params_non_embedding) - fit.centre.log2_size
    y, t = _from_centre(fit, batch, asked.horizon_tokens)
    step = _learning_rate(fit, y, t, n, distance, rng)
    middle, chosen = float(np.median(step.draws)), _expectile(step.draws)
    low, high = interval_of(step.draws)
    base = fit.centre.log2_lr
    rise = _rise(fit, step.draws, chosen, t)
    priors = []
    if distance.horizon_octaves > 0 or distance.batch_octaves > 0:
        names = "horizon_exponent, batch_exponent"
        sources = "; ".join(PRIORS[name].source for name in ("horizon_exponent", "batch_exponent"))
        priors.append(PriorShare(quantity="base_lr", share=step.share, prior=f"{names}: {sources}"))
    if batch_share is not None and batch_share > 0:
        source = PRIORS["best_batch_exponent"].source
        priors.append(PriorShare(quantity="global_batch_tokens", share=batch_share, prior=source))
    far = distance.horizon_octaves > HORIZON_LIMIT or distance.batch_octaves > BATCH_LIMIT
    standing: Standing = "assumed" if far or step.share > 0.5 else "fitted"
    return Decision(
        base_lr=Quantity[float](
            value=_rounded(2.0 ** (base + chosen)),
            standing=standing,
            source=_source(fit, distance, step.share),
            interval=(_rounded(2.0 ** (base + low)), _rounded(2.0 ** (base + high))),
        ),
        global_batch_tokens=_batch_quantity(asked, batch, best_batch, batch_share),
        outlook=Outlook(
            distance=distance,
            regret=Estimate(value=_rounded(float(rise.mean())), interval=_pair(interval_of(rise))),
            chosen_below_median_octaves=_rounded(middle - chosen),
            best_batch_tokens=best_batch,
            final_loss=_final_loss(fit, asked, distance),
            loss_unit=fit.table.loss_unit,
            priors=tuple(priors),
            warnings=_warnings(fit, distance),
        ),
        anchor=_anchor(fit, batch, asked.horizon_tokens, step),
    )


def _anchor(fit: TimeFit, batch: float, horizon_tokens: float, step: _Step) -> Anchor:
    table = fit.table
    horizons, batches = table.horizons_tokens, table.global_batches_tokens
    horizon = min(max(horizon_tokens, min(horizons)), max(horizons))
    known = [family for family in fit.families if "profile" in family.names]
    best = None
    if known:
        t = math.log2(horizon) - fit.centre.log2_horizon
        best = 2.0 ** (fit.centre.log2_batch + float(np.median(_best_y(known[0], t, 0.0))))
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


def _outside(value: float, swept: tuple[int, ...]) -> float:
    at = math.log2(value)
    return max(0.0, at - math.log2(max(swept)), math.log2(min(swept)) - at)


def _distance(fit: TimeFit, asked: Asked, batch: float) -> Distance:
    table = fit.table
    octaves = (
        _outside(asked.horizon_tokens, table.horizons_tokens),
        _outside(batch, table.global_batches_tokens),
        _outside(asked.n_params_non_embedding, table.n_params_non_embedding),
    )
    horizon, batch_octaves, size = (round(value, 3) for value in octaves)
    return Distance(horizon_octaves=horizon, batch_octaves=batch_octaves, size_octaves=size)


def _check_reach(asked: Asked, distance: Distance, fit: TimeFit) -> None:
    limits = (
        ("horizon_tokens", asked.horizon_tokens, distance.horizon_octaves, HORIZON_LIMIT),
        ("global_batch_tokens", asked.global_batch_tokens, distance.batch_octaves, BATCH_LIMIT),
        ("n_params_non_embedding", asked.n_params_non_embedding, distance.size_octaves, SIZE_LIMIT),
    )
    for name, value, octaves, limit in limits:
        if octaves > limit and not asked.extrapolate:
            raise UserInputError(
                asked.where,
                f"{name} = {value:.4g} lies {octaves:.1f} octaves outside the sweep ({fit.table.source}), "
                f"which carries {limit:g}",
                "Sweep nearer to it, or give --extrapolate to lean on published exponents",
            )


def _edge(value: float, swept: tuple[int, ...], centre: float) -> float:
    low, high = math.log2(min(swept)) - centre, math.log2(max(swept)) - centre
    return min(max(value, low), high)


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
    n_edge = _edge(n, fit.table.n_params_non_embedding, fit.centre.log2_size)
    y_edge = _edge(y, fit.table.global_batches_tokens, fit.centre.log2_batch)
    t_edge = _edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
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
        shown_error = (fit.extrapolation_sd_per_octave or 0.0) * abs(t - t_edge)
        error = math.hypot(shown_error, FORM_SD_PER_OCTAVE * beyond)
        step, share = _weigh(own, at_edge.size, error, prior, rng)
    drift = _by_size(fit, n, n_edge, step.size, rng)
    return _Step(at_edge + step + drift, share, at_edge)


def _weigh(
    own: Floats | None, count: int, error: float, prior: Prior, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Join the data's step with the prior's by inverse variance; None: the data have none."""
    guess = prior.mean + prior.sd * rng.standard_normal(count)
    if own is None:
        return guess, 1.0
    own = own + error * rng.standard_normal(count)
    variance = float(own.var())
    share = variance / (variance + prior.sd**2) if variance > 0 else 0.0
    return (1 - share) * own + share * guess, share


def _by_size(fit: TimeFit, n: float, n_edge: float, count: int, rng: np.random.Generator) -> Floats:
    """Return the drift with size beyond the swept sizes: fitted where it shows, else the rules' zero."""
    drift = PRIORS["size_drift"]
    if fit.size_terms and fit.size_drift is not None:
        low, high = fit.size_drift.interval
        drift = Prior(fit.size_drift.value, (high - low) / (2 * normal_quantile()), "")
    return np.asarray((n - n_edge) * (drift.mean + drift.sd * rng.standard_normal(count)))


def _batch(
    fit: TimeFit, asked: Asked, rng: np.random.Generator
) -> tuple[int, Estimate | None, float | None]:
    """Return the batch to plan with, the best one with its interval, and the prior's share in that."""
    t = math.log2(asked.horizon_tokens) - fit.centre.log2_horizon
    n = math.log2(asked.n_params_non_embedding) - fit.centre.log2_size
    t_edge = _edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
    n = _edge(n, fit.table.n_params_non_embedding, fit.centre.log2_size)
    known = [family for family in fit.families if "profile" in family.names]
    if not known:
        if asked.choose_batch:
            raise UserInputError(
                asked.where,
                "budget.batch_from_sweep, but the fit shows no best batch",
                "Sweep three batches on both sides of the best, or leave budget.batch_from_sweep out",
            )
        return asked.global_batch_tokens, None, None
    weights = [family.weight for family in known]
    draws = by_weight(weights, [_best_y(family, t_edge, n) for family in known])
    share = 0.0
    if t != t_edge:
        prior = PRIORS["best_batch_exponent"]
        away = Prior(prior.mean * (t - t_edge), prior.sd * abs(t - t_edge), "")
        shown = len(fit.table.horizons_tokens) > 1
        own = by_weight(weights, [_best_y(family, t, n) for family in known]) - draws
        step, share = _weigh(own if shown else None, draws.size, 0.0, away, rng)
        draws = draws + step
    middle, (low, high) = float(np.median(draws)), interval_of(draws)
    scale = 2.0**fit.centre.log2_batch
    best = Estimate(
        value=_rounded(scale * 2.0**middle),
        interval=(_rounded(scale * 2.0**low), _rounded(scale * 2.0**high)),
    )
    if not asked.choose_batch:
        return asked.global_batch_tokens, best, share
    step_tokens = asked.batch_step_tokens
    return max(1, round(best.value / step_tokens)) * step_tokens, best, share


def _best_y(family: FamilyFit, t: float, n: float) -> Floats:
    return np.asarray(best_batch(named(family, np.array(family.draws)), t, n))


def _batch_quantity(
    asked: Asked, batch: int, best: Estimate | None, share: float | None
) -> Quantity[int] | None:
    if not asked.choose_batch or best is None:
        return None
    return Quantity[int](
        value=batch,
        standing="assumed" if (share or 0.0) > 0.5 else "fitted",
        source=f"best batch of the fit, in steps of {asked.batch_step_tokens} tokens",
        interval=best.interval,
    )


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
    t = _edge(t, fit.table.horizons_tokens, fit.centre.log2_horizon)
    main = named(fit.families[0], np.array(fit.families[0].draws))
    h = np.exp(main["curvature"] + main.get("curvature_horizon", 0.0) * t)
    h = h[np.linspace(0, h.size - 1, draws.size).astype(int)]
    away = chosen - draws
    return np.asarray(h * away**2 * np.where(away > 0, TOO_HIGH_COSTS, 1.0))


def _final_loss(fit: TimeFit, asked: Asked, distance: Distance) -> Estimate | None:
    if fit.loss_law is None:
        return None
    told = predict_loss(fit.loss_law, asked.n_params_non_embedding, asked.horizon_tokens, distance)
    return Estimate(value=_rounded(told.value), interval=_pair(told.interval))


def _source(fit: TimeFit, distance: Distance, share: float) -> str:
    table = fit.table
    horizons = f"{min(table.horizons_tokens):,} to {max(table.horizons_tokens):,}"
    shares = ", ".join(f"{one.kind} {one.weight:.0%}" for one in fit.families)
    text = f"{table.n_runs} runs at {horizons} tokens; {shares}"
    if distance.horizon_octaves or distance.batch_octaves:
        text += (
            f"; {distance.horizon_octaves:.2g} octaves of horizon and {distance.batch_octaves:.2g} of batch "
            f"outside; {share:.0%} of that step is the published exponents'"
        )
    return text


def _warnings(fit: TimeFit, distance: Distance) -> tuple[str, ...]:
    found = []
    if distance.horizon_octaves > HORIZON_LIMIT:
        found.append(
            f"the horizon lies {distance.horizon_octaves:.1f} octaves beyond the sweep, which carries "
            f"{HORIZON_LIMIT:g}: published exponents and an assumed spread stand in"
        )
    if distance.batch_octaves > BATCH_LIMIT:
        found.append(f"the batch lies {distance.batch_octaves:.1f} octaves outside the swept ones")
    if distance.size_octaves > SIZE_LIMIT:
        found.append(f"the model is {distance.size_octaves:.1f} octaves larger than the swept ones")
    if not fit.family:
        found.append(
            "the fitted table names no family of recipes: its learning rates are taken as base_lr"
        )
    if fit.size_terms:
        found.append("the swept optimum moves with size, so the rules do not hold it still")
    return tuple(found)


def _pair(interval: tuple[float, float]) -> tuple[float, float]:
    return _rounded(interval[0]), _rounded(interval[1])


def _rounded(value: float) -> float:
    """Round to three digits, far below the interval, so that a plan survives another BLAS."""
    return float(f"{value:.3g}")
