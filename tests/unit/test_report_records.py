"""Records that do not fit: one line that says so, or a sentence on the page, never a wrong number."""

import pytest
from skald_report.reading.inputs import ReportInputs, load
from skald_report.sections.lacking import lacking
from skald_specs.errors import UserInputError
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from support_report import write_evaluation
from support_tables import all_tables

LANGUAGES = ["da", "sv"]


@pytest.fixture
def folder(tmp_path):
    write_evaluation(tmp_path / "core", ["a", "b"], LANGUAGES, n_items=8)
    return tmp_path / "core"


def refused(words, *folders):
    with pytest.raises(UserInputError, match=words) as caught:
        load(ReportInputs(evaluations=folders))
    assert "\n" not in str(caught.value)


def change_records(folder, change):
    rows = [change(row) for row in read_jsonl(folder / "items.jsonl")]
    write_jsonl(folder / "items.jsonl", [row for row in rows if row is not None])


def change_summary(folder, change):
    summary = read_json(folder / "summary.json")
    change(summary)
    write_json(folder / "summary.json", summary)


def said(folder):
    return " ".join(lacking(all_tables(load(ReportInputs(evaluations=(folder,))))))


def test_one_suite_in_two_folders_is_refused(folder, tmp_path):
    write_evaluation(tmp_path / "again", ["a", "c"], LANGUAGES, n_items=8)
    change_summary(tmp_path / "again", lambda s: s.update(suite="core"))
    refused("holds suite 'core', which .*core holds too", folder, tmp_path / "again")


def test_a_task_listed_in_two_versions_is_refused(folder):
    change_summary(folder, lambda s: s["tasks"].append({**s["tasks"][0], "version": 2.0}))
    refused("lists task 'core_pairs_da' twice", folder)


def test_models_that_were_asked_different_items_are_refused(folder):
    change_records(
        folder,
        lambda r: {**r, "key": "other"} if (r["model"], r["item_id"]) == ("b", "pairs-3") else r,
    )
    refused("'pairs-3' of task 'core_pairs_da' has different keys for 'a' and 'b'", folder)


def test_texts_of_different_length_are_refused(folder):
    change_records(
        folder,
        lambda r: {**r, "n_bytes": 7} if (r["model"], r["item_id"]) == ("b", "text-3") else r,
    )
    refused("'text-3' of task 'core_text_da' has different lengths", folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_bytes": 0}, "a text has no bytes"),
        ({"score": -0.1}, "bits per byte of a text lie below 0"),
        ({"score": float("nan")}, r"items\.jsonl:\d+: "),
        ({"score": float("inf")}, r"items\.jsonl:\d+: "),
        ({"score": None}, r"items\.jsonl:\d+: `score`"),
        ({"task": "unknown"}, "task 'unknown' is not in summary.json"),
        ({"language": "nl"}, "task 'core_text_da' is text/nl here and text/da in summary.json"),
    ],
)
def test_a_record_that_no_number_can_be_made_of_is_refused(folder, values, words):
    change_records(
        folder,
        lambda r: {**r, **values} if (r["model"], r["item_id"]) == ("b", "text-3") and
        r["language"] == "da" else r,
    )  # fmt: skip
    refused(words, folder)


def test_a_task_of_which_records_are_lost_for_all_is_refused(folder):
    change_records(folder, lambda r: None if r["item_id"] == "pairs-3" else r)
    refused("holds 7 items of task 'core_pairs_da', of which summary.json says 8", folder)


def test_whole_records_lack_nothing(folder):
    assert said(folder) == ""


def test_items_that_one_model_lacks_are_counted_and_take_it_from_the_means(folder):
    change_records(
        folder,
        lambda r: None if (r["model"], r["item_id"], r["language"]) == ("b", "pairs-3", "da")
        else r,
    )  # fmt: skip
    assert "b answered 7 of the 8 items of minimal pairs in da" in said(folder)
    tables = all_tables(load(ReportInputs(evaluations=(folder,))))
    overall = tables["overall"].frame
    # Both are baselines, so the cell is in no mean; the other language's is.
    assert set(overall.loc[overall["scope"] == "da", "n_tasks"]) == {1}
    pairs = tables["differences"].frame
    own = pairs[(pairs["task"] == "pairs") & (pairs["language"] == "da")]
    assert own["n_items"].tolist() == [7]


def test_a_model_without_a_language_or_without_items_is_named(folder):
    change_summary(folder, lambda s: s["models"][1].update(role="external"))
    change_records(folder, lambda r: None if (r["model"], r["language"]) == ("b", "sv") else r)
    assert "b lacks some task or language that the mean of tasks is over" in said(folder)
    change_records(folder, lambda r: None if r["model"] == "b" else r)
    assert "b answered no item of any task, so nothing is said of it." in said(folder)


def test_keys_left_empty_in_two_suites_are_no_common_clusters(folder):
    change_records(folder, lambda r: {**r, "key": ""})
    frame = all_tables(load(ReportInputs(evaluations=(folder,))))["scores"].frame
    assert set(frame.loc[frame["language"] == "da", "n_keys"]) == {8}
