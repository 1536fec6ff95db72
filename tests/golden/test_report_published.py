"""The committed published scores: every cell against the collection they were taken from."""

import gzip
import math
import re

import pandas as pd
import pytest
from skald_report.landscape.gaps import AHEAD, FLOOR, NOISE, published_gaps, without_mean
from skald_report.landscape.protocol import TASK_KINDS
from skald_report.landscape.scores import landscape
from skald_report.reading.inputs import ReportInputs, load
from skald_specs.languages import BY_TAG
from support import ROOT

FOLDER = ROOT / "evals" / "published"
COLLECTION = ROOT.parent / "shared" / "published" / "scores.csv.gz"
LANGUAGES = {"da", "sv", "no", "nl", "de", "en", "is", "fo"}
TRUSTLLM = (
    "TrustLLMeu/baseline-7-8b_1t-tokens_llama",
    "TrustLLMeu/baseline-7-8b_2-3t-tokens_llama",
)


@pytest.fixture(scope="module")
def table():
    inputs = ReportInputs(published=FOLDER, register=ROOT / "evals" / "models.yaml")
    return landscape(load(inputs))


@pytest.fixture(scope="module")
def collection():
    if not COLLECTION.is_file():
        pytest.skip(f"{COLLECTION.name} is not at hand")
    with gzip.open(COLLECTION, "rt", encoding="utf-8") as stream:
        there = pd.read_csv(stream, dtype={"shots": str, "harness_version": str})
    return there.assign(
        harness_version=there["harness_version"].fillna("").replace("-", ""),
        eu=there["eu"].map({"yes": True, "no": False}),
    )


def differing(frame: pd.DataFrame, there: pd.DataFrame) -> list[str]:
    """Return what of our rows is not in the collection, or there in another cell."""
    keys = ["model", "published", "task", "metric", "split", "shots", "source", "source_date"]
    here = frame.assign(published=[BY_TAG[tag].published for tag in frame["language"]])
    both = here.merge(
        there.rename(columns={"language": "published", "stderr_of_bootstrap_mean": "stderr_of_mean"}),
        on=keys, how="left", suffixes=("", "_there"), indicator="found",
    )  # fmt: skip
    found = [f"{row.model} {row.task}: no such row" for row in both.itertuples()
             if row.found != "both"]  # fmt: skip
    if len(both) != len(here):
        found.append("a row is there more than once")
    for column in ("score", "stderr_of_mean", "params_b", "harness_version", "eu", "model_type"):
        same = both[column].eq(both[f"{column}_there"]) | (
            both[column].isna() & both[f"{column}_there"].isna()
        )
        found += [f"{row.model} {row.task}: {column}" for row in both[~same].itertuples()]
    older = both["notes_there"].fillna("").str.contains("OLDER SNAPSHOT")
    found += list(both.loc[both["notes"].str.contains("older snapshot") != older, "model"])
    return found


def test_every_row_equals_the_collection(table, collection):
    assert differing(table.frame, collection) == []


def test_a_wrong_digit_is_found(table, collection):
    for column, wrong in (("score", 9.93), ("stderr_of_mean", 0.986), ("params_b", 7.9)):
        broken = table.frame.copy()
        broken.loc[7, column] = wrong
        found = differing(broken, collection)
        assert len(found) == 1
        assert found[0].endswith(column)
    for column, wrong in (("source_date", "2026-04-18"), ("split", "val"), ("shots", "5 or so")):
        broken = table.frame.copy()
        broken.loc[7, column] = wrong
        assert any("no such row" in found for found in differing(broken, collection))


def test_no_european_base_model_of_the_collection_is_missing(table, collection):
    """Else the best of a size class might be one that was left out."""
    scores = {"mcc", "f1"}
    wanted = collection[
        collection["eu"].eq(True)
        & collection["model_type"].eq("base")
        & collection["split"].eq("test")
        & collection["metric"].isin(scores)
        & collection["task"].str.split("/").str[1].isin(TASK_KINDS)
    ]
    here = set(table.frame[["model", "task"]].itertuples(index=False, name=None))
    assert set(wanted[["model", "task"]].itertuples(index=False, name=None)) <= here


def test_the_landscape_has_the_models_and_languages_it_promises(table):
    frame = table.frame
    assert set(frame["page_language"]) == LANGUAGES
    assert set(frame["task_kind"]) == set(TASK_KINDS)
    kinds = frame.groupby(["model", "page_language"])["task_kind"].nunique().unstack(fill_value=0)
    complete = kinds.index[(kinds >= 3).all(axis=1)]
    assert len(complete) >= 20
    assert set(TRUSTLLM) <= set(complete)
    assert not frame.duplicated(["model", "language", "task"]).any()
    assert (frame[["source", "source_date", "split", "shots", "model_type"]] != "").all(axis=None)
    assert frame["eu"].eq(True).all()
    order = {tag: number for number, tag in enumerate(BY_TAG)}
    place = [(order[r.language], r.task, r.model) for r in frame.itertuples()]
    assert place == sorted(place)


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


def test_what_the_page_says_of_the_highlighted_model(table):
    """The users' question in numbers, from the committed figures."""
    known = load(ReportInputs(published=FOLDER)).published_models
    gaps = published_gaps(table, known).frame
    own = gaps[(gaps["model"] == TRUSTLLM[1]) & (gaps["language"] != "mean")]
    assert own["verdict"].value_counts().to_dict() == {"tie": 23, "behind": 9}
    danish = own[(own["language"] == "da") & (own["task_kind"] == "reading-comprehension")].iloc[0]
    assert danish["best"] == "utter-project/EuroLLM-9B"
    assert danish["gap"] == pytest.approx(75.35 - 68.28)
    assert own["tokens"].isna().all()
    assert set(own.loc[own["floor"], "why_no_tokens"]) <= {FLOOR, NOISE, AHEAD}
    means = gaps[(gaps["model"] == TRUSTLLM[1]) & (gaps["language"] == "mean")]
    told = {
        row["task_kind"]: (row["best_label"], row["n_rivals"], row["n_cells"], row["verdict"])
        for row in means.to_dict("records")
    }
    assert told == {
        "reading-comprehension": ("EuroLLM 9B", 4, 8, "behind"),
        "sentiment-classification": ("EuroLLM 9B", 9, 8, "tie"),
        "linguistic-acceptability": ("EuroLLM 9B", 9, 9, "behind"),
        "common-sense-reasoning": ("Apertus 8B", 9, 7, "behind"),
    }
    gap = means.set_index("task_kind")
    assert gap["gap"].round(1).to_dict() == {
        "reading-comprehension": 5.3, "sentiment-classification": -2.5,
        "linguistic-acceptability": 9.7, "common-sense-reasoning": 28.9,
    }  # fmt: skip
    ends = gap.loc["reading-comprehension", ["low", "high"]].astype(float).round(1)
    assert ends.tolist() == [1.1, 9.5]
    assert without_mean(table, known).frame.empty
    outside = (own["low"] > 0) | (own["high"] < 0)
    assert outside.eq(own["verdict"] != "tie").all()


def test_a_mean_is_recomputed_from_the_scores(table):
    """Every data set of the model, its floors too, and no cell that the rival lacks."""
    frame = table.frame[table.frame["task_kind"] == "common-sense-reasoning"]
    scores = frame.pivot_table(index="task", columns="model", values="score")
    both = scores.loc[scores[TRUSTLLM[1]].notna(), [TRUSTLLM[1], "swiss-ai/Apertus-8B-2509"]]
    lead = (both.iloc[:, 1] - both.iloc[:, 0]).mean(skipna=False)
    known = load(ReportInputs(published=FOLDER)).published_models
    gaps = published_gaps(table, known).frame.set_index(["model", "language", "task"])
    assert gaps.loc[(TRUSTLLM[1], "mean", "common-sense-reasoning"), "gap"] == pytest.approx(lead)


def test_no_label_passes_for_another_makers_model(table):
    """A name that another maker's family bears is said with the maker who trained it on."""
    makers = {"meta-llama", "google", "mistralai", "Qwen"}
    plain = re.compile(r"^(llama|gemma|mistral|mixtral|qwen)[-\d ]", re.IGNORECASE)
    for model, label in table.frame[["model", "label"]].drop_duplicates().itertuples(index=False):
        if model.split("/")[0] not in makers:
            assert not plain.match(label), (model, label)
