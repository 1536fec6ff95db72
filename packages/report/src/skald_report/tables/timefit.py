"""What figures and tables ask of fit.json: which size and batches to show, and the families' mean.

Knows how to choose, to pool and to evaluate a family at a place given in log2; the form of the ridge is
`skald_specs.ridge`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skald_specs.plan import COVERAGE
from skald_specs.ridge import best_batch as lowest_over_batch
from skald_specs.ridge import named, ridge
from skald_specs.timefit import Centre, FamilyFit, TimeFit

T = TypeVar("T")
Floats = NDArray[np.float64]
#: A family with less weight is named, and not drawn.
LEAST_WEIGHT = 0.05


class Size(NamedTuple):
    """A model shape of the table."""

    width: int
    depth: int
    n_params_non_embedding: int


class Surface(NamedTuple):
    """One family at its fitted values, or at all its bootstrap draws (a leading axis)."""

    family: FamilyFit
    centre: Centre
    parameters: Mapping[str, Any]

    @classmethod
    def fitted(cls, family: FamilyFit, centre: Centre) -> Surface:
        """Return the surface at the fitted values; answers have the shape of the question.

        Args:
            family: One of the fit's.
            centre: The fit's.
        """
        return cls(family, centre, named(family))

    @classmethod
    def drawn(cls, family: FamilyFit, centre: Centre) -> Surface:
        """Return the surface at every draw; answers are one a draw.

        Args:
            family: One of the fit's, with its bootstrap draws.
            centre: The fit's.
        """
        draws = np.asarray(family.draws, dtype=np.float64).reshape(-1, len(family.names))
        return cls(family, centre, named(family, draws))

    def ridge(self, log2_batch: ArrayLike, log2_size: float, log2_horizon: ArrayLike) -> Floats:
        """Return log2 of the best learning rate at a batch, size and horizon.

        Args:
            log2_batch: Log2 of tokens a batch; of a drawn surface one number, or one a draw.
            log2_size: Log2 of non-embedding parameters.
            log2_horizon: Log2 of tokens of the whole run.

        Returns:
            Log2 of the learning rate at the base shape.
        """
        y = np.asarray(log2_batch, dtype=np.float64) - self.centre.log2_batch
        t = np.asarray(log2_horizon, dtype=np.float64) - self.centre.log2_horizon
        at = ridge(self.family.kind, self.parameters, y, t, log2_size - self.centre.log2_size)
        return np.asarray(self.centre.log2_lr + at)

    @property
    def has_best_batch(self) -> bool:
        """Whether loss is a parabola over the batch that opens upwards."""
        return float(np.median(self.parameters.get("profile", 0.0))) > 0

    def best_batch(self, log2_size: float, log2_horizon: float) -> Floats:
        """Return log2 of the best batch at a size and horizon: where the parabola over it is lowest.

        Args:
            log2_size: Log2 of non-embedding parameters.
            log2_horizon: Log2 of tokens of the whole run.

        Returns:
            Log2 of tokens a batch; NaN of a family without a profile over the batch.
        """
        t, n = log2_horizon - self.centre.log2_horizon, log2_size - self.centre.log2_size
        return np.asarray(self.centre.log2_batch + lowest_over_batch(self.parameters, t, n))

    def excess(self, log2_lr: ArrayLike, log2_batch: ArrayLike, log2_size: float,
               log2_horizon: float) -> Floats:  # fmt: skip
        """Return log loss above the optimum of a size and horizon: h u^2 (1 + skew u) + k v^2.

        u is octaves of learning rate above the ridge, v octaves of batch from the best one.

        Args:
            log2_lr: Log2 of the learning rate at the base shape.
            log2_batch: Log2 of tokens a batch.
            log2_size: Log2 of non-embedding parameters.
            log2_horizon: Log2 of tokens of the whole run.
        """
        away = np.asarray(log2_lr, dtype=np.float64) - self.ridge(
            log2_batch, log2_size, log2_horizon
        )
        rise, skew, over_batch = self._shape(log2_horizon)
        off = np.asarray(log2_batch, dtype=np.float64) - self.best_batch(log2_size, log2_horizon)
        return np.asarray(rise * away**2 * (1 + skew * away) + over_batch * off**2)

    def contour(
        self, excess: float, log2_size: float, log2_horizon: float, shown: tuple[float, float]
    ) -> tuple[Floats, Floats, Floats]:
        """Return where log loss lies so far above the optimum.

        Args:
            excess: Of log loss.
            log2_size: Size.
            log2_horizon: Horizon.
            shown: log2 batches between which the contour is wanted.

        Returns:
            log2 batches, and on each log2 of the lower and of the upper learning rate; empty where the
            contour lies outside.
        """
        rise, skew, over_batch = self._shape(log2_horizon)
        best = float(self.best_batch(log2_size, log2_horizon))
        reach = math.sqrt(excess / over_batch)
        low, high = max(shown[0], best - reach), min(shown[1], best + reach)
        if low >= high:
            return np.empty(0), np.empty(0), np.empty(0)
        # Points crowd at the ends, where the contour turns.
        y = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, math.pi, 41))
        left = np.maximum(excess - over_batch * (y - best) ** 2, 0) / rise
        middle = self.ridge(y, log2_size, log2_horizon)
        sides = []
        for side in (-1, 1):
            away = side * np.sqrt(left)
            for _ in range(40):
                # Far down the lower side a skewed parabola turns over; no contour is drawn there.
                away = side * np.sqrt(left / np.maximum(1 + skew * away, 0.3))
            sides.append(middle + away)
        return y, sides[0], sides[1]

    def _shape(self, log2_horizon: float) -> tuple[float, float, float]:
        """Return the rise of log loss at one octave of learning rate, its skew, and that of batch."""
        p, t = self.parameters.get, log2_horizon - self.centre.log2_horizon
        rise = math.exp(p("curvature", -math.inf) + p("curvature_horizon", 0.0) * t)
        return rise, float(p("skew", 0.0)), max(0.0, float(p("profile", 0.0)))


class Spread(NamedTuple):
    """The middle of a distribution and its interval, of `skald_specs.plan.COVERAGE`."""

    value: float
    low: float
    high: float


def main_size(fit: TimeFit) -> Size:
    """Return the shape with most horizons, then most runs, then fewest parameters."""
    runs = Counter(Size(r.width, r.depth, r.n_params_non_embedding) for r in fit.runs)
    horizons = {
        size: len({r.horizon_tokens for r in fit.runs if r.n_params_non_embedding == size[2]})
        for size in runs
    }
    return max(runs, key=lambda s: (horizons[s], runs[s], -s.n_params_non_embedding))


def main_batch(fit: TimeFit, size: Size, used: Collection[int] = ()) -> int:
    """Return the batch of a shape to show alone, in tokens.

    Args:
        fit: The fit.
        size: The shape.
        used: Batches of the baselines; one that was swept comes first.

    Returns:
        Then the one with most runs, then the nearest to the middle of what was swept.
    """
    counts = Counter(
        r.global_batch_tokens
        for r in fit.runs
        if Size(r.width, r.depth, r.n_params_non_embedding) == size
    )
    return max(
        sorted(counts),
        key=lambda b: (b in used, counts[b], -abs(math.log2(b) - fit.centre.log2_batch)),
    )


def some(values: Sequence[T], limit: int) -> list[T]:
    """Thin out values.

    Args:
        values: Ascending.
        limit: How many may be left, two or more.

    Returns:
        So many at most, evenly spread, the first and the last included.
    """
    if len(values) <= limit:
        return list(values)
    places = np.linspace(0, len(values) - 1, limit).round().astype(int)
    return [values[place] for place in dict.fromkeys(places.tolist())]


def heaviest(fit: TimeFit) -> FamilyFit:
    """Return the family with the largest share in predictions."""
    return max(fit.families, key=lambda family: family.weight)


def knows_batch(fit: TimeFit) -> bool:
    """Return whether the fit has a best batch inside a parabola."""
    return Surface.fitted(heaviest(fit), fit.centre).has_best_batch


def best_batch(fit: TimeFit, log2_size: float, horizon_tokens: float) -> Spread:
    """Return the best batch, families that know it pooled by weight.

    Args:
        fit: The fit; one family at least knows the best batch (`knows_batch`).
        log2_size: log2 of non-embedding parameters.
        horizon_tokens: Length of training, tokens.

    Returns:
        log2 of tokens.
    """
    t = math.log2(horizon_tokens)
    return _pooled(
        (family.weight, fitted.best_batch(log2_size, t), drawn.best_batch(log2_size, t))
        for family, fitted, drawn in _surfaces(fit)
        if fitted.has_best_batch
    )


def best_lr(fit: TimeFit, log2_size: float, horizon_tokens: float) -> Spread:
    """Return the best learning rate at the best batch, pooled like it.

    Args:
        fit: The fit; one family at least knows the best batch (`knows_batch`).
        log2_size: log2 of non-embedding parameters.
        horizon_tokens: Length of training, tokens.

    Returns:
        log2 of the rate at the base shape.
    """
    t = math.log2(horizon_tokens)
    return _pooled(
        (
            family.weight,
            fitted.ridge(fitted.best_batch(log2_size, t), log2_size, t),
            drawn.ridge(drawn.best_batch(log2_size, t), log2_size, t),
        )
        for family, fitted, drawn in _surfaces(fit)
        if fitted.has_best_batch
    )


def _surfaces(fit: TimeFit) -> list[tuple[FamilyFit, Surface, Surface]]:
    return [
        (family, Surface.fitted(family, fit.centre), Surface.drawn(family, fit.centre))
        for family in fit.families
    ]


def _pooled(found: Iterable[tuple[float, Floats, Floats]]) -> Spread:
    parts = [(weight, float(middle), np.ravel(draws)) for weight, middle, draws in found]
    total = math.fsum(weight for weight, _, _ in parts)
    middle = math.fsum(weight * value for weight, value, _ in parts) / total
    draws = np.concatenate([own for _, _, own in parts])
    each = np.concatenate([np.full(own.size, w / own.size) for w, _, own in parts if own.size])
    each = each[np.isfinite(draws)]
    draws = draws[np.isfinite(draws)]
    if not draws.size:
        return Spread(middle, math.nan, math.nan)
    order = np.argsort(draws)
    reached = np.cumsum(each[order]) / each.sum()
    tail = (1 - COVERAGE) / 2
    low, high = np.interp([tail, 1 - tail], reached, draws[order])
    return Spread(middle, float(low), float(high))
