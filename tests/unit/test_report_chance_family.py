"""Verdicts against chance hold for all of them together, and no language of few items is judged alone."""

import numpy as np
import pandas as pd
import pytest
from skald_report.reading.inputs import load
from skald_report.sections.chance import chance_claims
from skald_report.statistics.families import holm
from skald_report.statistics.intervals import Spread, bounds, p_against, wilson
from skald_report.statistics.means import Cell, hierarchical_mean, mean_against, mean_interval
from skald_report.statistics.sums import sums
from skald_report.tables.cells import gather
from skald_report.tables.models import models
from skald_report.tables.scores import scores
from skald_report.tables.table import Table
from skald_specs.files import read_jsonl, write_jsonl
from support_report import write_inputs

FACTS = ("skill", "canary")


@pytest.mark.parametrize("scale", ["share", "other"])
def test_p_is_below_the_level_exactly_where_the_interval_excludes_chance(scale):
    rng = np.random.default_rng(1)
    estimate = rng.uniform(0.1, 0.6, 300)
    found = Spread(rng.uniform(0.01, 0.1, 300), rng.uniform(3, 60, 300))
    low, high = bounds(estimate, found, scale, 40)
    p = p_against(estimate, found, scale, 40, 0.25)
    apart = (low > 0.25) | (high < 0.25)
    assert apart.any() and not apart.all() and ((p < 0.05) == apart).all()


def test_a_mean_over_languages_is_judged_in_step_with_its_interval():
    rng = np.random.default_rng(2)
    answers = (rng.random((2, 60, 200)) < 0.3).astype(float)
    cells = [
        Cell(n, 0, sums(one, np.ones(60), np.arange(60) // 2)) for n, one in enumerate(answers)
    ]
    mean = hierarchical_mean(cells)
    told, p = mean_interval(mean, "share"), mean_against(mean, "share", 0.25)
    apart = (told.low > 0.25) | (told.high < 0.25)
    assert apart.any() and not apart.all() and ((p < 0.05) == apart).all()


def test_without_a_level_there_is_nothing_to_be_judged_against():
    found = Spread(np.array([0.01]), np.array([9.0]))
    for scale, value in (("bits", 0.25), ("share", np.nan), ("share", 1.0)):
        assert np.isnan(p_against(np.array([0.5]), found, scale, 10, value)).all()


def of_chance(n_right, n_items=216):
    """Return scores of many baselines on one canary, corrected as the table does."""
    n_right = np.asarray(n_right)
    low, high = wilson(n_right, n_items)
    exact = Spread(np.zeros(len(n_right)), np.ones(len(n_right)))
    p = p_against(n_right / n_items, exact, "share", n_items, 0.25)
    frame = pd.DataFrame(
        {
            "suite": "core", "task": "canary", "language": "mean", "kind": "canary", "label": "canary facts",
            "model": [f"m{n}" for n in range(len(n_right))], "chance": 0.25, "score": n_right / n_items,
            "low": low, "high": high, "p_chance_holm": holm(p),
        }
    )  # fmt: skip
    return chance_claims(Table("scores", (), {}, frame), list(frame["model"]))


def test_ten_innocent_baselines_are_seldom_called_leaked():
    rng = np.random.default_rng(3)
    drawn = rng.binomial(216, 0.25, (400, 10))
    leaked = np.mean(["items have leaked" in of_chance(each)[0] for each in drawn])
    assert leaked < 0.05
    # The best of the ten alone would be called so far more often; a true leak is still found.
    alone = np.mean([(wilson(each, 216).low > 0.25).any() for each in drawn])
    assert alone > 0.15
    assert "items have leaked" in of_chance([*drawn[0][:9], 90])[0]


def tables(root, change=lambda row: row):
    inputs = write_inputs(root, languages=("da", "fo", "sv"), kinds=FACTS, n_items=40)
    path = inputs.evaluations[0] / "items.jsonl"
    write_jsonl(path, [row for row in map(change, read_jsonl(path)) if row])
    sources = load(inputs)
    return scores(gather(sources), models(sources).frame)


def test_the_family_is_baselines_by_task_on_means(tmp_path):
    frame = tables(tmp_path).frame
    judged = frame[frame["p_chance_holm"].notna()]
    assert set(judged["language"]) == {"mean"} and len(judged) == 4
    assert set(judged["model"]) == {"mini-2.6b", "mini-7.8b"}
    assert (judged["p_chance_holm"] >= judged["p_chance"]).all()


def test_without_a_mean_no_language_is_judged_alone(tmp_path):
    def lacking(row):
        """One baseline answers Danish alone, so that no mean over languages is left."""
        return row if row["model"] != "mini-7.8b" or row["language"] == "da" else None

    found = tables(tmp_path, lacking)
    assert found.frame["p_chance_holm"].isna().all()
    said = chance_claims(found, ["mini-2.6b", "mini-7.8b"])
    assert len(said) == 2 and all("no baseline is judged against chance" in each for each in said)
    assert not any("leak" in each or "above chance" in each for each in said)
