"""The committed published scores: every cell against the collection they were taken from."""

import gzip
import math

import pandas as pd
import pytest
from skald_report.landscape.scores import TASK_KINDS, landscape
from skald_report.reading.inputs import ReportInputs, load
from skald_specs.languages import BY_TAG
from support import ROOT

FOLDER = ROOT / "evals" / "published"
COLLECTION = ROOT.parent / "shared" / "published" / "scores.csv.gz"


@pytest.fixture(scope="module")
def table():
    return landscape(load(ReportInputs(published=FOLDER)))


def test_every_cell_equals_the_collection(table):
    if not COLLECTION.is_file():
        pytest.skip(f"{COLLECTION.name} is not at hand")
    with gzip.open(COLLECTION, "rt", encoding="utf-8") as stream:
        there = pd.read_csv(stream, dtype={"shots": str, "harness_version": str})
    there["harness_version"] = there["harness_version"].fillna("").replace("-", "")
    keys = ["model", "published", "task", "metric", "source", "source_date"]
    here = table.frame.assign(published=[BY_TAG[tag].published for tag in table.frame["language"]])
    both = here.merge(
        there.rename(columns={"language": "published"}), on=keys, how="left",
        suffixes=("", "_there"), indicator=True,
    )  # fmt: skip
    assert len(both) == len(here)
    assert (both["_merge"] == "both").all()
    for ours, theirs in (
        ("score", "score_there"),
        ("stderr_of_mean", "stderr_of_bootstrap_mean"),
        ("params_b", "params_b_there"),
        ("shots", "shots_there"),
        ("harness_version", "harness_version_there"),
    ):
        same = (both[ours] == both[theirs]) | (both[ours].isna() & both[theirs].isna())
        assert same.all(), both.loc[~same, [*keys, ours, theirs]].head()
    older = both["notes_there"].fillna("").str.contains("OLDER SNAPSHOT")
    assert (both["notes"].str.contains("older snapshot") == older).all()
    for word, column in (("model type ", "model_type"), ("split ", "split")):
        stated = both["notes"].str.extract(f"{word}([^;]*)")[0]
        assert (stated == both[column]).all()


def test_the_landscape_has_the_models_and_languages_it_promises(table):
    frame = table.frame
    assert set(frame["page_language"]) == {"da", "sv", "no", "nl", "de", "en", "is", "fo"}
    families = ("EuroLLM", "salamandra", "Teuken", "Viking", "occiglot", "Apertus", "gpt-sw3",
                "normistral", "TildeOpen", "baseline-7-8b_1t", "baseline-7-8b_2-3t")  # fmt: skip
    for family in families:
        languages = frame.loc[frame["model"].str.contains(family), "page_language"]
        assert set(languages) == set(frame["page_language"]), family
    assert set(frame["task_kind"]) == set(TASK_KINDS)
    assert not frame.duplicated(["model", "language", "task"]).any()
    assert (frame["source"] != "").all()
    assert (frame["source_date"] != "").all()


def test_intervals_are_widened_by_the_square_root_of_ten(table):
    row = table.frame.iloc[0]
    published_half_width = 1.96 * row["stderr_of_mean"]
    assert row["high"] - row["score"] == pytest.approx(
        math.sqrt(10) * published_half_width, rel=1e-4
    )


def test_a_floor_is_a_correlation_that_cannot_be_told_from_chance(table):
    frame = table.frame
    assert (frame.loc[frame["floor"], "metric"] == "mcc").all()
    assert (frame.loc[frame["floor"], "low"] <= 0).all()
    clear = (frame["metric"] == "mcc") & (frame["low"] > 0)
    assert not frame.loc[clear, "floor"].any()
    assert clear.any()
