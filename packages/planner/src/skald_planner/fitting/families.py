"""Which form the ridge has: each is fitted, judged on horizons it has not seen, and weighed.

Knows power, surge and saturating forms; refuses to choose by fit in sample, where the form with more
parameters wins.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import numpy as np
from scipy.special import ndtri
from skald_specs.plan import COVERAGE
from skald_specs.timefit import FamilyKind

from skald_planner.fitting.batches import batch_profile, scattered_profile
from skald_planner.fitting.bootstrap import cluster_draws, cluster_weights
from skald_planner.fitting.cells import Floats, Points
from skald_planner.fitting.joint import Solution, solve, without_levels
from skald_planner.fitting.surface import surface_of

KINDS: tuple[FamilyKind, ...] = get_args(FamilyKind)
#: Draws of the weights of horizons when families are weighed.
N_WEIGHINGS = 500
#: More horizons than these are left out in groups of neighbours: a horizon between two others near it is
#: no test of the form.
MOST_FOLDS = 6


class Fitted(NamedTuple):
    """A family on one table.

    Attributes:
        solution: Its fit.
        names: Its parameters; those of the batch's profile come last, where a table shows them.
        values: The estimate.
        draws: Over the cluster bootstrap, shape (draws, parameters).
        spread: Of optima between cells, octaves.
        held_out_error: Root mean square of log loss at horizons left out; None where none can be.
        weight: Share in predictions.
    """

    solution: Solution
    names: tuple[str, ...]
    values: Floats
    draws: Floats
    spread: float
    held_out_error: float | None
    weight: float

    @property
    def kind(self) -> FamilyKind:
        """The ridge's form."""
        return self.solution.surface.kind


def fit_families(
    points: Points, size_terms: bool, n_draws: int, rng: np.random.Generator
) -> tuple[Fitted, ...]:
    """Fit every family that the table can tell, and weigh them.

    Args:
        points: The runs.
        size_terms: Let the optimum move with size.
        n_draws: Draws of the cluster bootstrap.
        rng: Their source.

    Returns:
        Families by falling weight. The power law alone where fewer than three horizons, or fewer than three
        batches, are there.
    """
    surfaces = [surface_of(kind, points, size_terms) for kind in KINDS]
    solutions = [solve(surface, points) for surface in surfaces if surface is not None]
    scores = [held_out_scores(solution, points) for solution in solutions]
    if any(score is None for score in scores):
        solutions, weights = solutions[:1], np.ones(1)
    else:
        weights = _weigh(np.array(scores), rng)
    drawn = cluster_weights(points.cell, points.seed, n_draws, rng)
    families = []
    for solution, score, weight in zip(solutions, scores, weights, strict=False):
        draws, spread = cluster_draws(solution, points, n_draws, rng)
        names, values = solution.surface.names, solution.values
        profile = None
        if points.scattered:
            draws = scattered_profile(solution, points, draws, rng)
        else:
            profile = batch_profile(solution, points, drawn, rng)
        if profile is not None:
            names = (*names, *profile.names)
            values = np.concatenate([values, profile.values])
            draws = np.concatenate([draws, profile.draws], axis=1)
        error = None if score is None else float(np.sqrt(score[:, 0].sum() / score[:, 1].sum()))
        families.append(Fitted(solution, names, values, draws, spread, error, float(weight)))
    return tuple(sorted(families, key=lambda family: -family.weight))


def normal_quantile() -> float:
    """Return the half-width, in standard deviations, of a two-sided interval at `COVERAGE`."""
    return float(ndtri(0.5 + COVERAGE / 2))


def folds(t: Floats) -> list[Floats]:
    """Return horizons to leave out together: each alone, or neighbours where there are many."""
    horizons = np.unique(t)
    return [part for part in np.array_split(horizons, min(MOST_FOLDS, horizons.size)) if part.size]


def held_out_scores(solution: Solution, points: Points) -> Floats | None:
    """Return squared error and number of runs of each fold of horizons when it is left out of the fit.

    Args:
        solution: Its surface is fitted again without each horizon.
        points: The runs.

    Returns:
        Shape (horizons, 2); None with fewer than three horizons, which leave no trend behind.
    """
    if np.unique(points.t).size < 3:
        return None
    scores = []
    for fold in folds(points.t):
        out = np.isin(points.t, fold)
        kept = surface_of(
            solution.surface.kind, points.where(~out), "size" in solution.surface.names
        )
        if kept is None:
            return None
        fitted = solve(kept, points.where(~out))
        unseen = points.where(out)
        misfit = unseen.log_loss - kept.values(fitted.values[None], unseen)
        centred = without_levels(unseen, unseen.weight[None], misfit)[0]
        scores.append((float((unseen.weight * centred**2).sum()), float(unseen.weight.sum())))
    return np.array(scores)


def _weigh(scores: Floats, rng: np.random.Generator) -> Floats:
    """Turn held-out errors into weights of families.

    Args:
        scores: Shape (families, horizons, 2): squared error and runs.
        rng: Weights of the horizons.

    Source: pseudo-BMA+ (Yao et al. 2018, arXiv 1704.02030, section 3.4): log predictive densities of the
        held-out horizons, horizons weighed by a Bayesian bootstrap, so that few horizons leave it open.
    """
    errors, runs = scores[..., 0], scores[0, :, 1]
    # Runs of one horizon are wrong together: a horizon counts as one observation of the error's size.
    variance = (errors / runs).min(axis=0).mean()
    density = -0.5 * (errors / runs) / variance
    horizons = rng.dirichlet(np.ones(runs.size), size=N_WEIGHINGS) * runs.size
    logits = horizons @ density.T
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    return np.asarray((shares / shares.sum(axis=1, keepdims=True)).mean(axis=0))
