"""Scores on the clean subset: the right items are left out, and silence is never taken for clean."""

import dataclasses
import itertools
import re
import shutil

import numpy as np
import pytest
from skald_cli.verifying import verify
from skald_report.build import build
from skald_report.over_time.compare import compare
from skald_report.reading.inputs import ReportInputs
from skald_report.tables.file import rows_of
from skald_report.verify import verify_report
from skald_specs.decontamination import (
    CLEAN_FILE,
    REPORT_FILE,
    CorpusHits,
    Decontamination,
    DecontaminationReport,
    FoundItem,
    TaskHits,
)
from skald_specs.files import read_json, read_jsonl, write_json
from support_report import BASELINES, CONTROLS, write_inputs

#: Nothing here is asked of figures.
pytestmark = pytest.mark.usefixtures("undrawn")

TAGS = ("da", "sv")
KINDS = ("pairs", "cloze", "text")
N_ITEMS = 12
#: In Danish two pairs and three texts were found; in Swedish nothing was.
FOUND = {"core_pairs_da": ("pairs-0", "pairs-7"), "core_text_da": ("text-1", "text-2", "text-3")}


@pytest.fixture(scope="module")
def plain(undrawn, tmp_path_factory):
    """A cycle whose corpus was not searched, and its report."""
    root = tmp_path_factory.mktemp("plain")
    inputs = write_inputs(root, languages=TAGS, n_items=N_ITEMS)
    (root / "artifacts" / "plan" / "fit.json").unlink()
    build(dataclasses.replace(inputs, published=None, fit=None), root / "latest")
    return root


def report_of(found=FOUND, tasks=None, policy="report", common=(), others=()):
    names = tasks or [f"core_{kind}_{tag}" for kind in KINDS for tag in TAGS]
    standings = {(t, i): "contaminated" for t, ids in found.items() for i in ids}
    standings |= dict.fromkeys(common, "common")
    return DecontaminationReport(
        schema_version=1,
        rule=Decontamination(policy=policy),
        corpus=(
            CorpusHits(
                language="da", n_documents_read=9, n_documents_kept=9, n_documents_cut=0,
                n_documents_dropped=0, n_bytes_read=99, n_bytes_kept=99, n_bytes_removed=0,
            ),
        ),
        tasks=tuple(
            TaskHits(
                task=name, language=name[-2:], n_items=N_ITEMS,
                items_sha256=("1" if name in others else "0") * 64,
                n_contaminated=len(found.get(name, ())), n_common=0, n_short=0, n_undecidable=0,
                n_documents=len(found.get(name, ())),
            )
            for name in names
        ),
        items=tuple(
            FoundItem(
                task=task, item_id=name, language=task[-2:], standing=standing, n_documents=1,
                coverage=0.5, documents=(),
            )
            for (task, name), standing in standings.items()
        ),
    )  # fmt: skip


def built(plain, tmp_path, report=None, clean=None):
    """Build the report of a corpus that was searched; return its numbers and its Markdown."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(plain / "artifacts", artifacts)
    if report is not None:
        write_json(artifacts / "corpus" / REPORT_FILE, report.model_dump(mode="json"))
        clean = report.clean_subset() if clean is None else clean
    if clean is not None:
        write_json(artifacts / "corpus" / CLEAN_FILE, clean.model_dump(mode="json"))
    build(ReportInputs.from_folders(artifacts, BASELINES, ["core"], None), tmp_path / "latest")
    text = (tmp_path / "latest" / "README.md").read_text(encoding="utf-8").replace("\\", "")
    return read_json(tmp_path / "latest" / "report.json"), text


def test_the_clean_score_is_that_of_the_other_items(plain, tmp_path):
    report, text = built(plain, tmp_path, report_of())
    rows = {(r["task"], r["language"], r["model"]): r for r in rows_of(report, "clean")}
    models = (*BASELINES, *CONTROLS)
    assert set(rows) == set(itertools.product(("pairs", "text"), ("da", "mean"), models))
    records = list(read_jsonl(plain / "artifacts" / "eval" / "core" / "items.jsonl"))
    scores = {(r["task"], r["language"], r["model"]): r["score"] for r in rows_of(report, "scores")}
    for (task, tag, model), row in rows.items():
        assert row["score"] == scores[task, tag, model]
        assert row["n_contaminated"] == len(FOUND[f"core_{task}_da"])
        means = []
        for here in TAGS if tag == "mean" else (tag,):
            left = [
                r
                for r in records
                if (r["kind"], r["language"], r["model"]) == (task, here, model)
                and r["item_id"] not in FOUND.get(r["task"], ())
            ]
            weights = [r["n_bytes"] if task == "text" else 1 for r in left]
            means.append(np.average([r["score"] for r in left], weights=weights))
        assert row["clean"] == pytest.approx(np.mean(means), rel=1e-6)
        assert row["low"] <= row["clean"] <= row["high"]
    assert "5 of 72 evaluation items were found, at least in part, in the training text" in text
    assert "left as it is" in text and "| 2 (of 12) | 2 (of 24) |" in text
    assert (tmp_path / "latest" / "tables" / "clean.csv").is_file()


def test_without_the_corpus_scores_on_the_clean_subset_are_not_compared(plain, tmp_path, capsys):
    report, _ = built(plain, tmp_path, report_of())
    artifacts, folder = tmp_path / "artifacts", tmp_path / "latest"
    n_rows = len(rows_of(report, "clean"))
    row = report["tables"]["clean"]["rows"][0]
    row[report["tables"]["clean"]["columns"].index("clean")] += 1e-7
    write_json(folder / "report.json", report)
    evaluations = {"core": artifacts / "eval" / "core"}
    unknown = verify_report(folder, evaluations)
    assert unknown.changed == () and unknown.n_without_corpus == n_rows > 0
    known = verify_report(folder, evaluations, artifacts / "corpus")
    assert known.n_without_corpus == 0 and known.n_cells > unknown.n_cells
    assert [found.item.rsplit("/", 1)[-1] for found in known.changed] == ["clean"]
    assert verify([folder], artifacts / "eval", tmp_path / "nowhere", lambda _: {}) == 0
    said = capsys.readouterr().out
    assert f"{n_rows} scores without items of training text (not recomputed: no corpus)" in said
    assert verify([folder], artifacts / "eval", artifacts / "corpus", lambda _: {}) == 1


def test_nothing_found_is_said_with_what_was_looked_for(plain, tmp_path):
    common = [("core_cloze_da", "cloze-1"), ("core_cloze_da", "cloze-2")]
    report, text = built(plain, tmp_path, report_of({}, common=common))
    assert "None of 72 evaluation items was found in the training text" in text
    assert "Not counted: 2 of which only a common phrase was found." in text
    assert "clean" not in report["tables"]


def test_without_a_search_nothing_is_called_clean(plain, tmp_path):
    report, text = built(plain, tmp_path)
    assert "The training text was not searched for the evaluation items" in text
    assert "None of" not in text and "clean" not in report["tables"]


def test_tasks_that_were_not_looked_for_are_named(plain, tmp_path):
    _, text = built(plain, tmp_path, report_of({}, tasks=["core_pairs_da", "other_task"]))
    assert "None of 12 evaluation items was found" in text
    # Pairs were looked for in one of the two languages.
    said = r"60 items of cloze of suite core, pairs of suite core in \w\w and text of suite core\. They may"
    assert re.search(f"Not looked for in the training text: {said}", text)


def test_items_that_changed_since_the_search_were_not_looked_for(plain, tmp_path):
    report, text = built(plain, tmp_path, report_of(others=("core_text_da",)))
    cards = "".join(
        p.read_text(encoding="utf-8") for p in (tmp_path / "latest" / "cards").iterdir()
    )
    assert cards.count("Of 60 evaluation items looked for, 2 were found") == len(BASELINES)
    assert {row["task"] for row in rows_of(report, "clean")} == {"pairs"}
    assert "2 of 60 evaluation items were found" in text
    assert "Not looked for in the training text: 12 items of text of suite core in da." in text


def test_a_search_for_other_tasks_alone_claims_nothing(plain, tmp_path):
    _, text = built(plain, tmp_path, report_of({}, tasks=["other_task"]))
    assert "None of" not in text and "Not looked for in the training text: 72 items" in text


@pytest.mark.parametrize(("policy", "fate"), [("drop", "lost the documents"), ("cut", "the words")])
def test_text_that_was_taken_out_is_said_to_be(policy, fate, plain, tmp_path):
    _, text = built(plain, tmp_path, report_of(policy=policy))
    assert fate in text and "left as it is" not in text


def test_a_list_alone_leaves_items_out_and_claims_no_search(plain, tmp_path):
    one = {"core_cloze_sv": ("cloze-3",), "unknown": ("x",)}
    tasks = ["core_cloze_sv", "unknown"]
    clean = report_of(one, tasks).clean_subset()
    report, text = built(plain, tmp_path, clean=clean)
    assert {r["language"] for r in rows_of(report, "clean")} == {"sv", "mean"}
    assert "names 1 of 72 evaluation items" in text and "was searched" not in text


def test_no_item_left_is_no_score_and_no_mean(plain, tmp_path):
    every = {"core_pairs_da": tuple(f"pairs-{i}" for i in range(N_ITEMS))}
    report, text = built(plain, tmp_path, report_of(every))
    rows = rows_of(report, "clean")
    assert {(r["language"], r["clean"], r["n_contaminated"]) for r in rows} == {
        ("da", None, N_ITEMS), ("mean", None, N_ITEMS),
    }  # fmt: skip
    assert "no score (all" in text


def test_reports_with_and_without_a_clean_subset_can_be_compared(plain, tmp_path):
    built(plain, tmp_path / "a", report_of())
    built(plain, tmp_path / "b", report_of({"core_pairs_da": ("pairs-0",)}))
    old, new, other = plain / "latest", tmp_path / "a" / "latest", tmp_path / "b" / "latest"
    assert all(m.holds for m in [*compare(old, new), *compare(new, old), *compare(new, new)])
    failed = [m.measure for m in compare(new, other) if m.holds is not True]
    assert "clean" in failed and all(name.split("/")[0] == "clean" for name in failed)
