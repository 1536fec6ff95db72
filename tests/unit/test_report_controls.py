"""Controls in a table of their own, flags in words, wordings as mean and range, and the recheck."""

import pandas as pd
import pytest
from skald_report.build import build
from skald_report.reading.inputs import ReportInputs
from skald_report.tables.file import rows_of
from skald_specs.controls import LONGEST, ORACLE, RULES, TASK_CHECKS
from skald_specs.files import read_json, read_jsonl
from support_suites import CONTROLS, MODELS, Family, write_suite


def built(root, **given):
    folder = root / "eval" / "hub"
    write_suite(folder, **given)
    build(ReportInputs(evaluations=(folder,)), root / "page")
    page = root / "page"
    readme = (page / "README.md").read_text(encoding="utf-8")
    return read_json(page / "report.json"), readme, pd.DataFrame(read_jsonl(folder / "items.jsonl"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def whole(root):
    return built(root, leaks="belebele")


def scores_of(root):
    """Return the table of scores that the page has, which is folded and so not in the README."""
    page = (root / "page" / "index.html").read_text(encoding="utf-8")
    return page.partition('id="table-hub-scores"')[2].partition("</table>")[0]


def rows(report, table, **wanted):
    return [
        row
        for row in rows_of(report, table)
        if all(row[key] == value for key, value in wanted.items())
    ]


def section(readme, title):
    return readme.partition(f"## {title}")[2].partition("\n## ")[0]


def test_wordings_are_one_row_with_mean_and_range_and_never_the_best(whole, root):
    report, _, items = whole
    own = items[(items["model"] == "mini-7.8b") & (items["language"] == "da")]
    by_wording = [own[own["task"] == f"arc_{v}_da"]["score"].mean() for v in ("v1", "v2", "v3")]
    (row,) = rows(report, "scores", task="arc", language="da", model="mini-7.8b")
    assert row["score"] == pytest.approx(sum(by_wording) / 3)
    assert (row["lowest_wording"], row["highest_wording"]) == (
        pytest.approx(min(by_wording)), pytest.approx(max(by_wording)))  # fmt: skip
    assert row["n_wordings"] == 3 and row["n_items"] == 60
    assert row["low"] < row["score"] < row["high"] < 1
    scores = scores_of(root)
    assert f"[{min(by_wording):.2f}–{max(by_wording):.2f}]" in scores and "3 wordings" in scores
    (mean,) = rows(report, "scores", task="arc", language="mean", model="mini-7.8b")
    each = items[(items["model"] == "mini-7.8b") & items["task"].str.startswith("arc")]
    over = each.groupby(each["task"].str.split("_").str[1])["score"].mean()
    assert mean["lowest_wording"] == pytest.approx(over.min())
    assert mean["highest_wording"] == pytest.approx(over.max())
    (single,) = rows(report, "scores", task="multiblimp", language="da", model="mini-7.8b")
    assert single["n_wordings"] == 1 and single["lowest_wording"] is None


def test_models_are_compared_once_a_task_on_items_averaged_over_wordings(whole):
    report, _, items = whole
    arc = rows(report, "differences", task="arc", language="sv", reference="mini-2.6b")
    assert len(arc) == 1 and arc[0]["n_items"] == 60
    own = items[items["task"].str.match("arc_v._sv")].groupby("model")["score"].mean()
    assert arc[0]["difference"] == pytest.approx(own["mini-7.8b"] - own["mini-2.6b"])
    # Means over wordings are no right and wrong answers, so they are not counted as such.
    assert arc[0]["test"] == "paired cluster t"
    blimp = rows(report, "differences", task="multiblimp", language="sv", reference="mini-2.6b")
    assert blimp[0]["test"] == "exact McNemar"


def test_controls_stand_in_their_own_table_and_enter_no_claim(whole, root):
    report, readme, _ = whole
    scores = scores_of(root)
    assert "mini-7.8b" in scores and not any(f">{name}" in scores for name in CONTROLS)
    controls = section(readme, "Trust")
    header = next(line for line in controls.splitlines() if line.startswith("| task | untrained"))
    assert header == f"| task | untrained | byte-ngram | {' | '.join(TASK_CHECKS)} |"
    assert not {row["reference"] for row in rows_of(report, "differences")} & {*TASK_CHECKS}
    assert not any(name in claim for claim in report["claims"] for name in RULES)
    (oracle,) = rows(report, "controls", task="arc", control=ORACLE)
    assert oracle["score"] == oracle["low"] == 1 and not oracle["flagged"]


def test_flags_are_said_in_words_and_marked(whole):
    report, readme, _ = whole
    controls = section(readme, "Trust")
    assert (
        "On belebele in all 4 languages longest-answer has 0.90 where chance is 0.25: its answers "
        "give themselves away by their length." in controls
    )
    line = next(line for line in controls.splitlines() if line.startswith("| belebele"))
    assert line.count("⚑") == 1 and "flagged in every language" in line
    (row,) = rows(report, "controls", task="belebele", control=LONGEST)
    assert row["flagged"] == "da nb sv de"
    others = [line for line in controls.splitlines() if line.startswith(("| arc", "| multiblimp"))]
    assert len(others) == 2 and not any("⚑" in line for line in others)


def test_without_flags_that_is_said_and_without_controls_nothing_is(tmp_path):
    few = (Family("one", "choice", 0.6),)
    _, readme, _ = built(tmp_path / "fair", families=few)
    assert "No control is above chance on any of 1 kinds of task" in readme
    report, readme, _ = built(tmp_path / "none", families=few, controls=())
    assert "No control was evaluated" in section(readme, "Trust")
    assert "controls" not in report["tables"] and "above chance on any" not in readme


def test_a_control_that_lacks_a_task_or_language_takes_no_mean_from_the_models(whole, tmp_path):
    report, _, _ = whole
    generated = rows(report, "scores", task="summaries", language="mean")
    assert {row["model"] for row in generated} == {*MODELS, *CONTROLS[:2]}
    for row in rows(report, "scores", task="arc", language="mean"):
        assert row["languages"] == "da nb sv de"


def test_what_is_known_of_the_tasks_and_the_recheck_are_on_the_page(whole):
    report, readme, _ = whole
    assert (
        report["provenance"]["recheck of hub"]
        == "82 of 8,000 requests scored again by the plain path, largest difference 2.6e-06 nats (mini-7.8b)"
    )
    assert report["provenance"]["scorer of mini-7.8b"] == "tree"
    assert "arc, translated" in readme and "belebele, translated" not in readme
    (row,) = rows(report, "tasks", task="arc_v2_da")
    assert (row["translated"], row["license"], row["num_fewshot"]) == ("yes", "CC-BY-4.0", 5)
