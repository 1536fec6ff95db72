"""The loss surface around a ridge: which parameters a table can show, values and derivatives.

log loss = level + h u^2 (1 + skew u), u = x - ridge(y, t, n), where h may change with the horizon; in scattered designs a
parabola over the batch stands beside it. Evaluated for many parameter vectors at once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from skald_specs.ridge import RIDGE_NAMES, ridge
from skald_specs.timefit import FamilyKind

from skald_planner.fitting.cells import Floats, Points

#: log h, its change for each octave of horizon, and how much steeper the upper side is.
CURVATURE = ("curvature", "curvature_horizon", "skew")
#: Coefficients of y^2, y, y t and y n in a scattered design.
PROFILE = ("profile", "profile_batch", "profile_horizon", "profile_size")


class Gaussian(NamedTuple):
    """A weak prior of a parameter."""

    mean: float
    sd: float


#: Keep parameters finite that a table hardly shows. Sweeps are laid about the optimum. Published exponents of
#: the best rate lie between 0 and 1 in the batch, -0.6 and 0.3 in the horizon, -0.7 and 0 in the size; one
#: octave off the best costs 0.2 to 6 % of loss, and too high costs more than too low. Critical batches grow with
#: the horizon to the power of 0.46 (arXiv 2410.21676) to 1 (arXiv 2410.05838). Assumed; wide on purpose.
WEAK_PRIORS = {
    "level": Gaussian(0.0, 2.0),
    "batch": Gaussian(0.5, 0.5),
    "horizon": Gaussian(0.0, 0.7),
    "size": Gaussian(0.0, 0.7),
    "knee": Gaussian(0.0, 4.0),
    "knee_horizon": Gaussian(0.7, 0.5),
    "curvature": Gaussian(math.log(0.012), 1.5),
    "curvature_horizon": Gaussian(0.0, 0.5),
    "skew": Gaussian(0.0, 0.15),
    # Log loss for each octave of batch, squared and not; a batch eight times off costs a few per cent.
    "profile": Gaussian(0.005, 0.02),
    "profile_batch": Gaussian(0.0, 0.1),
    "profile_horizon": Gaussian(0.0, 0.03),
    "profile_size": Gaussian(0.0, 0.03),
}


class Surface(NamedTuple):
    """One family's surface on one table: its kind and the parameters that the table can show."""

    kind: FamilyKind
    names: tuple[str, ...]

    def priors(self) -> tuple[Floats, Floats]:
        """Return mean and precision (0: no prior) of each parameter."""
        known = [WEAK_PRIORS.get(name) for name in self.names]
        mean = np.array([0.0 if prior is None else prior.mean for prior in known])
        precision = np.array([0.0 if prior is None else prior.sd**-2 for prior in known])
        return mean, precision

    def values(self, parameters: Floats, at: Points) -> Floats:
        """Return the surface without its levels.

        Args:
            parameters: Shape (draws, parameters).
            at: The points.

        Returns:
            Shape (draws, points).
        """
        p = {name: parameters[:, i, None] for i, name in enumerate(self.names)}
        away = at.x - ridge(self.kind, p, at.y, at.t, at.n)
        surface = self._curvature(p, at) * away**2 * (1 + p["skew"] * away)
        for name, column in _profile(at).items():
            if name in p:
                surface = surface + p[name] * column
        return np.asarray(surface)

    def jacobian(self, parameters: Floats, at: Points) -> Floats:
        """Return the derivatives of `values` by the parameters.

        Args:
            parameters: Shape (draws, parameters).
            at: The points.

        Returns:
            Shape (draws, points, parameters).
        """
        p = {name: parameters[:, i, None] for i, name in enumerate(self.names)}
        away = at.x - ridge(self.kind, p, at.y, at.t, at.n)
        h = self._curvature(p, at)
        skewed = 1 + p["skew"] * away
        inner = -h * away * (2 + 3 * p["skew"] * away)
        ones = np.ones_like(inner)
        columns = {
            "skew": h * away**3,
            "curvature": h * away**2 * skewed,
            "level": inner,
            "horizon": inner * at.t,
        }
        columns |= {"size": inner * at.n, "batch": inner * at.y}
        columns["curvature_horizon"] = columns["curvature"] * at.t
        if self.kind != "power":
            above = at.y - (p["knee"] + p.get("knee_horizon", 0.0) * at.t)
            # d ridge / d knee = - d ridge / d above.
            below = 1 / (1 + np.exp2(above))
            slope = (2 * (1 - below) - 1) / 2 if self.kind == "surge" else -0.5 * below
            columns["knee"] = inner * slope
            columns["knee_horizon"] = columns["knee"] * at.t
        columns |= {name: ones * column for name, column in _profile(at).items()}
        return np.stack([columns[name] for name in self.names], axis=-1)

    def _curvature(self, p: dict[str, Floats], at: Points) -> Floats:
        return np.asarray(np.exp(p["curvature"] + p.get("curvature_horizon", 0.0) * at.t))


def _profile(at: Points) -> dict[str, Floats]:
    return dict(zip(PROFILE, (at.y**2, at.y, at.y * at.t, at.y * at.n), strict=True))


def surface_of(kind: FamilyKind, points: Points, size_terms: bool) -> Surface | None:
    """Return the surface that a table can carry, or None where it cannot tell the family.

    Args:
        kind: The ridge's form.
        points: The table.
        size_terms: Let the ridge move with size.
    """
    n_batches, n_horizons, n_sizes = (_distinct(v) for v in (points.y, points.t, points.n))
    if kind != "power" and (n_batches < 3 or n_horizons < 2):
        return None
    shown = {
        "batch": n_batches > 1,
        "horizon": n_horizons > 1,
        "size": size_terms and n_sizes > 1,
        "knee_horizon": n_horizons > 1,
        "curvature_horizon": n_horizons > 2,
        "profile_horizon": n_horizons > 1,
        "profile_size": n_sizes > 1,
    }
    names = (*CURVATURE, *RIDGE_NAMES[kind], *(PROFILE if points.scattered else ()))
    return Surface(kind, tuple(name for name in names if shown.get(name, True)))


def _distinct(values: Floats) -> int:
    return int(np.unique(np.round(values, 6)).size)
