"""The tables of means, pairs and noise, against numbers worked out by hand from the same records."""

import itertools
import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from skald_report.reading.inputs import ReportInputs, load
from skald_report.reading.seeds import seed_groups
from skald_report.tables.file import as_json, column_values
from skald_report.tables.models import cast_of
from skald_specs.curves import ScorePoint
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from skald_specs.plan import Plan
from support_report import write_evaluation, write_inputs
from support_tables import all_tables

LANGUAGES = ("da", "de", "is")
NAMES = ["mini-2.6b", "mini-7.8b", "other/one", "random-init-mini-2.6b", "byte-ngram"]
CHANCE = {"pairs": 0.5, "cloze": 0.25}


def write(folder, names=NAMES, languages=LANGUAGES, **options):
    write_evaluation(folder, list(names), list(languages), **options)
    summary = read_json(folder / "summary.json")
    for model in summary["models"]:
        model["role"] = "external" if model["name"].startswith("other") else model["role"]
    write_json(folder / "summary.json", summary)
    return folder


def tables_of(folder, **changes):
    return all_tables(replace(load(ReportInputs(evaluations=(folder,))), **changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("e") / "core", n_items=60)


@pytest.fixture(scope="module")
def tables(folder):
    return tables_of(folder)


@pytest.fixture(scope="module")
def items(folder):
    return pd.DataFrame(list(read_jsonl(folder / "items.jsonl")))


def cells_by_hand(items):
    """Return the chance-corrected score of each model, task and language, and bits per byte."""
    found = {}
    for (model, kind, tag), own in items.groupby(["model", "kind", "language"]):
        if kind == "text":
            found[model, kind, tag] = (own["score"] * own["n_bytes"]).sum() / own["n_bytes"].sum()
        else:
            found[model, kind, tag] = (own["score"].mean() - CHANCE[kind]) / (1 - CHANCE[kind])
    return found


def test_means_are_over_tasks_then_languages_unweighted(tables, items):
    cells, frame = cells_by_hand(items), tables["overall"].frame
    at = frame.set_index(["measure", "scope", "model"])["score"]
    of_language = {
        (model, tag): np.mean([cells[model, kind, tag] for kind in CHANCE])
        for model, tag in itertools.product(NAMES, LANGUAGES)
    }
    for model in NAMES:
        everywhere = [of_language[model, tag] for tag in LANGUAGES]
        assert at["tasks", "mean", model] == pytest.approx(np.mean(everywhere))
        assert at["tasks", "West", model] == pytest.approx(of_language[model, "de"])
        assert at["tasks", "worst", model] == pytest.approx(min(everywhere))
        bits = [cells[model, "text", tag] for tag in LANGUAGES]
        assert at["text", "mean", model] == pytest.approx(np.mean(bits))
        assert at["text", "worst", model] == pytest.approx(max(bits))
    worst = frame[(frame["scope"] == "worst") & (frame["measure"] == "tasks")].set_index("model")
    expected = {m: min(LANGUAGES, key=lambda tag: of_language[m, tag]) for m in NAMES}
    assert worst["language"].to_dict() == expected
    assert set(frame["scope"]) == {"mean", "North", "West", "Insular", *LANGUAGES, "worst"}
    assert (frame["low"] <= frame["score"]).all() and (frame["score"] <= frame["high"]).all()
    # Two tasks a language cannot stand for others.
    assert frame["low_tasks"].isna().all()


def test_pairs_are_differences_of_means_and_count_cells(tables, items):
    cells, frame = cells_by_hand(items), tables["pairwise"].frame
    contestants, rivals = NAMES[:3], NAMES[3:]
    expected = {frozenset(pair) for pair in itertools.combinations(contestants, 2)}
    expected |= {frozenset(pair) for pair in itertools.product(contestants, rivals)}
    for measure, kinds in (("tasks", list(CHANCE)), ("text", ["text"])):
        own = frame[frame["measure"] == measure]
        assert {
            frozenset(pair) for pair in zip(own["model"], own["reference"], strict=True)
        } == expected
        for row in own.to_dict("records"):
            means = [
                np.mean([cells[row[side], kind, tag] for kind in kinds for tag in LANGUAGES])
                for side in ("model", "reference")
            ]
            assert row["difference"] == pytest.approx(means[0] - means[1])
            assert row["wins"] + row["losses"] + row["ties"] == row["n_cells"] == 3 * len(kinds)
            assert row["n_items"] == 60 * row["n_cells"]
            assert row["p"] <= row["p_holm"] <= 1 and row["p"] <= row["p_bh"] <= row["p_holm"]
            better = (row["difference"] > 0) == (measure == "tasks")
            told = ("better" if better else "worse") if row["p_holm"] < 0.05 else "tie"
            assert row["verdict"] == told
    untrained = frame[(frame["reference"] == NAMES[3]) & (frame["measure"] == "text")]
    assert set(untrained["verdict"]) == {"better"} and (untrained["wins"] == 3).all()


def test_a_win_of_a_cell_is_a_difference_that_the_anchors_table_shows(tables):
    differences, pairwise = tables["differences"].frame, tables["pairwise"].frame
    for row in pairwise[pairwise["model"].isin(NAMES[:2])].to_dict("records"):
        own = differences[
            (differences["model"] == row["model"])
            & (differences["reference"] == row["reference"])
            & ((differences["kind"] == "text") == (row["measure"] == "text"))
        ]
        assert (own["verdict"] == "better").sum() == row["wins"]
        assert (own["verdict"] == "worse").sum() == row["losses"]


def test_corrected_scores_are_zero_at_chance_and_one_where_all_is_right(tables):
    frame = tables["scores"].frame
    pairs = frame[frame["kind"] == "pairs"]
    assert np.allclose(pairs["corrected"], (pairs["score"] - 0.5) / 0.5)
    assert frame.loc[frame["kind"] == "text", "corrected"].isna().all()


def test_a_model_that_lacks_a_language_has_no_mean_and_takes_none(folder, tmp_path, items):
    write(tmp_path / "core", n_items=60)
    gone = (items["model"] == "other/one") & (items["language"] == "de")
    write_jsonl(tmp_path / "core" / "items.jsonl", items[~gone].to_dict("records"))
    whole, less = tables_of(folder)["overall"].frame, tables_of(tmp_path / "core")
    at = less["overall"].frame
    own = at[at["model"] == "other/one"]
    assert set(own["scope"]) == {"North", "Insular", "da", "is"}
    others = [frame[frame["model"] != "other/one"].reset_index(drop=True) for frame in (whole, at)]
    pd.testing.assert_frame_equal(*others)
    pairs = less["pairwise"].frame
    with_it = (pairs["model"] == "other/one") | (pairs["reference"] == "other/one")
    assert set(pairs.loc[with_it, "n_cells"]) == {2, 4}
    assert set(pairs.loc[~with_it, "n_cells"]) == {3, 6}


def test_noise_takes_the_largest_known_source(folder, items):
    points = pd.DataFrame(
        [
            {"model": "mini-2.6b", "suite": "core", "task": "core_pairs_da", "language": "da",
             "step": step, "tokens": step, "score": score, "standard_error": 0.1, "kind": "pairs",
             "higher_is_better": True}
            for step, score in enumerate((0.1, 0.2, 0.5, 0.3, 0.9, 0.6))
        ]
    )  # fmt: skip
    groups = dict.fromkeys(("mini-2.6b", "mini-7.8b"), "mini-2.6b")
    known = tables_of(folder, points=points, seed_groups=groups)
    at = known["noise"].frame.set_index(["task", "language"])
    scores = items[items["kind"] != "x"].groupby(["kind", "language", "model"])["score"].mean()
    two = [scores["pairs", "da", name] for name in ("mini-2.6b", "mini-7.8b")]
    # Two seeds are one model, whose score is their mean.
    apart = [np.mean(two), scores["pairs", "da", "other/one"]]
    row = at.loc["pairs", "da"]
    assert row["spread"] == pytest.approx(np.std(apart, ddof=1))
    assert row["seed_sd"] == pytest.approx(np.std(two, ddof=1)) and row["n_seeds"] == 2
    assert row["checkpoint_sd"] == pytest.approx(np.std([0.3, 0.9, 0.6], ddof=1))
    assert row["noise_source"] == "checkpoints" and row["n_checkpoints"] == 3
    assert row["signal_to_noise"] == pytest.approx(row["spread"] / row["checkpoint_sd"])
    assert row["low_power"] and not row["at_chance"]
    # One seed and no curve: only the sample of items is known.
    alone = tables_of(folder)["noise"].frame.set_index(["task", "language"]).loc["pairs", "da"]
    assert math.isnan(alone["seed_sd"]) and math.isnan(alone["checkpoint_sd"])
    assert alone["noise_source"] == "items" and alone["n_seeds"] == alone["n_checkpoints"] == 0
    assert known["curves"].frame["task"].unique().tolist() == ["pairs"]


def test_without_baselines_the_first_contestant_is_the_anchor():
    roles = ["external"] * 2 + ["control"]
    frame = pd.DataFrame({"model": ["b", "a", "oracle"], "role": roles, "seed_group": ""})
    assert cast_of(frame) == (("b", "a"), ("b",), (), ())


def test_runs_that_differ_in_seeds_alone_are_one_group(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da",), n_items=4)
    one, other = (Plan.load(path) for path in inputs.plans)
    again = one.identity.model_copy(update={"model_seed": 9})
    again = again.model_copy(update={"data": again.data.model_copy(update={"seed": 8})})
    repeated = one.model_copy(update={"name": "again", "identity": again})
    plans = {"one": one, "other": other, "again": repeated}
    assert seed_groups(plans) == {"one": "one", "again": "one"}
    assert seed_groups({"one": one, "other": other}) == {}


def test_points_of_other_items_or_another_plan_are_no_part_of_a_curve(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da",), n_items=4)
    plan = Plan.load(inputs.plans[0])
    path = tmp_path / "artifacts" / "eval" / "curves" / f"{plan.name}.jsonl"
    point = ScorePoint(
        run=plan.name, step=1, tokens=10, plan_fingerprint=plan.fingerprint, weights_sha256="0",
        suite="core", task="core_pairs_da", version=1.0, data_sha256="0" * 64, kind="pairs",
        language="da", metric="acc", score=0.5, standard_error=None, n_items=4,
        higher_is_better=True,
    )  # fmt: skip
    rows = [
        point.model_copy(update=change).model_dump()
        for change in ({}, {"step": 2, "version": 2.0}, {"step": 3, "data_sha256": "1" * 64},
                       {"step": 4, "plan_fingerprint": "x"}, {"step": 5, "suite": "gone"})
    ]  # fmt: skip
    write_jsonl(path, rows)
    found = ReportInputs.from_folders(tmp_path / "artifacts", [plan.name], ["core"], None)
    assert found.points == (path,)
    assert load(found).points["step"].tolist() == [1]


def test_neither_order_of_records_nor_of_models_changes_a_number(folder, tables, tmp_path, items):
    write(tmp_path / "core", reversed(NAMES), n_items=60)
    rows = items.sample(frac=1, random_state=3).to_dict("records")
    write_jsonl(tmp_path / "core" / "items.jsonl", rows)
    summary = read_json(folder / "summary.json")
    summary["models"].reverse()
    write_json(tmp_path / "core" / "summary.json", summary)
    again = tables_of(tmp_path / "core", order=tuple(NAMES[:2]))
    # The controls are shown in the other order, and nothing else is another.
    for name in ("scores", "overall", "pairwise", "differences", "noise"):
        assert _by_key(again[name]) == _by_key(tables[name]), name


def _by_key(table):
    found = as_json(table)
    at = [found["columns"].index(key) for key in found["keys"]]
    return {tuple(row[i] for i in at): row for row in found["rows"]}


@pytest.mark.parametrize("scores", [0.0, 1.0])
def test_zero_variance_gives_ties_without_a_warning(tmp_path, scores, items):
    folder = write(tmp_path / "core", n_items=60)
    same = items.assign(score=np.where(items["kind"] == "text", 2.0, scores))
    write_jsonl(folder / "items.jsonl", same.to_dict("records"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tables_of(folder)
    assert set(found["pairwise"].frame["verdict"]) == {"tie"}
    assert set(found["differences"].frame["verdict"]) == {"tie"}
    assert (found["noise"].frame["spread"] == 0).all()


def test_one_cluster_says_that_nothing_can_be_said(tmp_path):
    folder = write(tmp_path / "core", n_items=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tables_of(folder)
    for name, column in (("scores", "low"), ("overall", "low"), ("pairwise", "p"),
                         ("differences", "p")):  # fmt: skip
        assert found[name].frame[column].isna().all(), name
    assert set(found["scores"].frame["method"]) == {"no interval: one cluster"}
    assert set(found["pairwise"].frame["test"]) == {"no test: one cluster"}
    assert set(found["pairwise"].frame["verdict"]) == {"tie"}


def test_one_model_is_compared_with_nobody(tmp_path):
    folder = write(tmp_path / "core", ["mini-2.6b"], n_items=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tables_of(folder)
    assert "pairwise" not in found and "differences" not in found
    assert found["noise"].frame["spread"].isna().all()


def test_numbers_keep_nine_digits_whatever_their_size():
    values = [0.1 + 0.2, 1e-30 / 3, -12345.678901234, 2e20 / 3, 0.0, math.nan, math.inf]
    kept = column_values(pd.Series(values))
    assert kept == [0.3, 3.33333333e-31, -12345.6789, 6.66666667e19, 0.0, None, None]
