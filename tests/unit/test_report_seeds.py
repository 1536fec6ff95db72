"""Two seeds of one baseline are one model: never ranked against each other, and what others are held to."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import support_report
from skald_report.build import build
from skald_report.figures.pairs import pairwise_matrix
from skald_report.sections.verdict import verdicts
from skald_report.statistics.families import holm
from skald_report.statistics.noise import Deviation, seed_deviation, seed_difference
from skald_report.tables.file import read_report, rows_of
from skald_report.tables.table import Table
from skald_specs.plan import Plan
from support_words import models, overall, pairwise, tables

ONE, AGAIN, OTHER = "a-s1", "a-s2", "b"


def with_groups(named: Table, **groups: str) -> Table:
    frame = named.frame.assign(
        seed_group=[groups.get(n.replace("-", "_"), "") for n in named.frame["model"]]
    )
    return Table(named.name, named.keys, named.units, frame)


def page(root, names):
    """Build a report of baselines of which the second repeats the first with another seed."""
    inputs = support_report.write_inputs(
        root, baselines=names, controls=("byte-ngram",), kinds=("pairs", "text"), n_items=60
    )
    one = Plan.load(inputs.plans[0])
    identity = one.identity.model_copy(update={"model_seed": 2})
    again = one.model_copy(update={"name": names[1], "identity": identity})
    again.save(inputs.plans[1])
    again.save(root / "artifacts" / "runs" / names[1] / "final" / "plan.yaml")
    build(dataclasses.replace(inputs, published=None), root / "page")
    return read_report(root / "page"), (root / "page" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, skill in (
            (ONE, (0.86, 0.66, 1.55)),
            (AGAIN, (0.92, 0.66, 1.50)),
            (OTHER, (0.93, 0.66, 1.49)),
        ):
            patch.setitem(support_report.SKILL, name, skill)
        return page(tmp_path_factory.mktemp("seeds"), (ONE, AGAIN, OTHER))


def of_measure(report, name):
    frame = pd.DataFrame(rows_of(report, "pairwise"))
    return frame[frame["measure"] == name]


@pytest.mark.parametrize("measure", ["tasks", "text"])
def test_seeds_are_in_no_family_and_have_no_verdict(three, measure):
    frame = of_measure(three[0], measure)
    within = frame["model"].isin([ONE, AGAIN]) & frame["reference"].isin([ONE, AGAIN])
    assert within.sum() == 1
    assert frame.loc[within, "verdict"].item() == "seeds"
    assert frame.loc[within, ["p_holm", "p_bh"]].isna().all(axis=None)
    rest = frame[~within]
    assert "seeds" not in set(rest["verdict"])
    assert rest["p_holm"].to_numpy() == pytest.approx(holm(rest["p"]))


@pytest.mark.parametrize("measure", ["tasks", "text"])
def test_what_two_seeds_differ_by_is_of_the_means_that_are_compared(three, measure):
    report, _ = three
    scores = {r["model"]: r["score"] for r in rows_of(report, "overall")
              if r["measure"] == measure and r["scope"] == "mean"}  # fmt: skip
    # One degree of freedom: t is 12.706.
    expected = 12.706 * abs(scores[ONE] - scores[AGAIN])
    assert of_measure(report, measure)["seed_difference"].to_numpy() == pytest.approx(
        expected, rel=1e-3
    )


def test_the_page_never_ranks_seeds_and_holds_others_to_them(three):
    report, text = three
    said = [c for c in report["claims"] if ONE in c and AGAIN in c]
    assert any(
        f"{ONE} and {AGAIN} are one baseline trained with 2 seeds and not compared" in c
        for c in said
    )
    for claim in report["claims"]:
        assert f"{AGAIN} minus {ONE}" not in claim and f"{ONE} minus {AGAIN}" not in claim
        assert f"{AGAIN} is better than {ONE}" not in claim
    assert any("no more than two seeds of one baseline differ by" in c for c in report["claims"])
    assert "Seeds: one baseline trained more than once, not compared." in text
    assert f"Not every model was ({OTHER} not) trained again with another seed" in text


def test_task_by_task_seeds_have_no_verdict_and_spread_counts_them_once(three):
    report, _ = three
    frame = pd.DataFrame(rows_of(report, "differences"))
    within = frame["model"].isin([ONE, AGAIN]) & frame["reference"].isin([ONE, AGAIN])
    assert set(frame.loc[within, "verdict"]) == {"seeds"}
    assert "seeds" not in set(frame.loc[~within, "verdict"])
    scores = {(r["task"], r["language"], r["model"]): r["score"] for r in rows_of(report, "scores")}
    for row in rows_of(report, "noise"):
        at = [scores[row["task"], row["language"], name] for name in (ONE, AGAIN, OTHER)]
        assert row["spread"] == pytest.approx(np.std([np.mean(at[:2]), at[2]], ddof=1))
        assert row["n_pairs"] <= 2


def test_two_seeds_alone_are_one_baseline_and_none_is_better(tmp_path):
    report, text = page(tmp_path, support_report.BASELINES)
    one, again = support_report.BASELINES
    assert report["claims"][0] == "Only one baseline was evaluated, so none is better than another."
    assert f"{one} and {again} are one baseline trained with 2 seeds" in report["claims"][1]
    assert not any(f"{again} is better than {one}" in c for c in report["claims"])
    assert "another seed: intervals" not in text


SCORES = {"tasks": {ONE: 0.60, AGAIN: 0.64, OTHER: 0.65}}


def lead(groups, seed_difference=math.nan, better=True):
    told = {("tasks", OTHER, name): "better" for name in (ONE, AGAIN)} if better else {}
    frame = pairwise(SCORES, told)
    within = frame.frame["model"].isin([ONE, AGAIN]) & frame.frame["reference"].isin([ONE, AGAIN])
    told = frame.frame["verdict"].mask(within & bool(groups), "seeds")
    found = frame.frame.assign(seed_difference=seed_difference, verdict=told)
    named = with_groups(models(dict.fromkeys((ONE, AGAIN, OTHER), "baseline")), **groups)
    found = Table("pairwise", frame.keys, {}, found)
    return " ".join(verdicts(tables(named, overall(SCORES), found)))


GROUPS = {"a_s1": "a", "a_s2": "a"}


def test_a_named_pair_is_held_to_what_two_seeds_differ_by():
    far, near = lead(GROUPS, 0.009), lead(GROUPS, 0.05)
    assert "that is more than two seeds of one baseline differ by (0.009 in 95 % of cases)" in far
    assert (
        "that is no more than two seeds of one baseline differ by (0.050 in 95 % of cases)" in near
    )
    assert "two seeds" not in lead({}).replace("2 seeds", "")


def test_a_leader_is_not_compared_with_its_own_seeds():
    scores = {"tasks": {ONE: 0.60, AGAIN: 0.70, OTHER: 0.50}}
    given = pairwise(scores, {("tasks", n, OTHER): "better" for n in (ONE, AGAIN)})
    told = given.frame["verdict"].mask(given.frame["reference"] == AGAIN, "seeds")
    told = Table("pairwise", given.keys, {}, given.frame.assign(verdict=told))
    named = with_groups(models(dict.fromkeys((ONE, AGAIN, OTHER), "baseline")), **GROUPS)
    text = " ".join(verdicts(tables(named, overall(scores), told)))
    assert ": better than the only other (Holm" in text
    assert f"The second is {OTHER}" in text and f"The second is {ONE}" not in text
    drawn = pairwise_matrix(told, "tasks")
    assert "not compared" in drawn.svg


def test_two_of_two_seeds_differ_by_t_root_two_deviations():
    assert seed_difference(seed_deviation([[0.1, 0.3]])) == pytest.approx(12.706 * 0.2, rel=1e-4)
    assert math.isnan(seed_difference(Deviation(math.nan, math.nan, math.nan, 0)))
