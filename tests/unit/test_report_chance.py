"""Facts and skills stand against chance; a canary above it is called a leak, and nothing else moves."""

import dataclasses

import pytest
from skald_report.build import build
from skald_report.tables.file import rows_of
from skald_specs.files import read_json, read_jsonl, write_jsonl
from support_report import BASELINES, KINDS, write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")

FACTS = ("number", "transfer", "skill", "calendar", "copy", "canary")


def built(root, languages=("da", "fo", "sv"), kinds=(*KINDS, *FACTS), change=None):
    inputs = write_inputs(root, languages=languages, kinds=kinds, n_items=80)
    if change is not None:
        path = inputs.evaluations[0] / "items.jsonl"
        write_jsonl(path, [change(row) for row in read_jsonl(path)])
    build(dataclasses.replace(inputs, published=None), root / "latest")
    return read_json(root / "latest" / "report.json"), root / "latest"


@pytest.fixture(scope="module")
def whole(undrawn, tmp_path_factory):
    return built(tmp_path_factory.mktemp("chance"))


def chance_of(report):
    judged = "Above or below chance: "
    return [
        c
        for c in report["claims"]
        if (c.startswith("On ") and ", chance 0." in c) or c.startswith(judged)
    ]


def about(report, words):
    (claim,) = [claim for claim in chance_of(report) if claim.startswith(f"On {words}")]
    return claim


def test_skills_are_above_chance_and_the_canary_shows_no_leak(whole):
    report, _ = whole
    skill, canary = about(report, "skills"), about(report, "canary")
    assert "mean over languages, chance 0.25" in skill
    assert all(f"{name} is above chance with 0." in skill for name in BASELINES)
    assert all(f"{name} is at chance" in canary for name in BASELINES)
    assert canary.endswith("no sign of a leak.") and not skill.endswith("leak.")


def leak(row):
    told = row["kind"] == "canary" and row["model"] == "mini-7.8b"
    return {**row, "score": 1.0} if told and int(row["item_id"].split("-")[1]) % 2 else row


def test_a_planted_leak_is_called_one_for_the_model_that_has_it(tmp_path):
    canary = about(built(tmp_path, change=leak)[0], "canary")
    assert "mini-7.8b is above chance" in canary and "mini-2.6b is at chance" in canary
    assert canary.endswith("items have leaked.")


def test_claims_and_differences_of_the_other_tasks_do_not_depend_on_facts(whole, tmp_path):
    report, _ = whole
    without, _ = built(tmp_path, kinds=KINDS)
    others = [c for c in report["claims"] if c not in chance_of(report)]
    assert others == without["claims"] and not chance_of(without)
    assert report["tables"]["differences"] == without["tables"]["differences"]
    assert {row["kind"] for row in rows_of(report, "scores")} == {*KINDS, *FACTS}


def test_the_page_has_one_table_of_facts_and_no_figure_of_them(whole):
    _, folder = whole
    names = {path.name for path in (folder / "figures").iterdir()}
    assert "scores-core-cloze.svg" in names
    assert not names & {f"scores-core-{kind}.svg" for kind in FACTS}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert readme.count("Controlled tasks of suite core, against chance") == 1
    assert "must stay at chance" in (folder / "index.html").read_text(encoding="utf-8")


def test_one_language_alone_is_judged_by_itself(tmp_path):
    report, _ = built(tmp_path, languages=("fo",), kinds=FACTS)
    assert "(fo, chance 0.25)" in about(report, "canary")
    assert "differences" not in report["tables"]
