"""Bad input to the report: one line that names the file, the value and the remedy."""

import json

import pandas as pd
import pytest
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs, load
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from skald_specs.runtable import RUN_TABLE_COLUMNS
from support_report import PUBLISHED, write_evaluation, write_inputs


@pytest.fixture
def folder(tmp_path):
    write_evaluation(tmp_path / "core", ["a", "b"], ["da"], n_items=4)
    return tmp_path / "core"


def _refused(folder, words):
    with pytest.raises(UserInputError, match=words) as caught:
        load(ReportInputs(evaluations=(folder,)))
    assert "\n" not in str(caught.value)


def _change(folder, number, **values):
    rows = list(read_jsonl(folder / "items.jsonl"))
    rows[number].update(values)
    write_jsonl(folder / "items.jsonl", rows)


def test_records_without_a_file_are_refused(folder):
    (folder / "items.jsonl").unlink()
    _refused(folder, "holds no item records")


def test_a_broken_line_is_named(folder):
    path = folder / "items.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2][:20], *lines[3:]]))
    _refused(folder, r"items\.jsonl:3: not JSON")


def test_a_missing_field_is_named(folder):
    rows = list(read_jsonl(folder / "items.jsonl"))
    del rows[4]["score"]
    write_jsonl(folder / "items.jsonl", rows)
    _refused(folder, r"items\.jsonl:5: missing key `score`")


def test_a_score_outside_its_range_is_refused(folder):
    _change(folder, 0, score=1.5)
    _refused(folder, "outside 0 to 1")


def test_an_unknown_kind_is_refused(folder):
    _change(folder, 0, kind="essay")
    _refused(folder, r"items\.jsonl:1: `kind` = 'essay'")


def test_an_item_scored_twice_is_refused(folder):
    rows = list(read_jsonl(folder / "items.jsonl"))
    write_jsonl(folder / "items.jsonl", [*rows, rows[0]])
    _refused(folder, "scored twice for 'a'")


def test_a_model_that_the_summary_lacks_is_refused(folder):
    rows = [
        dict(r, model={"a": "a", "b": "c"}[r["model"]]) for r in read_jsonl(folder / "items.jsonl")
    ]
    write_jsonl(folder / "items.jsonl", rows)
    _refused(folder, "'c' is not in summary.json")


def test_two_suites_must_mean_the_same_models(folder, tmp_path):
    write_evaluation(tmp_path / "other", ["b", "a"], ["da"], n_items=4)
    with pytest.raises(UserInputError, match="other weights"):
        load(ReportInputs(evaluations=(folder, tmp_path / "other")))


def test_two_suites_of_the_same_models_are_kept_apart(folder, tmp_path):
    write_evaluation(tmp_path / "other", ["a", "b"], ["da"], n_items=4)
    sources = load(ReportInputs(evaluations=(folder, tmp_path / "other")))
    assert set(sources.items["suite"]) == {"core", "other"}


def test_a_fit_without_its_numbers_is_refused(tmp_path):
    inputs = write_inputs(tmp_path, languages=("da",), n_items=4)
    fit = read_json(inputs.fit)
    fit["local"][1]["log2_lr"] = "high"
    write_json(inputs.fit, fit)
    with pytest.raises(UserInputError, match=r"fit\.json: `local\.1\.log2_lr` = 'high'"):
        load(inputs)


def test_a_sweep_without_a_fit_still_gives_its_points(tmp_path):
    row = dict.fromkeys(RUN_TABLE_COLUMNS, 1) | {"lr": 0.01, "diverged": False, "fingerprint": "f"}
    pd.DataFrame([row]).to_parquet(tmp_path / "runs.parquet")
    sources = load(ReportInputs(sweep=tmp_path / "runs.parquet"))
    assert (len(sources.sweep), sources.fit) == (1, None)
    assert not sources.sweep["in_fit"].any()
    pd.DataFrame([row]).drop(columns="loss").to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(UserInputError, match="no column `loss`"):
        load(ReportInputs(sweep=tmp_path / "runs.parquet"))


def test_a_published_row_is_checked(tmp_path):
    text = (PUBLISHED / "scores.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "scores.csv").write_text(
        "\n".join([text[0], text[1].replace(",mcc,14.55,", ",mcc,,")])
    )
    with pytest.raises(UserInputError, match=r"scores\.csv:2"):
        load(ReportInputs(published=tmp_path))


def test_a_failed_build_leaves_the_earlier_report(tmp_path, folder):
    build(ReportInputs(), tmp_path / "latest")
    before = (tmp_path / "latest" / "index.html").read_bytes()
    _change(folder, 0, score=7)
    with pytest.raises(UserInputError):
        build(ReportInputs(evaluations=(folder,)), tmp_path / "latest")
    assert (tmp_path / "latest" / "index.html").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["core", "latest"]


def test_items_without_a_key_are_clusters_of_their_own(folder):
    rows = [dict(r, key="") for r in read_jsonl(folder / "items.jsonl")]
    write_jsonl(folder / "items.jsonl", rows)
    items = load(ReportInputs(evaluations=(folder,))).items
    assert items["key"].nunique() == items["item_id"].nunique()
    assert json.dumps(sorted(items["key"].unique())[0]).startswith('"item ')
