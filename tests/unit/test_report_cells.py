"""How items become cells: tasks are told apart, names lose what suite and language say."""

import pytest
from skald_report.reading.inputs import ReportInputs, load
from skald_report.tables.cells import gather, short_name
from skald_specs.files import read_json, read_jsonl, write_json, write_jsonl
from support_report import write_evaluation
from support_tables import all_tables


@pytest.mark.parametrize(
    ("task", "suite", "language", "short"),
    [
        ("skald_ud_swap_dan_Latn", "ud", "da", "swap"),
        ("skald_core_pairs_nob_Latn", "core", "nb", "pairs"),
        ("mine_sv", "own", "sv", "mine"),
        ("other", "own", "sv", "other"),
    ],
)
def test_short_names(task, suite, language, short):
    assert short_name(task, suite, language) == short


def test_two_tasks_of_one_kind_are_not_pooled(tmp_path):
    folder = tmp_path / "ud"
    write_evaluation(folder, ["a", "b"], ["da"], n_items=8)
    summary = read_json(folder / "summary.json")
    pairs = next(task for task in summary["tasks"] if task["kind"] == "pairs")
    summary["tasks"] = [
        {**pairs, "name": f"skald_ud_{name}_dan_Latn"} for name in ("swap", "delete")
    ]
    rows = [row for row in read_jsonl(folder / "items.jsonl") if row["kind"] == "pairs"]
    write_json(folder / "summary.json", summary)
    write_jsonl(
        folder / "items.jsonl",
        [{**r, "task": "skald_ud_swap_dan_Latn", "score": 1.0} for r in rows]
        + [{**r, "task": "skald_ud_delete_dan_Latn", "score": 0.0} for r in rows],
    )
    sources = load(ReportInputs(evaluations=(folder,)))
    assert [panel.task.label for panel in gather(sources).panels] == [
        "minimal pairs (delete)",
        "minimal pairs (swap)",
    ]
    scores = all_tables(sources)["scores"].frame
    assert set(zip(scores["task"], scores["score"], strict=True)) == {("swap", 1), ("delete", 0)}
    assert set(scores["n_items"]) == {8}
    assert set(scores["chance"]) == {0.5}
