"""Evaluation items looked for in a corpus that is built: added to its report, and no shard changed."""

import gzip

import pytest
import support_harness
from skald_cli.main import main
from skald_specs.decontamination import (
    CLEAN_FILE,
    REPORT_FILE,
    CleanSubset,
    DecontaminationReport,
    ReferenceItem,
    item_sha256,
    items_sha256,
)
from skald_specs.files import read_json, write_json

PLANTED = "den gamle skipper fortalte hver aften en lang historie om havet og de fjerne øer"
ABSENT = (
    "ingen har nogensinde skrevet netop disse tretten ord efter hinanden i en dansk tekst før nu"
)


@pytest.fixture
def corpus(tmp_path):
    texts = {
        "da": ["Noget helt andet om vejret i morgen.", f"Så: {PLANTED.upper()}!"],
        "de": ["Ja."],
    }
    return support_harness.write_corpus(tmp_path / "corpus", texts)


def listed(path, task, *texts):
    rows = [
        ReferenceItem(task=task, item_id=f"{n}", language="da", strings=(text,)).model_dump_json()
        for n, text in enumerate(texts)
    ]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


def look(corpus, *paths):
    return main(["corpus", "contamination", *map(str, paths), "--corpus", str(corpus)])


def test_items_are_found_in_the_shards_and_added_task_by_task(corpus, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in corpus.iterdir()}
    assert look(corpus, listed(tmp_path / "a.jsonl.gz", "one", ABSENT, PLANTED)) == 0
    assert "1 of 2 evaluation items found in the training text" in capsys.readouterr().out
    assert look(corpus, listed(tmp_path / "b.jsonl.gz", "two", PLANTED)) == 0
    assert "2 of 3 evaluation items found" in capsys.readouterr().out
    clean = CleanSubset.load(corpus / CLEAN_FILE)
    assert clean.contaminated == {"one": ("1",), "two": ("0",)}
    report = DecontaminationReport.load(corpus / REPORT_FILE)
    assert [(task.task, task.n_items) for task in report.tasks] == [("one", 2), ("two", 1)]
    hashes = [items_sha256({"0": item_sha256([ABSENT]), "1": item_sha256([PLANTED])})]
    assert [report.tasks[0].items_sha256] == hashes
    assert item_sha256(["a", "b"]) == item_sha256(["b", "a", "b"]) != item_sha256(["a b"])
    assert {name: (corpus / name).read_bytes() for name in before} == before
    # The same task again, mended: what was found of it before is gone.
    assert look(corpus, listed(tmp_path / "c.jsonl.gz", "one", ABSENT)) == 0
    assert CleanSubset.load(corpus / CLEAN_FILE).contaminated == {"two": ("0",)}


def test_findings_by_a_rule_that_removed_text_are_not_added_to(corpus, tmp_path, capsys):
    items = listed(tmp_path / "a.jsonl.gz", "one", ABSENT)
    assert look(corpus, items) == 0
    report = read_json(corpus / REPORT_FILE)
    report["rule"]["policy"] = "drop"
    write_json(corpus / REPORT_FILE, report)
    assert look(corpus, items) == 2
    assert "found by another rule (policy drop)" in capsys.readouterr().err


def test_no_corpus_is_one_line(tmp_path, capsys):
    items = listed(tmp_path / "a.jsonl.gz", "one", ABSENT)
    assert look(tmp_path / "none", items) == 2
    assert capsys.readouterr().err.count("\n") == 1
