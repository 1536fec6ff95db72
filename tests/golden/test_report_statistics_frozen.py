"""All statistics of one small panel, as a committed file.

Items, clusters, weights and missing answers are drawn once; what is worked out by hand or by other
libraries stands beside this file. Here nothing may move: a change is a change of published intervals.
Regenerate with `python tests/golden/test_report_statistics_frozen.py` and read the difference.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from skald_report.statistics.comparison import (
    minimum_detectable,
    paired_differences,
    paired_mean,
    strictest,
    verdicts,
)
from skald_report.statistics.crossed import crossed_difference
from skald_report.statistics.families import benjamini_hochberg, holm
from skald_report.statistics.intervals import (
    bounds,
    p_against,
    scale_of,
    scores_with_intervals,
    wilson,
)
from skald_report.statistics.means import (
    Cell,
    hierarchical_mean,
    mean_against,
    mean_differences,
    mean_interval,
    worst,
)
from skald_report.statistics.noise import (
    checkpoint_deviation,
    seed_deviation,
    seed_difference,
    signal,
    signal_to_noise,
)
from skald_report.statistics.spread import displacements, spread, spread_of_pairs
from skald_report.statistics.sums import chance_corrected, sums
from skald_specs.files import read_json, write_json

FILE = Path(__file__).with_name("report-statistics.json")
FIRST, SECOND = np.array([0, 0, 1, 2, 3, 2]), np.array([1, 2, 2, 3, 0, 2])


def panel():
    """Return scores (60, 4), bytes and keys: shares in three models, rates in the fourth; holes."""
    rng = np.random.default_rng(20)
    skill, scene = np.array([0.7, 0.6, 0.55, 0.65]), rng.normal(0, 0.15, 12)
    keys = rng.integers(0, 12, 60)
    scores = (rng.random((60, 4)) < skill + scene[keys][:, None]).astype(float)
    scores[:, 3] = np.round(scores[:, 3] * 0.7 + rng.random(60) * 0.3, 3)
    scores[rng.random((60, 4)) < [0, 0, 0.2, 0.1]] = np.nan
    return scores, rng.integers(20, 200, 60).astype(float), keys


def cells(n_tasks=5):
    """Return three languages of several tasks, some scenes of which are shared."""
    rng = np.random.default_rng(21)
    found = []
    for language in range(3):
        for task in range(n_tasks + language):
            keys = rng.integers(0, 9, 24) + (100 * task if task % 2 else 1000 * language)
            right = (rng.random((24, 4)) < [0.8, 0.7, 0.6, 0.5]).astype(float)
            found.append(Cell(language, task, sums(right, np.ones(24), keys)))
    return found


def of_scores():
    scores, n_bytes, keys = panel()
    found = {}
    for name, weights, by, bits, binary in (
        ("alone", np.ones(60), np.arange(60), False, [True, True, True, False]),
        ("shares", np.ones(60), keys, False, [True, True, True, False]),
        ("texts", n_bytes, keys, True, False),
        ("beyond", np.ones(60), keys, False, False),
    ):
        values = scores * 7 if name == "beyond" else scores
        table = sums(values, weights, by)
        scale = scale_of(table, bits)
        found[name] = [scale, *scores_with_intervals(table, binary, scale, 0.4)]
    one = sums(scores[:3, :1], np.ones(3), np.zeros(3))
    found["one cluster"] = list(scores_with_intervals(one, True, "share", 0.25))
    found["chance"] = list(chance_corrected(sums(scores[:, :2], np.ones(60), keys), 0.25))
    found["wilson"] = [*wilson([0, 3, 9], 9), *wilson([0, 3, 9], 9, 3.0)]
    moved = spread(displacements(sums(scores[:, :2], np.ones(60), keys)), 12, 2)
    found["strata"] = list(moved)
    estimate = np.array([0.6, 0.5])
    for scale in ("share", "bits", "other"):
        found[f"bounds {scale}"] = list(bounds(estimate, moved, scale, 12, 30.0, 0.1))
        found[f"p {scale}"] = p_against(estimate, moved, scale, 12, 0.3, 30.0)
    return found


def of_pairs():
    scores, n_bytes, keys = panel()
    found = {}
    for name, values, weights, by in (
        ("clustered", scores, np.ones(60), keys),
        ("alone", scores, np.ones(60), np.arange(60)),
        ("texts", scores, n_bytes, keys),
        ("whole", np.nan_to_num(scores, nan=0.5), np.ones(60), keys),
    ):
        told = paired_differences(values, weights, by, FIRST, SECOND)
        found[name] = [*told, verdicts(told.difference, told.p, name != "texts", 0.4)]
        found[f"{name} detectable"] = minimum_detectable(
            told.se, told.df, told.n_differing, strictest([1, 2, 3, 4, 5, 6]), 0.7
        )
    moved = displacements(sums(scores[:, :2], np.ones(60), keys))
    found["strata"] = list(spread_of_pairs(moved, np.array([0]), np.array([1]), 12, 3))
    found["mean"] = [*paired_mean([1.0, 1.2, 0.9], [0.8, 0.9, 0.85]), *paired_mean([1.0], [0.5])]
    found["equal"] = [*paired_mean([1.0, 2.0], [0.5, 1.5]), *paired_mean([1.0, 2.0], [1.0, 2.0])]
    p = np.array([[0.01, 0.2], [0.04, np.nan], [0.03, 0.001], [0.6, 0.05]])
    found["families"] = [*holm(p), *benjamini_hochberg(p)]
    return found


def of_means():
    found = {}
    for name, parts in (("many", cells()), ("few", cells(2))):
        mean = hierarchical_mean(parts)
        found[name] = [mean.estimate, mean.n_strata, mean.lowest, *mean_interval(mean, "share")]
        found[f"{name} other"] = list(mean_interval(mean, "other"))
        found[f"{name} pairs"] = list(mean_differences(mean, FIRST, SECOND))
        found[f"{name} against"] = mean_against(mean, "share", 0.5)
        found[f"{name} sums"] = [(mean.by_key**2).sum(0), mean.parts.sum(0)]
    lower = [one._replace(sums=chance_corrected(one.sums, 0.25), lowest=-1 / 3) for one in cells()]
    found["corrected"] = list(mean_interval(hierarchical_mean(lower), "share"))
    tags = [hierarchical_mean([one for one in cells() if one.language == i]) for i in range(3)]
    found["worst"] = [*worst(tags, "share", True), *worst(tags, "share", False)]
    return found


def of_noise():
    rng = np.random.default_rng(22)
    tops, bottoms = rng.normal(0.5, 2, (3, 40)), rng.integers(5, 50, 40).astype(float)
    groups, keys = np.arange(40) % 3, rng.integers(0, 15, 40)
    seeds = seed_deviation([[1.0, 2.0, 4.0], [5.0, 5.5], [9.0], [2.0, np.nan, 3.0]])
    return {
        "crossed": list(crossed_difference(tops, bottoms, groups, keys)),
        "crossed clear": list(crossed_difference(tops + 900, bottoms, groups, keys)),
        "seeds": [*seeds, seed_difference(seeds)],
        "checkpoints": checkpoint_deviation([[1.0, 2.0], [3.0, 2.5], [2.5, 2.0]]),
        "signal": [signal([0.1, 0.4, np.nan, 0.2]), signal([0.1, np.nan]), signal([0.1, 0.3])],
        "ratio": [signal_to_noise(2.0, [0.5, np.nan, 0.8]), signal_to_noise(2.0, [0.0]),
                  signal_to_noise(0.0, [0.0, np.nan]), signal_to_noise(1.0, [np.nan])],
    }  # fmt: skip


GROUPS = {"scores": of_scores, "pairs": of_pairs, "means": of_means, "noise": of_noise}


def flat(node, path=""):
    """Return leaves by path: numbers as floats, NaN and infinity as words, for JSON has none."""
    if isinstance(node, dict):
        return {k: v for key, item in node.items() for k, v in flat(item, f"{path}/{key}").items()}
    node = node.tolist() if isinstance(node, np.ndarray) else node
    if isinstance(node, (list, tuple)):
        return {k: v for i, item in enumerate(node) for k, v in flat(item, f"{path}/{i}").items()}
    if isinstance(node, str):
        return {path: node}
    value = float(node)
    return {path: value if math.isfinite(value) else str(value)}


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_said_of_the_panel_is_what_was_committed(name):
    expected, got = read_json(FILE)[name], flat(GROUPS[name]())
    assert got.keys() == expected.keys()
    odd = {
        key: (value, got[key])
        for key, value in expected.items()
        if value != got[key]
        and not (
            isinstance(value, float)
            and isinstance(got[key], float)
            and math.isclose(value, got[key], rel_tol=1e-6, abs_tol=1e-12)
        )
    }
    assert not odd


def test_two_seeds_and_two_keys_are_the_fewest_and_a_panel_without_any_is_refused():
    least = crossed_difference([[1.0, 2.0], [2.0, 4.0]], [1.0, 1.0], [0, 0], [0, 1])
    assert least.estimate == pytest.approx((3 / 2 + 6 / 2) / 2)
    assert least.low < least.estimate < least.high and 0 < least.p < 1
    for tops, keys in (([[1.0, 2.0]], [0, 1]), ([[1.0, 2.0], [2.0, 4.0]], [0, 0])):
        with pytest.raises(ValueError, match="too few for an interval"):
            crossed_difference(tops, [1.0, 1.0], [0, 0], keys)
    for first, second in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="are no pairs"):
            paired_mean(first, second)
    nothing = paired_mean([0.5], [0.5])
    assert np.isnan([nothing.low, nothing.high]).all() and nothing[::3] == (0.0, 1.0)


if __name__ == "__main__":
    write_json(FILE, {name: flat(make()) for name, make in GROUPS.items()})
