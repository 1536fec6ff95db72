"""The part of the report's proof whose truth is known: intervals cover, tests keep their level.

Evaluations are drawn with clustered items, clusters of unequal size and texts of heavy-tailed lengths
(`_report_truths`), and the report's own functions are asked what it would print.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _report_negations import must_fail
from _report_truths import (
    COVERED,
    LEVEL,
    MOST_FALSE,
    TAILS,
    TEXT_KINDS,
    Held,
    Pairs,
    accuracies,
    answered_pairs,
    answers,
    drawn_tasks,
    inside,
    languages,
    outcome,
    paired,
    share_of,
    sizes,
    text_pairs,
    texts,
)
from skald_report.statistics.comparison import mcnemar_exact, minimum_detectable
from skald_report.statistics.families import holm
from skald_report.statistics.intervals import scores_with_intervals
from skald_report.statistics.means import hierarchical_mean, mean_differences, mean_interval, worst
from skald_report.statistics.noise import seed_deviation
from skald_report.statistics.spread import (
    Tested,
    differing,
    displacements,
    spread_of_pairs,
)
from skald_report.statistics.sums import Sums
from skald_specs.claims import Measure

SEED = 20_240_301
#: Evaluations of each design.
N = 4_000
#: Clusters that the bounds are for; fewer are told for information.
CLUSTERS, FEW = (20, 50, 100, 400), (5, 8, 12)
SHARES = (0.25, 0.5, 0.8, 0.95)
#: Within clusters: of answers; and of the normal numbers behind them, 0.7 of which is about 0.5.
CORRELATIONS, LATENT = (0.0, 0.1, 0.5), (0.0, 0.15, 0.7)
HEAVIEST_TAIL = 1.5
#: Evaluations drawn of each of four sets of clusters.
_PARTS = (N // 4,) * 4


class Design(NamedTuple):
    """One set-up of a simulation, and the share of its evaluations that held the truth or erred."""

    n_clusters: int
    name: str
    share: float


def measures(folder: Path) -> list[Measure]:
    """Draw, ask, and write every design to `coverage.csv`."""
    rng = np.random.default_rng(SEED)
    told: dict[str, list[Design]] = {
        "accuracies, items of their own": list(_items(rng)),
        "accuracies, clustered items": list(_accuracies(rng, CLUSTERS)),
        "bits per byte": list(_texts(rng, CLUSTERS)),
        "paired differences": list(_paired(rng, 0.03, _covers)),
        "paired differences of bits per byte": list(_paired_texts(rng, 0.05, _covers)),
    }
    told |= _means(rng)
    false: dict[str, list[Design]] = {
        "paired, clustered answers": list(_paired(rng, 0.0, _rejects)),
        "paired, bits per byte": list(_paired_texts(rng, 0.0, _rejects)),
        "McNemar, items of their own": list(_mcnemar(rng)),
    }
    false["means over languages"] = list(_equal_means(rng))
    few = list(_accuracies(rng, FEW)) + list(_texts(rng, FEW))
    heavy = list(_texts(rng, CLUSTERS, (HEAVIEST_TAIL,)))
    pd.DataFrame(
        [(what, *design) for what, designs in (told | false).items() for design in designs]
        + [("information: few clusters", *design) for design in few]
        + [("information: heaviest tails", *design) for design in heavy],
        columns=["what", "n_clusters", "design", "share"],
    ).to_csv(folder / "coverage.csv", index=False, float_format="%.4f")
    return [
        *(measure for what, designs in told.items() for measure in _covered(what, designs)),
        _tasks_drawn(rng),
        *(_false(what, designs) for what, designs in false.items()),
        *_families(rng),
        *must_fail(rng, N),
        _power(rng),
        _seeds(rng),
        _worst_covered(rng),
        _information("5 to 12 clusters", few),
        _information("texts whose log length has deviation 1.5", heavy),
        _information("texts much harder when short", list(_much_harder(rng))),
    ]


def _accuracies(rng: np.random.Generator, clusters: tuple[int, ...]) -> Iterator[Design]:
    for n_clusters, share, correlation in product(clusters, SHARES, CORRELATIONS):
        cells = accuracies(rng, n_clusters, N, share, correlation)
        found = scores_with_intervals(cells, True, "share")
        held = inside(found.low, found.high, share)
        yield Design(n_clusters, f"share {share:g}, correlation {correlation:g}", share_of(held))


def _items(rng: np.random.Generator) -> Iterator[Design]:
    for n_items, share in product((50, 100, 200, 400), SHARES):
        right = (rng.random((n_items, N)) < share).astype(float)
        found = scores_with_intervals(
            Sums(np.arange(n_items), right, np.ones_like(right)), True, "share"
        )
        held = inside(found.low, found.high, share)
        yield Design(n_items, f"share {share:g}", share_of(held))


def _texts(
    rng: np.random.Generator, clusters: tuple[int, ...], tails: tuple[float, ...] = TAILS
) -> Iterator[Design]:
    for n_clusters, tail, kind in product(clusters, tails, TEXT_KINDS):
        cells, truth = texts(rng, n_clusters, N, tail, kind)
        found = scores_with_intervals(cells, False, "bits")
        held = inside(found.low, found.high, truth)
        yield Design(n_clusters, f"texts {kind}, tail {tail:g}", share_of(held))


def _much_harder(rng: np.random.Generator) -> Iterator[Design]:
    for n_clusters, tail in product(CLUSTERS, (*TAILS, HEAVIEST_TAIL)):
        cells, truth = texts(rng, n_clusters, N, tail, "short-much-harder")
        found = scores_with_intervals(cells, False, "bits")
        yield Design(n_clusters, f"tail {tail:g}", share_of(inside(found.low, found.high, truth)))


def _covers(found: Tested, truth: float) -> Held:
    return inside(found.low, found.high, truth)


def _rejects(found: Tested, truth: float) -> Held:
    return np.asarray(found.p < LEVEL)


def _paired(
    rng: np.random.Generator, gap: float, judged: Callable[[Tested, float], Held]
) -> Iterator[Design]:
    for n_clusters, share, latent in product(CLUSTERS, SHARES, LATENT):
        held = [
            judged(
                outcome(answered_pairs(rng, n_clusters, part, (share + gap, share), latent)), gap
            )
            for part in _PARTS
        ]
        name = f"share {share:g}, latent correlation {latent:g}"
        yield Design(n_clusters, name, share_of(np.concatenate(held)))


def _paired_texts(
    rng: np.random.Generator, gap: float, judged: Callable[[Tested, float], Held]
) -> Iterator[Design]:
    for n_clusters, tail in product(CLUSTERS, (*TAILS, HEAVIEST_TAIL)):
        held = judged(outcome(text_pairs(rng, n_clusters, N, tail, gap)), gap)
        yield Design(n_clusters, f"tail {tail:g}", share_of(held))


def _mcnemar(rng: np.random.Generator) -> Iterator[Design]:
    for n_items, share in product((50, 200, 1000), SHARES):
        difficulty = rng.beta(2 * share, 2 * (1 - share), (n_items, N))
        one, other = (rng.random(difficulty.shape) < difficulty for _ in range(2))
        p = mcnemar_exact((one & ~other).sum(0), (other & ~one).sum(0))
        yield Design(n_items, f"share {share:g}", share_of(p < LEVEL))


#: Languages, tasks and clusters of each cell.
_SHAPES = ((2, 1, 20), (2, 1, 50), (5, 1, 20), (5, 4, 20), (12, 1, 20), (12, 4, 20))
_N_MEANS = 3_000


def _means(rng: np.random.Generator) -> dict[str, list[Design]]:
    means, gaps = [], []
    for shape, share, latent, shared in product(_SHAPES, (0.3, 0.85), (0.15, 0.7), (False, True)):
        drawn = languages(rng, shape, _N_MEANS, share, latent, 0.03, shared)
        mean = hierarchical_mean(drawn.cells)
        first = np.arange(0, 2 * _N_MEANS, 2)
        told, gap = mean_interval(mean, "share"), mean_differences(mean, first, first + 1)
        name = f"{shape[0]} languages, {shape[1]} tasks, share {share:g}, latent {latent:g}"
        name += ", shared keys" if shared else ""
        held = inside(told.low, told.high, drawn.truth)[1::2]
        means.append(Design(shape[2], name, share_of(held)))
        gaps.append(Design(shape[2], name, share_of(inside(gap.low, gap.high, drawn.gap))))
    return {"means over languages": means, "differences of means over languages": gaps}


def _equal_means(rng: np.random.Generator) -> Iterator[Design]:
    for shape, shared in product(((2, 1, 20), (5, 1, 50), (5, 4, 20), (12, 1, 20)), (False, True)):
        drawn = languages(rng, shape, N // 2, 0.7, 0.5, 0.0, shared)
        first = np.arange(0, N, 2)
        found = mean_differences(hierarchical_mean(drawn.cells), first, first + 1)
        name = f"{shape[0]} languages, {shape[1]} tasks" + (", shared keys" if shared else "")
        yield Design(shape[2], name, share_of(found.p < LEVEL))


def _covered(what: str, designs: list[Design]) -> Iterator[Measure]:
    """Yield how often intervals hold the truth: over all designs, and in the least favourable."""
    shares = np.array([design.share for design in designs])
    by_clusters = pd.Series(shares).groupby([design.n_clusters for design in designs]).mean()
    most, least = designs[int(shares.argmax())], designs[int(shares.argmin())]
    yield Measure(
        measure=f"95 % intervals that hold the truth: {what}",
        value=round(float(shares.mean()), 4),
        unit="",
        bound=f"{COVERED[0]:g} to {COVERED[1]:g}",
        holds=bool(COVERED[0] <= by_clusters.min() and by_clusters.max() <= COVERED[1]),
        detail=f"{len(designs)} designs; by clusters, each within the bound: "
        + ", ".join(f"{k}: {v:.3f}" for k, v in by_clusters.items())
        + f"; most {most.share:.3f} at {most.n_clusters} clusters, {most.name}",
    )
    yield Measure(
        measure=f"95 % intervals that hold the truth: {what}, worst design",
        value=round(least.share, 4),
        unit="",
        bound=f">= {COVERED[0]:g}",
        holds=least.share >= COVERED[0],
        detail=f"{least.n_clusters} clusters, {least.name}",
    )


def _false(what: str, designs: list[Design]) -> Measure:
    """Return how often equal models are called different, in the design where it is most often."""
    worst_one = max(designs, key=lambda design: design.share)
    mean = np.mean([design.share for design in designs])
    return Measure(
        measure=f"equal models called different at 5 %: {what}, worst design",
        value=round(worst_one.share, 4),
        unit="",
        bound=f"<= {MOST_FALSE:g}",
        holds=worst_one.share <= MOST_FALSE,
        detail=f"{worst_one.n_clusters} clusters, {worst_one.name}; mean of {len(designs)} designs "
        f"{mean:.3f}",
    )


def _tasks_drawn(rng: np.random.Generator) -> Measure:
    """Return how often the wider interval holds the mean over tasks that were not asked."""
    wide, narrow = [], []
    for n_languages, n_tasks, share in product((1, 5), (5, 8, 20), (0.4, 0.7)):
        cells = drawn_tasks(rng, n_languages, n_tasks, 1_000, share)
        found = mean_interval(hierarchical_mean(cells), "share")
        wide.append(share_of(inside(found.low_tasks, found.high_tasks, share)))
        narrow.append(share_of(inside(found.low, found.high, share)))
    return Measure(
        measure="95 % intervals with tasks drawn anew that hold the mean over all such tasks",
        value=round(float(np.mean(wide)), 4),
        unit="",
        bound=f"{COVERED[0]:g} to {COVERED[1]:g}",
        holds=COVERED[0] <= np.mean(wide) <= COVERED[1] and np.mean(narrow) < COVERED[0],
        detail=f"5 to 20 tasks in 1 and 5 languages: {min(wide):.3f} to {max(wide):.3f}; the interval "
        f"for these tasks alone holds it in {np.mean(narrow):.3f}",
    )


def _families(rng: np.random.Generator) -> Iterator[Measure]:
    """Yield how often ten equal models yield any claim, and that uncorrected p values do so."""
    n, n_models = 1_000, 10
    one, other = np.triu_indices(n_models, 1)
    corrected, plain = np.zeros(n, bool), np.zeros(n, bool)
    for run in range(n):
        cells = Sums(np.arange(50), rng.binomial(4, rng.beta(3, 3, (50, 1)), (50, n_models)).astype(float),
                     np.full((50, n_models), 4.0))  # fmt: skip
        p = outcome(Pairs(cells, one, other)).p
        corrected[run], plain[run] = (holm(p) < LEVEL).any(), (p < LEVEL).any()
    yield Measure(
        measure="families of 45 pairs of equal models with any claim, after Holm",
        value=round(share_of(corrected), 4),
        unit="",
        bound=f"<= {MOST_FALSE:g}",
        holds=share_of(corrected) <= MOST_FALSE,
        detail=f"{n} families",
    )
    yield Measure(
        measure="the same without correction: must be wrong",
        value=round(share_of(plain), 4),
        unit="",
        bound="> 0.05",
        holds=share_of(plain) > 2 * MOST_FALSE,
        detail="what Holm is for",
    )


def _power(rng: np.random.Generator) -> Measure:
    """Return how often a difference as large as the detectable effect is found."""
    items = sizes(rng, (100,))

    def drawn(gap: float) -> Pairs:
        top = answers(rng, items, N, (0.6 + gap, 0.6), 0.15, 0.5)
        bottom = np.repeat(items[:, None].astype(float), top.shape[1], axis=1)
        return paired(Sums(np.arange(len(items)), top, bottom))

    equal = drawn(0.0)
    error = spread_of_pairs(displacements(equal.sums), equal.first, equal.second, len(items))
    apart = differing(equal.sums.top, equal.first, equal.second)
    gap = float(np.median(minimum_detectable(error.se, error.df, apart)))
    found = outcome(drawn(gap)).p < LEVEL
    return Measure(
        measure="differences as large as the minimum detectable effect that are found",
        value=round(share_of(found), 4),
        unit="",
        bound="0.74 to 0.86",
        holds=bool(0.74 <= share_of(found) <= 0.86),
        detail=f"80 % is meant; effect {gap:.3f} on 100 clusters",
    )


def _seeds(rng: np.random.Generator) -> Measure:
    """Return how often the interval of the seeds' deviation holds it."""
    held = [
        found.low <= 1 <= found.high
        for found in (seed_deviation(rng.normal(size=(2, 3)).tolist()) for _ in range(N))
    ]
    return Measure(
        measure="95 % intervals of the deviation between seeds that hold it",
        value=round(float(np.mean(held)), 4),
        unit="",
        bound=f"{COVERED[0]:g} to {COVERED[1]:g}",
        holds=bool(COVERED[0] <= np.mean(held) <= COVERED[1]),
        detail="two groups of three seeds, normal",
    )


def _worst_covered(rng: np.random.Generator) -> Measure:
    """Return how often the interval of the worst language holds the true worst."""
    shares = []
    for correlation, shared in product((0.15, 0.7), (False, True)):
        drawn = languages(rng, (6, 1, 30), _N_MEANS, 0.6, correlation, 0.0, shared)
        means = [hierarchical_mean([cell]) for cell in drawn.cells]
        found = worst(means, "share", True)
        shares.append(share_of(inside(found.low, found.high, drawn.worst)[1::2]))
    return Measure(
        measure="95 % intervals of the worst language that hold it",
        value=round(min(shares), 4),
        unit="",
        bound=f">= {COVERED[0]:g}",
        holds=min(shares) >= COVERED[0],
        detail=f"up to {max(shares):.3f}: wider than need be, as which language is worst is not known",
    )


def _information(what: str, designs: list[Design]) -> Measure:
    """Return what is not promised, so that it is known."""
    shares = pd.Series([design.share for design in designs])
    clusters = [design.n_clusters for design in designs]
    least = shares.groupby(clusters).min()
    mean = shares.groupby(clusters).mean()
    return Measure(
        measure=f"not promised, least coverage: {what}",
        value=round(float(shares.min()), 4),
        unit="",
        bound="no bound",
        holds=True,
        detail="by clusters, least and mean: "
        + ", ".join(f"{k}: {least[k]:.3f}, {mean[k]:.3f}" for k in least.index),
    )
