"""`nox -s bench -- plan`: a fit of 1,911 runs with 1,000 bootstrap draws, against a straightforward loop.

Ours solves draws side by side as arrays. The peer takes the same tables one by one: scipy's least squares on the
same surface, levels as dummy columns, started at the fit, once with scipy's own differences and once with
our derivatives. It is timed on some of the draws and scaled. All is judged in CPU seconds of one thread, which other
work on the machine disturbs least, and in turn, A B A B.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from _conclude import conclude
from _options import options
from numpy.typing import NDArray
from scipy.optimize import least_squares

# The table that the proof draws; `benchmarks/proofs` is no package.
sys.path.insert(0, str(Path(__file__).parent / "proofs"))
from _transfer_dense import drawn_table
from skald_planner.fitting.bootstrap import Tables, drawn_tables
from skald_planner.fitting.cells import Points, near_best, points_of
from skald_planner.fitting.families import KINDS
from skald_planner.fitting.joint import Solution, refit, solve
from skald_planner.fitting.surface import surface_of
from skald_planner.fitting.transfer import fit_time
from skald_specs.claims import Measure
from skald_specs.ridge import ridge

Floats = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")
#: Of the published table of arXiv 2503.04715.
N_RUNS, N_DRAWS = 1911, 1000
MOST_SECONDS, LEAST_RATIO = 10.0, 20.0
#: Draws that the peer solves in each turn.
N_PEER, TURNS = 4, 5
#: Largest difference of the best rates of both, octaves: a tenth of a grid's step, and of the intervals' width. Four
#: steps leave directions that the table hardly shows about 0.03 from where they would settle.
SAME_OCTAVES = 0.05


def main() -> int:
    """Measure and conclude."""
    given = options(__doc__)
    table = drawn_table(np.random.default_rng(2503)).head(N_RUNS)
    fit_time(table, "drawn", "nats/token", n_draws=10)
    seconds, _ = _cpu(fit_time, table, "drawn", "nats/token", n_draws=N_DRAWS)
    weight = near_best(table)
    points = points_of(table, weight)
    measures = [
        Measure(
            measure=f"a whole fit of {len(table)} runs, {N_DRAWS} draws",
            value=round(seconds, 2),
            unit="CPU s",
            bound=f"< {MOST_SECONDS:g}",
            holds=seconds < MOST_SECONDS,
            detail=f"{int((weight > 0).sum())} runs count; families, held-out horizons, loss law and critical "
            "batches included",
        ),
        *_against_loop(points),
    ]
    return conclude("plan", "bench", measures, given)


def _against_loop(points: Points) -> list[Measure]:
    """Time both on the same tables, for all families together."""
    surfaces = [surface_of(kind, points, size_terms=True) for kind in KINDS]
    solutions = [solve(surface, points) for surface in surfaces if surface is not None]
    ours, theirs, derived, apart = [], [], [], []
    for turn in range(TURNS):
        rng = np.random.default_rng(turn)
        fast = slow = given = 0.0
        for solution in solutions:
            tables = drawn_tables(solution, points, N_DRAWS, rng)
            seconds, many = _cpu(refit, solution, points, tables.moved, tables.pulled)
            few = tables._replace(moved=tables.moved[:N_PEER], pulled=tables.pulled[:N_PEER])
            plain_seconds, alone = _cpu(_loop, solution, points, few, derivatives=False)
            given_seconds, _ = _cpu(_loop, solution, points, few, derivatives=True)
            fast += seconds
            slow += plain_seconds * N_DRAWS / N_PEER
            given += given_seconds * N_DRAWS / N_PEER
            apart.append(_ridges_apart(solution, points, many[:N_PEER], alone))
        ours.append(fast)
        theirs.append(slow)
        derived.append(given)
    ratios = [slow / fast for slow, fast in zip(theirs, ours, strict=True)]
    ratio, worst = statistics.median(ratios), max(apart)
    return [
        Measure(
            measure=f"{N_DRAWS} draws of {len(solutions)} families against one draw at a time",
            value=round(ratio, 1),
            unit="x",
            bound=f">= {LEAST_RATIO:g}",
            holds=ratio >= LEAST_RATIO,
            detail=f"{statistics.median(ours):.2f} against {statistics.median(theirs):.0f} CPU s (from "
            f"{N_PEER} draws of each family); {min(ratios):.1f} to {max(ratios):.1f} over {TURNS} turns; a loop that is "
            f"given the derivatives takes {statistics.median(derived):.0f}",
        ),
        Measure(
            measure="largest difference of a draw's best rate between both",
            value=worst,
            unit="octaves",
            bound=f"<= {SAME_OCTAVES:g}",
            holds=worst <= SAME_OCTAVES,
            detail="over the runs that count",
        ),
    ]


def _loop(solution: Solution, points: Points, tables: Tables, derivatives: bool) -> Floats:
    """Fit one table after the other."""
    surface, root = solution.surface, np.sqrt(solution.weights)
    _, precision = surface.priors()
    pull = np.sqrt(precision) * solution.noise_sd
    dummies = (points.level[:, None] == np.arange(points.level.max() + 1)).astype(float)
    n = len(surface.names)
    found = []
    for moved, pulled in zip(tables.moved, tables.pulled, strict=True):
        log_loss = surface.values(solution.values[None], points)[0] + moved
        mean = solution.values + pulled

        def residuals(at: Floats, log_loss: Floats = log_loss, mean: Floats = mean) -> Floats:
            misfit = log_loss - surface.values(at[None, :n], points)[0] - dummies @ at[n:]
            return np.concatenate([root * misfit, pull * (mean - at[:n])])

        def jacobian(at: Floats) -> Floats:
            slopes = np.hstack([surface.jacobian(at[None, :n], points)[0], dummies])
            bottom = np.hstack([np.diag(pull), np.zeros((n, dummies.shape[1]))])
            return -np.vstack([root[:, None] * slopes, bottom])

        start = np.concatenate([solution.values, np.zeros(dummies.shape[1])])
        jac = jacobian if derivatives else "2-point"
        found.append(least_squares(residuals, start, jac=jac, x_scale="jac").x[:n])
    return np.array(found)


def _ridges_apart(solution: Solution, points: Points, one: Floats, other: Floats) -> float:
    """Return the largest difference of the ridge over the points, in octaves."""
    kind, names = solution.surface.kind, solution.surface.names
    ridges = []
    for values in (one, other):
        p = {name: values[:, i, None] for i, name in enumerate(names)}
        ridges.append(ridge(kind, p, points.y, points.t, points.n))
    return float(np.abs(ridges[0] - ridges[1]).max())


def _cpu(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> tuple[float, T]:
    """Return CPU seconds of some work, and its result."""
    began = time.process_time()
    result = work(*args, **named)
    return time.process_time() - began, result


if __name__ == "__main__":
    sys.exit(main())
