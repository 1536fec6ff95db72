"""The loss that a size and a horizon lead to: L(N, T) = E + A N^-alpha + B T^-beta.

Knows how to fit it and predict with it; `skald_specs.loss_law` evaluates it. What a table of few sizes and
horizons cannot show, published exponents decide, with their spread in every interval: three horizons
hardly determine an irreducible loss.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import ndtri
from skald_specs.loss_law import (
    EXPONENTS,
    HORIZON_EXPONENT_PRIOR,
    SIZE_EXPONENT_PRIOR,
    losses,
)
from skald_specs.outlook import Distance
from skald_specs.plan import COVERAGE
from skald_specs.timefit import Estimate, Interval, LossLaw

Floats = NDArray[np.float64]

#: Residuals of log loss beyond this count linearly (arXiv 2203.15556, approach 3), or beyond HUBER_SDS
#: of the noise where that is larger: at 1e-3 all of a small model's residuals would, and the medians of
#: three points say nothing.
HUBER_DELTA, HUBER_SDS = 1e-3, 1.5

#: Assumed prior of the log of the irreducible share of the lowest loss, mean and standard deviation: 0.87
#: of a large model's in arXiv 2203.15556, less of a small one's.
LOG_SHARE_PRIOR = (math.log(0.6), 0.7)
#: Of the log of a term's value in the middle of the table: wide, so that the data decide.
LOG_TERM_SD = 5.0

#: Noise of a cell's log loss when nothing better is known, standard deviation. Assumed.
NOISE_SD = 0.005

#: Standard deviation of log loss for each octave of size or horizon beyond the table: the form's own
#: error. Assumed.
FORM_SD_PER_OCTAVE = 0.005

#: Points at which the first fit starts: share of the irreducible loss, and both exponents.
_START_SHARES, _START_EXPONENTS = (0.3, 0.7), (0.2, 0.5)
#: Steps that each bootstrap draw takes from the fit; the last move parameters by less than 1e-4.
_DRAW_STEPS = 25
_ABSENT_LOG = -60.0

# Order of the parameters: log E, log size term and log horizon term in the table's middle, alpha, beta.
_E, _A, _B, _ALPHA, _BETA = range(5)


class _Problem(NamedTuple):
    """Cells, and the prior of the parameters; an infinite precision holds one at its mean."""

    log_size: Floats
    log_horizon: Floats
    log_loss: Floats
    mean: Floats
    precision: Floats
    free: NDArray[np.bool_]


def fit_loss_law(
    n_params_non_embedding: ArrayLike,
    horizons_tokens: ArrayLike,
    losses: ArrayLike,
    weights: ArrayLike,
    *,
    noise_sd: float = NOISE_SD,
    seed: int = 0,
) -> LossLaw | None:
    """Fit the law to the best loss of each cell.

    Args:
        n_params_non_embedding: Of each cell, parameters.
        horizons_tokens: Of each cell, tokens.
        losses: The lowest loss of each cell over learning rate and batch, in any positive unit.
        weights: Bootstrap weights, draws x cells, mean about 1; all ones are allowed.
        noise_sd: Least standard deviation of a cell's log loss; residuals raise it.
        seed: Of the draws' share of noise and prior.

    Returns:
        The law, with one draw for each row of `weights`; None with one size and one horizon.

    Source: form and log-Huber loss of arXiv 2203.15556. A draw weighs the cells by its weights, moves
        the priors within their spread, and gives back the noise that a fit of p parameters takes from its
        n residuals (p/n of the variance): with few cells the weights alone would pretend to know.
    Standing: fitted with three horizons (one horizon: three sizes), else assumed: the shape is then the
        priors'.
    """
    size = np.asarray(n_params_non_embedding, dtype=np.float64)
    horizon = np.asarray(horizons_tokens, dtype=np.float64)
    loss, by_draw = np.asarray(losses, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    n_sizes, n_horizons = len(np.unique(size)), len(np.unique(horizon))
    if n_sizes == 1 and n_horizons == 1:
        return None
    middle = float(np.log(size).mean()), float(np.log(horizon).mean())
    problem = _problem(
        np.log(size) - middle[0],
        np.log(horizon) - middle[1],
        np.log(loss),
        has_size=n_sizes > 1,
        has_horizon=n_horizons > 1,
    )
    fitted, sd = _first_fit(problem, noise_sd)
    spread = _draws(problem, fitted, sd, by_draw, np.random.default_rng(seed))
    residual = _log_loss(fitted, problem.log_size, problem.log_horizon) - problem.log_loss
    shown = n_horizons if n_horizons > 1 else n_sizes
    standing: Literal["fitted", "assumed"] = "fitted" if shown >= 3 else "assumed"
    told = _five_numbers(fitted[None], problem, middle)[0]
    return LossLaw(
        irreducible=told[0],
        size_scale=told[1],
        size_exponent=told[2],
        horizon_scale=told[3],
        horizon_exponent=told[4],
        draws=tuple(_five_numbers(spread, problem, middle)),
        rms_log_error=float(np.sqrt(np.mean(residual**2))),
        standing=standing,
    )


def predict_loss(
    law: LossLaw, n_params_non_embedding: float, horizon_tokens: float, distance: Distance
) -> Estimate:
    """Predict the loss of a run.

    Args:
        law: The law.
        n_params_non_embedding: Parameters of the run.
        horizon_tokens: Its horizon, tokens.
        distance: How far it lies beyond the table, octaves of size and horizon.

    Returns:
        The loss in the table's unit; the interval joins draws, the table's scatter and the penalty for
        the octaves beyond it.

    Standing: the law's; the penalty is assumed (`FORM_SD_PER_OCTAVE`).
    """
    drawn = np.log(losses(law, n_params_non_embedding, horizon_tokens)[1:])
    centre = math.log(losses(law, n_params_non_embedding, horizon_tokens)[0])
    beyond = FORM_SD_PER_OCTAVE * (distance.horizon_octaves + distance.size_octaves)
    extra = float(ndtri(0.5 + COVERAGE / 2)) * math.hypot(beyond, law.rms_log_error)
    low, high = np.quantile(drawn, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
    below, above = max(0.0, centre - float(low)), max(0.0, float(high) - centre)
    interval: Interval = (
        math.exp(centre - math.hypot(below, extra)),
        math.exp(centre + math.hypot(above, extra)),
    )
    return Estimate(value=math.exp(centre), interval=interval)


def _problem(
    log_size: Floats, log_horizon: Floats, log_loss: Floats, *, has_size: bool, has_horizon: bool
) -> _Problem:
    lowest = float(log_loss.min())
    # A term's share of the loss in the table's middle starts from its half.
    term = float(log_loss.mean()) + math.log(0.25)
    mean = np.array([
        lowest + LOG_SHARE_PRIOR[0],
        term if has_size else _ABSENT_LOG,
        term if has_horizon else _ABSENT_LOG,
        SIZE_EXPONENT_PRIOR[0],
        HORIZON_EXPONENT_PRIOR[0],
    ])  # fmt: skip
    sd = np.array([
        LOG_SHARE_PRIOR[1], LOG_TERM_SD, LOG_TERM_SD, SIZE_EXPONENT_PRIOR[1], HORIZON_EXPONENT_PRIOR[1],
    ])  # fmt: skip
    free = np.array([True, has_size, has_horizon, has_size, has_horizon])
    return _Problem(log_size, log_horizon, log_loss, mean, 1 / sd**2, free)


def _terms(parameters: Floats, log_size: Floats, log_horizon: Floats) -> Floats:
    """Return the logs of the three terms, draws (if any) x cells x 3."""
    e, a, b, alpha, beta = (parameters[..., index, None] for index in range(5))
    return np.stack(np.broadcast_arrays(e, a - alpha * log_size, b - beta * log_horizon), axis=-1)


def _log_sum(terms: Floats) -> Floats:
    # scipy's logsumexp spends most of its time on cases that cannot occur here.
    return np.asarray(np.logaddexp(np.logaddexp(terms[..., 0], terms[..., 1]), terms[..., 2]))


def _log_loss(parameters: Floats, log_size: Floats, log_horizon: Floats) -> Floats:
    return _log_sum(_terms(parameters, log_size, log_horizon))


def _jacobian(parameters: Floats, problem: _Problem) -> tuple[Floats, Floats]:
    """Return predicted log loss and its derivatives, the last axis the five parameters."""
    terms = _terms(parameters, problem.log_size, problem.log_horizon)
    predicted = _log_sum(terms)
    share = np.exp(terms - predicted[..., None])
    e, a, b = (share[..., index] for index in range(3))
    parts = [e, a, b, -a * problem.log_size, -b * problem.log_horizon]
    return predicted, np.stack(parts, axis=-1) * problem.free


def _delta(noise_sd: float) -> float:
    return max(HUBER_DELTA, HUBER_SDS * noise_sd)


def _first_fit(problem: _Problem, noise_sd: float) -> tuple[Floats, float]:
    """Fit from a grid of starts; then once more, with the noise that the residuals show."""
    n_free, n = int(problem.free.sum()), len(problem.log_loss)
    alphas, betas = (
        _START_EXPONENTS if problem.free[index] else (float(problem.mean[index]),)
        for index in (_ALPHA, _BETA)
    )
    starts = [_start(problem, *start) for start in product(_START_SHARES, alphas, betas)]
    tried = [_minimised(problem, start, noise_sd) for start in starts]
    best = min(tried, key=lambda found: found[1])[0]
    residual = _log_loss(best, problem.log_size, problem.log_horizon) - problem.log_loss
    # A quarter of the cells may be far off without making the others noisy.
    spread = float(np.median(np.abs(residual))) / float(ndtri(0.75))
    sd = max(noise_sd, spread * math.sqrt(n / max(n - n_free, 1)))
    return _minimised(problem, best, sd)[0], sd


def _start(problem: _Problem, share: float, alpha: float, beta: float) -> Floats:
    rest = 1 - share
    by_term = rest / 2 if problem.free[_A] and problem.free[_B] else rest
    start = problem.mean.copy()
    start[_E] = problem.log_loss.min() + math.log(share)
    term = float(problem.log_loss.mean()) + math.log(by_term)
    start[_A] = term if problem.free[_A] else start[_A]
    start[_B] = term if problem.free[_B] else start[_B]
    start[_ALPHA], start[_BETA] = alpha, beta
    return start


def _minimised(problem: _Problem, start: Floats, noise_sd: float) -> tuple[Floats, float]:
    delta, free = _delta(noise_sd), problem.free

    def objective(values: Floats) -> tuple[float, Floats]:
        parameters = np.where(free, 0.0, problem.mean)
        parameters[free] = values
        predicted, slopes = _jacobian(parameters, problem)
        residual, off = predicted - problem.log_loss, parameters - problem.mean
        size = np.abs(residual)
        huber = np.where(size <= delta, residual**2 / 2, delta * (size - delta / 2))
        pull = np.clip(residual, -delta, delta)
        value = huber.sum() / noise_sd**2 + (problem.precision * off**2).sum() / 2
        gradient = pull @ slopes / noise_sd**2 + problem.precision * off
        return float(value), gradient[free]

    bounds = [(None, None)] * 3 + [EXPONENTS] * 2
    found = minimize(
        objective, start[free], jac=True, method="L-BFGS-B",
        bounds=[bound for bound, used in zip(bounds, free, strict=True) if used],
        options={"maxiter": 500, "ftol": 1e-12},
    )  # fmt: skip
    parameters = problem.mean.copy()
    parameters[free] = found.x
    return parameters, float(found.fun)


def _draws(
    problem: _Problem, fitted: Floats, noise_sd: float, weights: Floats, rng: np.random.Generator
) -> Floats:
    """Refit all draws at once, from the fit, by damped Gauss-Newton steps with Huber weights."""
    n_draws, n = weights.shape
    n_free = int(problem.free.sum())
    missing = noise_sd * math.sqrt(min(n_free, n) / n)
    target = problem.log_loss + missing * rng.standard_normal((n_draws, n))
    centre = problem.mean + rng.standard_normal((n_draws, 5)) / np.sqrt(problem.precision)
    centre = np.where(problem.free, centre, problem.mean)
    parameters = np.repeat(fitted[None], n_draws, axis=0)
    delta, damping = _delta(noise_sd), np.full(n_draws, 1e-3)

    def value_of(at: Floats) -> Floats:
        size = np.abs(_log_loss(at, problem.log_size, problem.log_horizon) - target)
        huber = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
        prior = (problem.precision * (at - centre) ** 2).sum(axis=1) / 2
        return np.asarray((weights * huber).sum(axis=1) / noise_sd**2 + prior)

    value = value_of(parameters)
    for _ in range(_DRAW_STEPS):
        predicted, slopes = _jacobian(parameters, problem)
        residual = predicted - target
        huber = delta / np.maximum(np.abs(residual), delta)
        weighted = (weights * huber / noise_sd**2)[..., None] * slopes
        normal = np.einsum("dnp,dnq->dpq", weighted, slopes)
        diagonal = problem.precision + np.einsum("dpp->dp", normal) * damping[:, None]
        normal += np.eye(5) * diagonal[:, None, :]
        gradient = np.einsum("dnp,dn->dp", weighted, residual)
        gradient += problem.precision * (parameters - centre) * problem.free
        step = np.linalg.solve(normal, gradient[..., None])[..., 0]
        tried = parameters - step
        tried[:, _ALPHA:] = np.clip(tried[:, _ALPHA:], *EXPONENTS)
        new = value_of(tried)
        better = new < value
        parameters = np.where(better[:, None], tried, parameters)
        value = np.where(better, new, value)
        damping = np.where(better, damping / 5, damping * 10)
    return parameters


def _five_numbers(
    parameters: Floats, problem: _Problem, middle: tuple[float, float]
) -> list[tuple[float, float, float, float, float]]:
    """Turn parameters, counted from the table's middle, into the law's five numbers."""
    has_size, has_horizon = bool(problem.free[_A]), bool(problem.free[_B])
    told = []
    for e, a, b, alpha, beta in parameters.tolist():
        size_term = (math.exp(a + alpha * middle[0]), alpha) if has_size else (0.0, 0.0)
        horizon_term = (math.exp(b + beta * middle[1]), beta) if has_horizon else (0.0, 0.0)
        told.append((math.exp(e), *size_term, *horizon_term))
    return told
